//! Which request is meant: what Traefik's ForwardAuth sends, and what others try.

use actix_web::http::StatusCode;
use mcp_gateway_model::proxy::TrustedProxies;

use crate::{
    signer::Signer,
    stand::{ECHO, PROXY, Stand, about, asking, configured, settings},
};

fn bearer(stand: &Stand) -> (&'static str, String) {
    ("authorization", format!("Bearer {}", stand.token()))
}

#[actix_web::test]
async fn forwarded_headers_of_an_untrusted_peer_are_not_believed() {
    let stand = Stand::new();
    for peer in [
        "203.0.113.9:443",
        "172.32.0.1:1",
        "[2001:db8::1]:1",
        "[::ffff:8.8.8.8]:1",
    ] {
        let request = about(ECHO)
            .peer_addr(peer.parse().unwrap())
            .insert_header(bearer(&stand));
        let answer = stand.ask(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{peer}");
        assert_eq!(answer.header("www-authenticate"), None);
    }
    for peer in [
        "127.0.0.1:1",
        "10.0.0.1:1",
        "[fd00::1]:1",
        "[::ffff:172.18.0.2]:1",
    ] {
        let request = about(ECHO)
            .peer_addr(peer.parse().unwrap())
            .insert_header(bearer(&stand));
        assert_eq!(stand.ask(request).await.status, StatusCode::OK, "{peer}");
    }
}

#[actix_web::test]
async fn no_proxy_at_all_may_be_trusted() {
    let mut settings = settings(configured());
    settings.trusted_proxies = TrustedProxies::parse("").unwrap();
    let stand = Stand::with(settings, Signer::ed25519());
    let answer = stand.ask(about(ECHO).insert_header(bearer(&stand))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a_caller_without_forwarded_headers_gets_nothing_whatever_its_host_header_says() {
    let stand = Stand::new();
    let direct = || {
        asking("/verify", PROXY)
            .insert_header(("host", "echo.example.com"))
            .insert_header(bearer(&stand))
    };
    assert_eq!(stand.ask(direct()).await.status, StatusCode::BAD_REQUEST);
    let host = direct().insert_header(("x-forwarded-host", "echo.example.com"));
    assert_eq!(stand.ask(host).await.status, StatusCode::BAD_REQUEST);
    let uri = direct().insert_header(("x-forwarded-uri", "/mcp"));
    assert_eq!(stand.ask(uri).await.status, StatusCode::BAD_REQUEST);
    let forwarded = direct().insert_header(("forwarded", "host=echo.example.com;proto=https"));
    assert_eq!(stand.ask(forwarded).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn repeated_forwarded_headers_are_refused_even_if_they_agree() {
    let stand = Stand::new();
    for (name, value) in [
        ("x-forwarded-host", "echo.example.com"),
        ("x-forwarded-uri", "/mcp"),
    ] {
        let request = about(ECHO)
            .append_header((name, value))
            .insert_header(bearer(&stand));
        assert_eq!(stand.ask(request).await.status, StatusCode::BAD_REQUEST, "{name}");
    }
}

#[actix_web::test]
async fn hostile_forwarded_hosts_open_nothing() {
    let stand = Stand::new();
    for host in [
        "",
        " ",
        "echo.example.com, other.example.com",
        "other.example.com,echo.example.com",
        "echo.example.com@other.example.com",
        "user:pw@echo.example.com",
        "https://echo.example.com",
        "echo.example.com/mcp",
        "echo.example.com?x",
        "echo.example.com#x",
        "echo.example.com\\x",
        "echo.example.com:",
        "echo.example.com:port",
        "echo.example.com:443:443",
        "echo.example.com:99999",
        "echo.example.com\u{b}",
        "échо.example.com",
        "[::1",
    ] {
        let Ok(value) = actix_web::http::header::HeaderValue::from_bytes(host.as_bytes()) else {
            continue;
        };
        let request = about(ECHO)
            .insert_header(("x-forwarded-host", value))
            .insert_header(bearer(&stand));
        assert_eq!(stand.ask(request).await.status, StatusCode::BAD_REQUEST, "{host}");
    }
    for unknown in [
        "evil.com",
        "echo.example.com.",
        "echo.example.com.evil.com",
        "echo.example.com:8443",
        "127.0.0.1",
    ] {
        let request = about(ECHO)
            .insert_header(("x-forwarded-host", unknown))
            .insert_header(bearer(&stand));
        assert_eq!(
            stand.ask(request).await.status,
            StatusCode::FORBIDDEN,
            "{unknown}"
        );
    }
    for same in ["ECHO.example.COM", "echo.example.com:443", "echo.example.com:80"] {
        let request = about(ECHO)
            .insert_header(("x-forwarded-host", same))
            .insert_header(bearer(&stand));
        assert_eq!(stand.ask(request).await.status, StatusCode::OK, "{same}");
    }
}

#[actix_web::test]
async fn hostile_forwarded_uris_open_nothing() {
    let stand = Stand::new();
    for (uri, status) in [
        ("", StatusCode::BAD_REQUEST),
        ("*", StatusCode::BAD_REQUEST),
        ("mcp", StatusCode::BAD_REQUEST),
        ("?/mcp", StatusCode::BAD_REQUEST),
        ("https://echo.example.com/mcp", StatusCode::BAD_REQUEST),
        ("/mcp#x", StatusCode::BAD_REQUEST),
        ("/mcp x", StatusCode::BAD_REQUEST),
        ("/é", StatusCode::BAD_REQUEST),
        ("/", StatusCode::FORBIDDEN),
        ("/MCP", StatusCode::FORBIDDEN),
        ("/mcpx", StatusCode::FORBIDDEN),
        ("//mcp", StatusCode::FORBIDDEN),
        ("/x/../mcp", StatusCode::FORBIDDEN),
        ("/mcp/../x", StatusCode::FORBIDDEN),
        ("/mcp/%2E%2e/x", StatusCode::FORBIDDEN),
        ("/mcp%2fx", StatusCode::FORBIDDEN),
        ("/mcp\\..\\x", StatusCode::FORBIDDEN),
        ("/mcp;x=/y", StatusCode::FORBIDDEN),
        ("/mcp/%252e%252e/x", StatusCode::FORBIDDEN),
        ("/mcp/%00", StatusCode::FORBIDDEN),
        ("/mcp", StatusCode::OK),
        ("/mcp?q=../..//#;", StatusCode::OK),
        ("/mcp/messages/", StatusCode::OK),
    ] {
        let request = about(ECHO)
            .insert_header(("x-forwarded-uri", uri))
            .insert_header(bearer(&stand));
        assert_eq!(stand.ask(request).await.status, status, "{uri}");
    }
}

#[actix_web::test]
async fn underscore_aliases_and_other_spellings_of_forwarded_headers_decide_nothing() {
    let stand = Stand::new();
    let other = |request: actix_web::test::TestRequest| {
        request
            .insert_header(("x_forwarded_host", "other.example.com"))
            .insert_header(("x-forwarded_host", "other.example.com"))
            .insert_header(("x_forwarded_uri", "/"))
            .insert_header(("x-forwarded-prefix", "/other"))
            .insert_header(("x-forwarded-server", "other.example.com"))
            .insert_header(("forwarded", "host=other.example.com"))
    };
    let good = other(about(ECHO)).insert_header(bearer(&stand));
    assert_eq!(stand.ask(good).await.status, StatusCode::OK);
    let alone = other(asking("/verify", PROXY)).insert_header(bearer(&stand));
    assert_eq!(stand.ask(alone).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn neither_the_scheme_nor_the_method_that_is_forwarded_decides() {
    let stand = Stand::new();
    for proto in ["http", "https", "wss", "nonsense"] {
        for method in ["POST", "OPTIONS", "nonsense"] {
            let with = |request: actix_web::test::TestRequest| {
                request
                    .insert_header(("x-forwarded-proto", proto))
                    .insert_header(("x-forwarded-method", method))
            };
            let good = with(about(ECHO)).insert_header(bearer(&stand));
            assert_eq!(stand.ask(good).await.status, StatusCode::OK);
            assert_eq!(
                stand.ask(with(about(ECHO))).await.status,
                StatusCode::UNAUTHORIZED
            );
        }
    }
}

#[actix_web::test]
async fn an_address_where_nothing_is_protected_is_403_without_a_challenge() {
    let stand = Stand::new();
    let answer = stand
        .ask(about("https://unknown.example.com/mcp").insert_header(bearer(&stand)))
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(answer.json()["error"], "access_denied");
    assert!(!answer.body.contains("unknown"), "{}", answer.body);
}
