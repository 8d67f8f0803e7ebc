//! Protected resource metadata, and how challenges point to it (RFC 9728).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use actix_web::http::{Method, StatusCode};
use insta::assert_json_snapshot;
use mcp_gateway_model::resource::{Resource, ResourceUri, Resources};

use crate::{
    signer::Signer,
    stand::{PROXY, Stand, about, asking, configured, read, settings, wildcard},
};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

async fn resource(stand: &Stand, url: &str) -> Option<String> {
    let answer = stand.ask(read(url)).await;
    match answer.status {
        StatusCode::OK => answer.json()["resource"].as_str().map(ToOwned::to_owned),
        StatusCode::NOT_FOUND => {
            assert_eq!(answer.json()["error"], "not_found");
            None
        }
        status => unreachable!("{status} for {url}"),
    }
}

/// Where a challenge points to.
fn metadata_of(challenge: &str) -> &str {
    let (_, rest) = challenge.split_once("resource_metadata=\"").unwrap();
    rest.split_once('"').unwrap().0
}

#[actix_web::test]
async fn the_document_says_whom_to_ask_and_for_what() {
    let stand = Stand::new();
    let answer = stand
        .ask(read(&format!("https://echo.example.com{WELL_KNOWN}/mcp")))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_json_snapshot!(answer.json(), @r#"
    {
      "authorization_servers": [
        "https://auth.example.com"
      ],
      "bearer_methods_supported": [
        "header"
      ],
      "resource": "https://echo.example.com/mcp",
      "resource_name": "Echo",
      "scopes_supported": [
        "admin",
        "read",
        "write"
      ]
    }
    "#);
}

#[actix_web::test]
async fn the_resource_is_the_address_the_client_asked_byte_for_byte() {
    let stand = Stand::new();
    for (path, resource_path) in [
        ("/mcp", Some("/mcp")),
        ("/mcp/", Some("/mcp/")),
        ("/mcp/deeper", Some("/mcp/deeper")),
        ("/mcp?x=1", Some("/mcp")),
        ("", Some("/mcp")),
        ("/", Some("/mcp")),
        ("/mcpx", None),
        ("/other", None),
        ("/mcp//", None),
        ("/mcp/../mcp", None),
        ("/mcp/%2e%2e", None),
        ("/mcp;x", None),
        ("/other.example.com", None),
    ] {
        let found = resource(&stand, &format!("https://echo.example.com{WELL_KNOWN}{path}")).await;
        let expected = resource_path.map(|p| format!("https://echo.example.com{p}"));
        assert_eq!(found, expected, "{path}");
    }
}

#[actix_web::test]
async fn a_wildcard_host_is_echoed_only_when_it_matches() {
    let stand = Stand::with(settings(wildcard()), Signer::ed25519());
    for (url, expected) in [
        (
            "https://echo.example.com/mcp",
            Some("https://echo.example.com/mcp"),
        ),
        (
            "https://echo.example.com/mcp/",
            Some("https://echo.example.com/mcp/"),
        ),
        (
            "https://ECHO.example.com:443/mcp",
            Some("https://echo.example.com/mcp"),
        ),
        ("https://echo.example.com", Some("https://echo.example.com")),
        ("https://echo.example.com/", Some("https://echo.example.com/")),
        ("https://evil.com/mcp", None),
        ("https://auth.example.com/mcp", None),
        ("https://a.b.example.com/mcp", None),
        ("https://echo.example.com.evil.com/mcp", None),
        ("https://echo.example.com/<script>", None),
        ("https://echo.example.com/a//b", None),
        ("https://echo.example.com/%2e%2e/x", None),
    ] {
        let rest = url.strip_prefix("https://").unwrap();
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let Ok(_) = format!("{WELL_KNOWN}{path}").parse::<actix_web::http::Uri>() else {
            continue;
        };
        let found = resource(&stand, &format!("https://{host}{WELL_KNOWN}{path}")).await;
        assert_eq!(found.as_deref(), expected, "{url}");
    }
}

#[actix_web::test]
async fn the_root_answers_the_only_resource_of_a_host_and_none_of_several() {
    let one = Stand::new();
    let root = format!("https://echo.example.com{WELL_KNOWN}");
    assert_eq!(
        resource(&one, &root).await.as_deref(),
        Some("https://echo.example.com/mcp")
    );
    let resource_at = |uri| Resource::new(ResourceUri::parse(uri).unwrap(), None);
    let two = vec![
        resource_at("https://echo.example.com/a"),
        resource_at("https://echo.example.com/b"),
    ];
    let two = Stand::with(
        settings(Resources::new(two, vec![], "auth.example.com")),
        Signer::ed25519(),
    );
    assert_eq!(resource(&two, &root).await, None);
    assert_eq!(
        resource(&two, &format!("{root}/b")).await.as_deref(),
        Some("https://echo.example.com/b")
    );
}

#[actix_web::test]
async fn a_host_header_builds_no_address() {
    let stand = Stand::new();
    let path = format!("{WELL_KNOWN}/mcp");
    for host in [
        "evil.com",
        "echo.example.com.evil.com",
        "echo.example.com@evil.com",
        "echo.example.com, evil.com",
        "",
    ] {
        let answer = stand
            .ask(asking(&path, PROXY).insert_header(("host", host)))
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{host}");
        assert!(!answer.body.contains("evil"));
    }
    let server = asking("/.well-known/oauth-authorization-server", PROXY).insert_header(("host", "evil.com"));
    assert!(!stand.ask(server).await.body.contains("evil"));
    let http = read(&format!("https://echo.example.com{path}")).insert_header(("x-forwarded-proto", "http"));
    assert_eq!(
        stand.ask(http).await.json()["resource"],
        "https://echo.example.com/mcp"
    );
}

#[actix_web::test]
async fn a_forwarded_host_counts_from_a_trusted_proxy_only() {
    let stand = Stand::new();
    let request = |peer| {
        asking(WELL_KNOWN, peer)
            .insert_header(("host", "echo.example.com"))
            .insert_header(("x-forwarded-host", "other.example.com"))
    };
    let trusted = stand.ask(request(PROXY)).await;
    assert_eq!(trusted.json()["resource"], "https://other.example.com");
    let stranger = stand.ask(request("203.0.113.9:1")).await;
    assert_eq!(stranger.json()["resource"], "https://echo.example.com/mcp");
    let twice = request(PROXY).append_header(("x-forwarded-host", "other.example.com"));
    assert_eq!(stand.ask(twice).await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn the_issuers_host_answers_for_every_protected_host() {
    for resources in [configured(), wildcard()] {
        let stand = Stand::with(settings(resources), Signer::ed25519());
        for (below, expected) in [
            ("/echo.example.com/mcp", Some("https://echo.example.com/mcp")),
            ("/echo.example.com/mcp/", Some("https://echo.example.com/mcp/")),
            ("/other.example.com", Some("https://other.example.com")),
            ("/evil.com/mcp", None),
            ("/auth.example.com/mcp", None),
            ("/mcp", None),
            ("", None),
        ] {
            let found = resource(&stand, &format!("https://auth.example.com{WELL_KNOWN}{below}")).await;
            assert_eq!(found.as_deref(), expected, "{below}");
        }
    }
}

#[actix_web::test]
async fn the_challenge_leads_to_the_metadata_of_the_very_address_that_was_asked() {
    for at_issuer in [false, true] {
        for resources in [configured(), wildcard()] {
            let mut settings = settings(resources);
            settings.metadata_at_issuer = at_issuer;
            let stand = Stand::with(settings, Signer::ed25519());
            for url in [
                "https://echo.example.com/mcp",
                "https://echo.example.com/mcp/",
                "https://echo.example.com/mcp/a/b",
                "https://other.example.com",
            ] {
                let query = if url.ends_with("example.com") {
                    "/?x=1"
                } else {
                    "?x=1"
                };
                let answer = stand.ask(about(&format!("{url}{query}"))).await;
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
                let found = resource(&stand, metadata_of(answer.challenge())).await;
                assert_eq!(found.as_deref(), Some(url), "{}", answer.challenge());
            }
        }
    }
}

#[actix_web::test]
async fn an_address_that_is_not_plainly_written_leads_to_the_resource_itself() {
    let stand = Stand::with(settings(wildcard()), Signer::ed25519());
    for path in ["/a//b", "/a/../b", "/\"quoted\"", "/a\\b", "/a;b", "/<script>"] {
        let request = about("https://echo.example.com/").insert_header(("x-forwarded-uri", path));
        let answer = stand.ask(request).await;
        assert_eq!(
            metadata_of(answer.challenge()),
            "https://echo.example.com/.well-known/oauth-protected-resource",
            "{path}"
        );
    }
}

#[actix_web::test]
async fn metadata_can_be_announced_at_the_issuer() {
    let mut settings = settings(configured());
    settings.metadata_at_issuer = true;
    let stand = Stand::with(settings, Signer::ed25519());
    let answer = stand.ask(about("https://echo.example.com/mcp")).await;
    assert_eq!(
        metadata_of(answer.challenge()),
        "https://auth.example.com/.well-known/oauth-protected-resource/echo.example.com/mcp"
    );
}

#[actix_web::test]
async fn the_document_is_for_reading_only() {
    let stand = Stand::new();
    let url = format!("https://echo.example.com{WELL_KNOWN}/mcp");
    let head = stand.ask(read(&url).method(Method::HEAD)).await;
    assert_eq!(head.status, StatusCode::OK);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = stand.ask(read(&url).method(method.clone())).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
}

#[actix_web::test]
async fn discovery_that_a_router_leads_through_forward_auth_is_sent_on_to_the_issuer() {
    let stand = Stand::new();
    for (path, there) in [
        (
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/echo.example.com",
        ),
        (
            "/.well-known/oauth-protected-resource/mcp",
            "/.well-known/oauth-protected-resource/echo.example.com/mcp",
        ),
        (
            "/.well-known/oauth-authorization-server",
            "/.well-known/oauth-authorization-server",
        ),
        (
            "/.well-known/openid-configuration/mcp",
            "/.well-known/openid-configuration/mcp",
        ),
    ] {
        let answer = stand.ask(about(&format!("https://echo.example.com{path}"))).await;
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT, "{path}");
        assert_eq!(
            answer.header("location"),
            Some(format!("https://auth.example.com{there}").as_str())
        );
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    for elsewhere in [
        "https://evil.example.org/.well-known/oauth-protected-resource",
        "https://echo.example.com/.well-known/oauth-protected-resources",
        "https://echo.example.com/.well-known/oauth-protected-resource/../../x",
    ] {
        let answer = stand.ask(about(elsewhere)).await;
        assert!(answer.status.is_client_error(), "{elsewhere}: {}", answer.status);
        assert_eq!(answer.header("location"), None);
    }
}

#[actix_web::test]
async fn after_such_a_detour_challenges_point_to_the_issuer_for_clients_that_follow_no_redirect() {
    let stand = Stand::new();
    let challenge = async || {
        let answer = stand.ask(about("https://echo.example.com/mcp")).await;
        answer.header("www-authenticate").unwrap().to_owned()
    };
    let at_host = r#"resource_metadata="https://echo.example.com/.well-known/oauth-protected-resource/mcp""#;
    assert!(challenge().await.contains(at_host));
    stand
        .ask(about(
            "https://echo.example.com/.well-known/oauth-protected-resource/mcp",
        ))
        .await;
    let at_issuer = r#"resource_metadata="https://auth.example.com/.well-known/oauth-protected-resource/echo.example.com/mcp""#;
    assert!(challenge().await.contains(at_issuer), "{}", challenge().await);
}
