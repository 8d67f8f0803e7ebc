//! What a registration may not be: <https://www.rfc-editor.org/rfc/rfc7591#section-5>.

use mcp_gateway_model::issuer::Issuer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::desk::{Answer, Desk, REDIRECT};

async fn register(desk: &Desk, metadata: &Value) -> Answer {
    desk.send_json(Method::POST, "/register", &[], metadata).await
}

#[actix_web::test]
async fn a_redirect_to_this_server_itself_is_dropped() {
    let desk = Desk::start().await;
    for ours in [
        "https://auth.example.com/callback",
        "https://AUTH.example.com:443/",
    ] {
        let metadata = json!({ "redirect_uris": [ours, REDIRECT] });
        assert_eq!(
            desk.register(&metadata).await.body["redirect_uris"],
            json!([REDIRECT])
        );
        let alone = register(&desk, &json!({ "redirect_uris": [ours] })).await;
        assert_eq!(alone.error(), "400 invalid_redirect_uri");
    }
    let other = "https://auth.example.com:8443/cb";
    let kept = desk.register(&json!({ "redirect_uris": [other] })).await;
    assert_eq!(kept.body["redirect_uris"], json!([other]));
    let desk = Desk::start_with(|s| s.issuer = Issuer::parse("http://localhost:8000").unwrap()).await;
    for (uri, status) in [
        ("http://localhost:8000/callback", 400),
        ("http://127.0.0.1:8000/x", 400),
        ("http://localhost:8001/callback", 201),
        ("http://localhost/callback", 201),
    ] {
        let answer = register(&desk, &json!({ "redirect_uris": [uri] })).await;
        assert_eq!(answer.status.as_u16(), status, "{uri}");
    }
}

#[actix_web::test]
async fn a_registration_is_kept_up_to_8_kib_and_20_redirect_uris_fit() {
    let desk = Desk::start().await;
    let redirects = |length: usize| {
        let uri = |n| format!("https://client.example.com/{n:02}/{}", "x".repeat(length - 30));
        (0..20).map(uri).collect::<Vec<_>>()
    };
    let mut metadata = json!({
        "redirect_uris": redirects(300),
        "client_name": "n".repeat(200),
        "client_uri": format!("https://client.example.com/{}", "x".repeat(500)),
    });
    let answer = register(&desk, &metadata).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    assert_eq!(answer.json()["redirect_uris"].as_array().unwrap().len(), 20);
    let kept = desk.register(&metadata).await;
    metadata["redirect_uris"] = json!(redirects(400));
    let answer = register(&desk, &metadata).await;
    assert_eq!(answer.error(), "400 invalid_client_metadata");
    assert!(answer.member("error_description").contains("at most 8192 bytes"));
    metadata["client_id"] = json!(kept.id);
    let bearer = format!("Bearer {}", kept.token);
    let path = format!("/register/{}", kept.id);
    let answer = desk
        .send_json(Method::PUT, &path, &[("authorization", &bearer)], &metadata)
        .await;
    assert_eq!(answer.error(), "400 invalid_client_metadata");
}
