//! A store that does not answer: no is the only answer, and nothing of the inside shows.

use reqwest::Method;
use serde_json::json;

use crate::support::desk::{Answer, Desk, REDIRECT};

fn is_unavailable(answer: &Answer) {
    assert_eq!(answer.error(), "503 temporarily_unavailable", "{}", answer.text);
    assert_eq!(answer.header("retry-after"), "1");
    for inside in ["redis", "hunter2", "10.0.0.7", "timed out"] {
        assert!(!answer.text.contains(inside), "{}", answer.text);
    }
}

#[actix_web::test]
async fn a_store_that_does_not_answer_is_503_in_json_everywhere_and_uses_nothing_up() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (access, refresh) = desk.tokens(&client).await;
    let code = desk.code(&client).await;
    desk.advance(10);
    desk.store.set_broken(true);
    let secret = client.secret.as_deref().unwrap();
    let form = [
        ("token", access.as_str()),
        ("client_id", &client.id),
        ("client_secret", secret),
    ];
    let bearer = format!("Bearer {}", client.token);
    let path = format!("/register/{}", client.id);
    let metadata = json!({ "redirect_uris": [REDIRECT] });
    is_unavailable(&desk.redeem(&client, &code, &[]).await);
    is_unavailable(&desk.refresh(&client, &refresh, &[]).await);
    is_unavailable(&desk.form("/revoke", &form).await);
    is_unavailable(&desk.form("/introspect", &form).await);
    is_unavailable(&desk.send_json(Method::POST, "/register", &[], &metadata).await);
    is_unavailable(&desk.get("/jwks").await);
    for method in [Method::GET, Method::DELETE] {
        is_unavailable(&desk.send(method, &path, &[("authorization", &bearer)]).await);
    }
    desk.store.set_broken(false);
    assert_eq!(desk.redeem(&client, &code, &[]).await.status.as_u16(), 200);
    assert_eq!(desk.refresh(&client, &refresh, &[]).await.status.as_u16(), 200);
    assert_eq!(desk.introspect(&client, &access).await["active"], true);
}
