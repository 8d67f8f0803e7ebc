//! Who may register: <https://www.rfc-editor.org/rfc/rfc7591#section-3>, with an initial access token or without.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use mcp_gateway_auth_server::{Gate, RedirectHosts, Settings};
use mcp_gateway_model::{client::ClientOrigin, id::ClientId, secret::Secret};
use mcp_gateway_store::Store;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::desk::{Answer, Desk, REDIRECT};

const TOKENS: [&str; 2] = [
    "the-first-initial-access-token-0123456789",
    "the-second-initial-access-token-0123456789",
];

fn gated(gate: Gate) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.registration.gate = gate;
        settings.registration.tokens = TOKENS.map(|token| Secret::presented(token.into())).into();
    }
}

async fn register(desk: &Desk, authorization: Option<&str>, metadata: &Value) -> Answer {
    let headers: Vec<_> = authorization
        .map(|text| ("authorization", text))
        .into_iter()
        .collect();
    desk.send_json(Method::POST, "/register", &headers, metadata)
        .await
}

async fn origin(desk: &Desk, answer: &Answer) -> ClientOrigin {
    let id = ClientId::parse(&answer.member("client_id")).unwrap();
    desk.store.client(&id, desk.now()).await.unwrap().unwrap().origin
}

#[actix_web::test]
async fn each_initial_access_token_is_good_and_no_other() {
    let desk = Desk::start_with(gated(Gate::Token)).await;
    let metadata = json!({ "redirect_uris": [REDIRECT] });
    for token in TOKENS {
        let answer = register(&desk, Some(&format!("Bearer {token}")), &metadata).await;
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
        assert_eq!(origin(&desk, &answer).await, ClientOrigin::RegisteredWithToken);
    }
    for wrong in [
        None,
        Some("Bearer wrong"),
        Some("Basic eDp5"),
        Some("Bearer "),
        Some(TOKENS[0]),
    ] {
        let answer = register(&desk, wrong, &metadata).await;
        assert_eq!(answer.error(), "401 invalid_token", "{wrong:?}");
        assert!(
            answer.header("www-authenticate").starts_with("Bearer realm"),
            "{wrong:?}"
        );
        assert!(
            answer
                .member("error_description")
                .contains("initial access token")
        );
    }
}

#[actix_web::test]
async fn a_wrong_token_is_refused_even_where_none_is_needed() {
    let desk = Desk::start_with(gated(Gate::Open)).await;
    let metadata = json!({ "redirect_uris": [REDIRECT] });
    let answer = register(&desk, Some("Bearer wrong"), &metadata).await;
    assert_eq!(answer.error(), "401 invalid_token");
    let answer = register(&desk, None, &metadata).await;
    assert_eq!(origin(&desk, &answer).await, ClientOrigin::Registered);
    // where there are no tokens at all, nothing that a client sends is one
    let desk = Desk::start().await;
    let answer = register(&desk, Some("Bearer wrong"), &metadata).await;
    assert_eq!(origin(&desk, &answer).await, ClientOrigin::Registered);
}

#[actix_web::test]
async fn nobody_registers_where_registration_is_off() {
    let desk = Desk::start_with(|settings| {
        gated(Gate::Off)(settings);
        settings.offers.registration = false;
    })
    .await;
    let metadata = json!({ "redirect_uris": [REDIRECT] });
    for authorization in [None, Some(format!("Bearer {}", TOKENS[0]))] {
        let answer = register(&desk, authorization.as_deref(), &metadata).await;
        assert_eq!(answer.error(), "403 access_denied");
        assert!(answer.member("error_description").contains("ask the operator"));
    }
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        assert_eq!(desk.get(path).await.json().get("registration_endpoint"), None);
    }
}

#[actix_web::test]
async fn only_redirects_to_the_operators_places_are_registered_without_a_token() {
    let desk = Desk::start_with(|settings| {
        gated(Gate::Open)(settings);
        settings.registration.redirect_hosts = Some(RedirectHosts::parse("claude.ai,loopback").unwrap());
    })
    .await;
    let mixed = json!({
        "redirect_uris": ["https://claude.ai/api/mcp/auth_callback", REDIRECT, "http://localhost/callback"],
        "token_endpoint_auth_method": "none",
    });
    let kept = json!([
        "https://claude.ai/api/mcp/auth_callback",
        "http://localhost/callback"
    ]);
    let client = desk.register(&mixed).await;
    assert_eq!(client.body["redirect_uris"], kept);
    let elsewhere = json!({ "redirect_uris": [REDIRECT] });
    let answer = register(&desk, None, &elsewhere).await;
    assert_eq!(answer.error(), "400 invalid_redirect_uri");
    assert!(
        answer.member("error_description").contains("operator"),
        "{}",
        answer.text
    );
    let answer = register(&desk, Some(&format!("Bearer {}", TOKENS[0])), &elsewhere).await;
    assert_eq!(answer.json()["redirect_uris"], json!([REDIRECT]));
    // a change of the registration goes through the same gate as the registration did
    let change = async |id: &str, token: &str| {
        let metadata = json!({ "client_id": id, "redirect_uris": [REDIRECT] });
        let bearer = format!("Bearer {token}");
        let path = format!("/register/{id}");
        desk.send_json(Method::PUT, &path, &[("authorization", &bearer)], &metadata)
            .await
    };
    assert_eq!(
        change(&client.id, &client.token).await.error(),
        "400 invalid_redirect_uri"
    );
    let vouched = (
        answer.member("client_id"),
        answer.member("registration_access_token"),
    );
    assert_eq!(change(&vouched.0, &vouched.1).await.status.as_u16(), 200);
}
