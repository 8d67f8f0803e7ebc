//! Dynamic client registration: <https://www.rfc-editor.org/rfc/rfc7591>.

use std::time::Duration;

use mcp_gateway_auth_server::Limits;
use mcp_gateway_model::{clock::Timestamp, id::ClientId};
use mcp_gateway_store::Store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::desk::{Answer, Desk, REDIRECT, START};

async fn register(desk: &Desk, metadata: &Value) -> Answer {
    desk.send_json(Method::POST, "/register", &[], metadata).await
}

#[actix_web::test]
async fn a_registration_answers_every_value_it_registered() {
    let desk = Desk::start().await;
    let metadata = json!({
        "redirect_uris": ["http://127.0.0.1:33418/", "https://claude.ai/api/mcp/auth_callback"],
        "client_name": "Some Client",
        "client_uri": "https://client.example.com",
        "logo_uri": "https://client.example.com/logo.png",
        "tos_uri": "https://client.example.com/tos",
        "policy_uri": "https://client.example.com/policy",
        "contacts": ["ops@example.com"],
        "scope": "read write \u{e9}",
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code", "refresh_token", "password"],
        "response_types": ["code", "token"],
        "software_id": "4NRB1-0XZABZI9E6-5SM3R",
        "software_version": "2.1",
        "application_type": "native",
        "jwks": { "keys": [] },
        "unheard_of": true,
    });
    let answer = register(&desk, &metadata).await;
    assert_eq!(answer.status.as_u16(), 201);
    assert_eq!(answer.header("cache-control"), "no-store");
    let id = answer.member("client_id");
    let uri = answer.member("registration_client_uri");
    assert_eq!(uri, format!("https://auth.example.com/register/{id}"));
    assert!(answer.member("client_secret").starts_with("mcp_cs_"));
    assert!(answer.member("registration_access_token").starts_with("mcp_rat_"));
    insta::assert_json_snapshot!(answer.json(), {
        ".client_id" => "[id]",
        ".client_secret" => "[secret]",
        ".registration_access_token" => "[token]",
        ".registration_client_uri" => "[uri]",
    }, @r#"
    {
      "application_type": "native",
      "client_id": "[id]",
      "client_id_issued_at": 1800000000,
      "client_name": "Some Client",
      "client_secret": "[secret]",
      "client_secret_expires_at": 1807776000,
      "client_uri": "https://client.example.com",
      "contacts": [
        "ops@example.com"
      ],
      "grant_types": [
        "authorization_code",
        "refresh_token"
      ],
      "logo_uri": "https://client.example.com/logo.png",
      "policy_uri": "https://client.example.com/policy",
      "redirect_uris": [
        "http://127.0.0.1:33418/",
        "https://claude.ai/api/mcp/auth_callback"
      ],
      "registration_access_token": "[token]",
      "registration_client_uri": "[uri]",
      "response_types": [
        "code"
      ],
      "scope": "read write",
      "software_id": "4NRB1-0XZABZI9E6-5SM3R",
      "software_version": "2.1",
      "token_endpoint_auth_method": "client_secret_post",
      "tos_uri": "https://client.example.com/tos"
    }
    "#);
}

#[actix_web::test]
async fn what_is_left_out_gets_the_defaults_the_answer_tells() {
    let desk = Desk::start().await;
    let metadata = json!({ "redirect_uris": [REDIRECT], "client_name": null, "logo_uri": "", "scope": null });
    let body = register(&desk, &metadata).await.json();
    assert_eq!(body["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(
        body["grant_types"],
        json!(["authorization_code", "refresh_token"])
    );
    assert_eq!(body["response_types"], json!(["code"]));
    assert_eq!(body.get("client_name"), None);
    assert_eq!(body.get("logo_uri"), None);
}

#[actix_web::test]
async fn a_public_client_gets_no_secret() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    assert_eq!(client.body.get("client_secret"), None);
    assert_eq!(client.body["client_secret_expires_at"], 0);
}

#[actix_web::test]
async fn the_old_path_registers_too() {
    let desk = Desk::start().await;
    let metadata = json!({ "redirect_uris": [REDIRECT] });
    let answer = desk
        .send_json(Method::POST, "/oauth/register", &[], &metadata)
        .await;
    assert_eq!(answer.status.as_u16(), 201);
}

#[actix_web::test]
async fn unacceptable_redirects_among_acceptable_ones_are_dropped() {
    let desk = Desk::start().await;
    let cursor = json!({
        "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "javascript:alert(1)",
            "http://localhost:8787/callback",
            "http://localhost:8787/callback",
        ],
        "token_endpoint_auth_method": "none",
    });
    let registered = desk.register(&cursor).await.body["redirect_uris"].clone();
    assert_eq!(
        registered,
        json!([
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ])
    );
}

#[actix_web::test]
async fn private_use_schemes_are_for_public_clients() {
    let desk = Desk::start().await;
    let both = json!({ "redirect_uris": ["com.example.app:/cb", REDIRECT] });
    assert_eq!(
        desk.register(&both).await.body["redirect_uris"],
        json!([REDIRECT])
    );
    let alone = json!({ "redirect_uris": ["com.example.app:/cb"] });
    let answer = register(&desk, &alone).await;
    assert_eq!(answer.error(), "400 invalid_redirect_uri");
    assert!(answer.member("error_description").contains("private-use"));
}

#[actix_web::test]
async fn a_redirect_that_looks_like_loopback_or_runs_script_or_hides_its_host_is_refused() {
    let desk = Desk::start().await;
    for uri in [
        "http://localhost.evil.com/cb",
        "http://127.0.0.1.evil.com/cb",
        "http://client.example.com/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://client.example.com/cb#x",
        "https://user@evil.com/cb",
        "https://client.example.com/a/../cb",
        "/cb",
        "",
    ] {
        let answer = register(&desk, &json!({ "redirect_uris": [uri] })).await;
        assert_eq!(answer.error(), "400 invalid_redirect_uri", "{uri}");
        let description = answer.member("error_description");
        assert!(description.starts_with("redirect_uris "), "{description}");
    }
}

#[actix_web::test]
async fn a_registration_needs_between_one_and_twenty_redirects() {
    let desk = Desk::start().await;
    for metadata in [
        json!({}),
        json!({ "redirect_uris": [] }),
        json!({ "redirect_uris": null }),
    ] {
        let answer = register(&desk, &metadata).await;
        assert_eq!(answer.error(), "400 invalid_redirect_uri");
    }
    let uris = |n: usize| (0..n).map(|i| format!("{REDIRECT}/{i}")).collect::<Vec<_>>();
    let answer = register(&desk, &json!({ "redirect_uris": uris(21) })).await;
    assert_eq!(answer.error(), "400 invalid_redirect_uri");
    let answer = register(&desk, &json!({ "redirect_uris": uris(20) })).await;
    assert_eq!(answer.status.as_u16(), 201);
}

#[actix_web::test]
async fn script_urls_in_metadata_are_refused() {
    let desk = Desk::start().await;
    for member in ["logo_uri", "client_uri", "tos_uri", "policy_uri"] {
        for uri in [
            "javascript:alert(1)",
            "data:text/html,<script>",
            "JaVaScRiPt:x",
            "vbscript:x",
            "nonsense",
        ] {
            let mut metadata = json!({ "redirect_uris": [REDIRECT] });
            metadata[member] = json!(uri);
            let answer = register(&desk, &metadata).await;
            assert_eq!(answer.error(), "400 invalid_client_metadata", "{member} {uri}");
            assert!(answer.member("error_description").starts_with(member));
        }
    }
}

#[actix_web::test]
async fn a_member_of_the_wrong_type_is_named() {
    let desk = Desk::start().await;
    for (member, value) in [
        ("redirect_uris", json!("https://client.example.com/cb")),
        ("redirect_uris", json!([1])),
        ("client_name", json!(7)),
        ("scope", json!(["read"])),
        ("grant_types", json!("authorization_code")),
        ("response_types", json!({})),
        ("contacts", json!([null])),
        ("token_endpoint_auth_method", json!(["none"])),
        ("application_type", json!("desktop")),
        ("software_id", json!(true)),
    ] {
        let mut metadata = json!({ "redirect_uris": [REDIRECT] });
        metadata[member] = value;
        let answer = register(&desk, &metadata).await;
        assert_eq!(answer.error(), "400 invalid_client_metadata", "{member}");
        let description = answer.member("error_description");
        assert!(description.starts_with(member), "{description}");
    }
}

#[actix_web::test]
async fn what_anonymous_clients_cannot_have_is_refused() {
    let desk = Desk::start().await;
    for (member, value) in [
        ("grant_types", json!(["client_credentials"])),
        ("grant_types", json!(["implicit"])),
        ("response_types", json!(["token"])),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("token_endpoint_auth_method", json!("tls_client_auth")),
    ] {
        let mut metadata = json!({ "redirect_uris": [REDIRECT] });
        metadata[member] = value;
        let answer = register(&desk, &metadata).await;
        assert_eq!(answer.error(), "400 invalid_client_metadata", "{member}");
    }
}

#[actix_web::test]
async fn a_name_is_short_and_reads_as_it_is_written() {
    let desk = Desk::start().await;
    let named = |name: String| json!({ "redirect_uris": [REDIRECT], "client_name": name });
    for name in [
        "\u{e9}".repeat(201),
        "Claude\u{202e}evil".into(),
        "line\nbreak".into(),
        "\u{2066}x".into(),
    ] {
        let answer = register(&desk, &named(name)).await;
        assert_eq!(answer.error(), "400 invalid_client_metadata");
    }
    for name in [
        "\u{e9}".repeat(200),
        "\u{5e2}\u{5d1}\u{5e8}".into(),
        "<b>&\"'".into(),
    ] {
        assert_eq!(
            desk.register(&named(name.clone())).await.body["client_name"],
            name
        );
    }
}

#[actix_web::test]
async fn a_body_that_is_no_json_object_or_too_large_is_refused() {
    let desk = Desk::start().await;
    let json = ("content-type", "application/json");
    for body in ["", "{", "[]", "\"text\"", "redirect_uris=x"] {
        let answer = desk.send_body("/register", &[json], body.into()).await;
        assert_eq!(answer.error(), "400 invalid_client_metadata", "{body}");
    }
    let large = json!({ "redirect_uris": [REDIRECT], "x": "a".repeat(64 * 1024) }).to_string();
    let answer = desk.send_body("/register", &[json], large).await;
    assert_eq!(answer.error(), "413 invalid_client_metadata");
}

#[actix_web::test]
async fn json_is_recognised_with_a_charset_and_without_a_type_but_not_as_a_form() {
    let desk = Desk::start().await;
    let body = json!({ "redirect_uris": [REDIRECT] }).to_string();
    for (headers, status) in [
        (vec![], 201),
        (vec![("content-type", "application/json; charset=utf-8")], 201),
        (vec![("content-type", "text/plain")], 400),
        (vec![("content-type", "application/x-www-form-urlencoded")], 400),
    ] {
        let answer = desk.send_body("/register", &headers, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
    }
}

#[actix_web::test]
async fn the_same_registration_twice_is_two_clients() {
    let desk = Desk::start().await;
    let (one, two) = (desk.public_client().await, desk.public_client().await);
    assert_ne!(one.id, two.id);
    assert_ne!(one.token, two.token);
}

#[actix_web::test]
async fn a_sixth_registration_in_a_row_has_to_wait() {
    let desk = Desk::start_with(|settings| settings.limits = Limits::default()).await;
    let metadata = json!({ "redirect_uris": [REDIRECT] });
    for _ in 0..5 {
        assert_eq!(register(&desk, &metadata).await.status.as_u16(), 201);
    }
    let answer = register(&desk, &metadata).await;
    assert_eq!(answer.status.as_u16(), 429);
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    desk.advance(wait);
    assert_eq!(register(&desk, &metadata).await.status.as_u16(), 201);
}

#[actix_web::test]
async fn a_registration_that_is_never_used_goes_after_a_day_and_a_used_one_stays() {
    let desk = Desk::start().await;
    let (unused, used) = (desk.public_client().await, desk.public_client().await);
    let id = ClientId::parse(&used.id).unwrap();
    let until = Timestamp::from_secs(START + 7_776_000);
    desk.store
        .touch_client(&id, Some(until), true, desk.now())
        .await
        .unwrap();
    desk.advance(86_400);
    let code = "mcp_ac_x";
    let answer = desk.redeem(&unused, code, &[]).await;
    assert_eq!(answer.error(), "401 invalid_client");
    let answer = desk.redeem(&used, code, &[]).await;
    assert_eq!(answer.error(), "400 invalid_grant");
}

#[actix_web::test]
async fn a_secret_says_when_it_ends_and_0_means_never() {
    for (lifetime, end) in [(Some(3600), START + 3600), (None, 0)] {
        let desk =
            Desk::start_with(|settings| settings.lifetimes.client = lifetime.map(Duration::from_secs)).await;
        let client = desk.confidential_client().await;
        assert_eq!(client.body["client_secret_expires_at"], end);
    }
}
