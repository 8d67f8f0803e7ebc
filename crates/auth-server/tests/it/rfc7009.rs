//! Revocation: <https://www.rfc-editor.org/rfc/rfc7009>.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::desk::{Answer, Desk, Registered};

async fn revoke(desk: &Desk, client: &Registered, token: &str) -> Answer {
    let mut form = vec![("token", token), ("client_id", client.id.as_str())];
    if let Some(secret) = &client.secret {
        form.push(("client_secret", secret));
    }
    desk.form("/revoke", &form).await
}

#[actix_web::test]
async fn revoking_either_token_ends_the_grant() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    for which in [0, 1] {
        let (access, refresh) = desk.tokens(&client).await;
        assert_eq!(desk.introspect(&client, &access).await["active"], true);
        let answer = revoke(&desk, &client, [&access, &refresh][which]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(
            desk.introspect(&client, &access).await,
            json!({ "active": false })
        );
        assert_eq!(
            desk.refresh(&client, &refresh, &[]).await.error(),
            "400 invalid_grant"
        );
    }
}

#[actix_web::test]
async fn a_public_client_revokes_by_its_id() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    assert_eq!(revoke(&desk, &client, &refresh).await.status, StatusCode::OK);
    assert_eq!(
        desk.refresh(&client, &refresh, &[]).await.error(),
        "400 invalid_grant"
    );
}

#[actix_web::test]
async fn no_client_revokes_the_token_of_another() {
    let desk = Desk::start().await;
    let (owner, other) = (desk.confidential_client().await, desk.public_client().await);
    let (access, refresh) = desk.tokens(&owner).await;
    for token in [&access, &refresh] {
        assert_eq!(revoke(&desk, &other, token).await.error(), "400 invalid_grant");
    }
    assert_eq!(desk.introspect(&owner, &access).await["active"], true);
}

#[actix_web::test]
async fn a_client_that_has_a_secret_cannot_revoke_without_it() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (access, _) = desk.tokens(&client).await;
    let without = Registered {
        secret: None,
        ..client.clone()
    };
    assert_eq!(
        revoke(&desk, &without, &access).await.error(),
        "401 invalid_client"
    );
    let answer = desk.form("/revoke", &[("token", &access)]).await;
    assert_eq!(answer.error(), "401 invalid_client");
    assert_eq!(desk.introspect(&client, &access).await["active"], true);
}

#[actix_web::test]
async fn unknown_and_ended_tokens_are_fine() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (access, refresh) = desk.tokens(&client).await;
    let forged = format!("{}x", &access[..access.len() - 1]);
    for token in ["x", "mcp_rt_x", &forged] {
        assert_eq!(revoke(&desk, &client, token).await.status, StatusCode::OK);
    }
    assert_eq!(revoke(&desk, &client, &refresh).await.status, StatusCode::OK);
    assert_eq!(revoke(&desk, &client, &refresh).await.status, StatusCode::OK);
    assert_eq!(revoke(&desk, &client, &access).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn whoever_holds_a_live_token_revokes_its_own_grant_only() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (access, refresh) = desk.tokens(&client).await;
    let (_, of_another_grant) = desk.tokens(&client).await;
    let bearer = format!("Bearer {access}");
    let with_bearer = async |token: &str| {
        desk.form_with("/revoke", &[("authorization", &bearer)], &[("token", token)])
            .await
    };
    assert_eq!(with_bearer(&of_another_grant).await.error(), "400 invalid_grant");
    assert_eq!(with_bearer(&refresh).await.status, StatusCode::OK);
    let dead = with_bearer(&refresh).await;
    assert_eq!(dead.error(), "401 invalid_token");
    assert!(
        dead.header("www-authenticate")
            .starts_with("Bearer error=\"invalid_token\"")
    );
    let next = desk.refresh(&client, &of_another_grant, &[]).await;
    assert_eq!(next.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_revocation_without_a_token_is_an_invalid_request() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let answer = desk.form("/revoke", &[("client_id", &client.id)]).await;
    assert_eq!(answer.error(), "400 invalid_request");
}
