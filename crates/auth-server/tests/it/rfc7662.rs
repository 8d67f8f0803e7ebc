//! Introspection: <https://www.rfc-editor.org/rfc/rfc7662>.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_auth_server::settings::ResourceServer;
use mcp_gateway_model::{resource::ResourceUri, secret::Secret};
use serde_json::json;

use crate::support::{
    desk::{Answer, Desk},
    set::{ECHO, FILES},
};

/// A site where both resource servers may ask.
async fn desk_with_resource_servers() -> Desk {
    Desk::start_with(|settings| {
        settings.resource_servers = [(ECHO, "echo-secret"), (FILES, "files-secret")]
            .map(|(uri, secret)| ResourceServer {
                resource: ResourceUri::parse(uri).unwrap(),
                secret: Secret::presented(secret.into()),
            })
            .into();
    })
    .await
}

async fn ask_as(desk: &Desk, user: &str, password: &str, token: &str) -> Answer {
    let user: String = url::form_urlencoded::byte_serialize(user.as_bytes()).collect();
    let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    desk.form_with("/introspect", &[("authorization", &basic)], &[("token", token)])
        .await
}

#[actix_web::test]
async fn a_live_access_token_is_described_to_its_client() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (access, _) = desk.tokens(&client).await;
    let answer = desk.introspect(&client, &access).await;
    assert_eq!(answer["client_id"], client.id);
    insta::assert_json_snapshot!(answer, { ".client_id" => "[id]", ".jti" => "[jti]" }, @r#"
    {
      "active": true,
      "aud": "https://echo.example.com/mcp",
      "client_id": "[id]",
      "exp": 1800001800,
      "iat": 1800000000,
      "iss": "https://auth.example.com",
      "jti": "[jti]",
      "scope": "read write",
      "sub": "583231",
      "token_type": "Bearer",
      "username": "OctoCat"
    }
    "#);
}

#[actix_web::test]
async fn a_refresh_token_is_described_while_it_could_be_used() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (_, first) = desk.tokens(&client).await;
    let answer = desk.introspect(&client, &first).await;
    assert_eq!(answer["active"], true);
    assert_eq!(answer["token_type"], "refresh_token");
    let second = desk.refresh(&client, &first, &[]).await.member("refresh_token");
    let is_active = async |token: &str| desk.introspect(&client, token).await["active"].clone();
    assert_eq!(is_active(&first).await, true, "within the grace it still works");
    desk.advance(121);
    assert_eq!(is_active(&first).await, false);
    assert_eq!(is_active(&second).await, true, "asking changes nothing");
}

#[actix_web::test]
async fn whatever_is_not_live_is_inactive_and_nothing_else() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let other = desk.confidential_client().await;
    let (access, refresh) = desk.tokens(&client).await;
    let (of_another, _) = desk.tokens(&other).await;
    let unsigned = format!("{}.", access.rsplit_once('.').unwrap().0);
    for token in [
        "x",
        "mcp_rt_x",
        &unsigned,
        &of_another,
        &refresh.replace(".1.", ".2."),
    ] {
        assert_eq!(
            desk.introspect(&client, token).await,
            json!({ "active": false }),
            "{token}"
        );
    }
    desk.advance(1800);
    assert_eq!(
        desk.introspect(&client, &access).await,
        json!({ "active": false })
    );
}

#[actix_web::test]
async fn public_clients_and_strangers_cannot_ask() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (access, _) = desk.tokens(&client).await;
    let answer = desk
        .form("/introspect", &[("token", &access), ("client_id", &client.id)])
        .await;
    assert_eq!(answer.error(), "401 invalid_client");
    let answer = desk.form("/introspect", &[("token", &access)]).await;
    assert_eq!(answer.error(), "401 invalid_client");
}

#[actix_web::test]
async fn a_client_that_has_a_secret_cannot_introspect_without_it() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (access, refresh) = desk.tokens(&client).await;
    for token in [&access, &refresh] {
        for secret in [None, Some(""), Some("mcp_cs_wrong")] {
            let mut form = vec![("token", token.as_str()), ("client_id", &client.id)];
            form.extend(secret.map(|secret| ("client_secret", secret)));
            let answer = desk.form("/introspect", &form).await;
            assert_eq!(answer.error(), "401 invalid_client", "{secret:?}");
        }
    }
}

#[actix_web::test]
async fn a_live_bearer_asks_about_its_own_grant_only() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (access, refresh) = desk.tokens(&client).await;
    let (other, _) = desk.tokens(&client).await;
    let bearer = format!("Bearer {access}");
    for (token, active) in [(&access, true), (&refresh, true), (&other, false)] {
        let headers = [("authorization", bearer.as_str())];
        let answer = desk.form_with("/introspect", &headers, &[("token", token)]).await;
        assert_eq!(answer.json()["active"], active);
    }
    let refresh = format!("Bearer {refresh}");
    let answer = desk
        .form_with(
            "/introspect",
            &[("authorization", &refresh)],
            &[("token", &access)],
        )
        .await;
    assert_eq!(
        answer.error(),
        "401 invalid_token",
        "a refresh token is not a bearer token"
    );
}

#[actix_web::test]
async fn a_resource_server_asks_about_access_tokens_for_it_only() {
    let desk = desk_with_resource_servers().await;
    let client = desk.public_client().await;
    let (access, refresh) = desk.tokens(&client).await;
    let answer = ask_as(&desk, ECHO, "echo-secret", &access).await;
    assert_eq!(answer.json()["active"], true, "{}", answer.text);
    assert_eq!(answer.json()["sub"], "583231");
    for (user, password, token) in [
        (FILES, "files-secret", &access),
        (ECHO, "echo-secret", &refresh),
        (ECHO, "echo-secret", &"x".to_owned()),
    ] {
        let answer = ask_as(&desk, user, password, token).await;
        assert_eq!(answer.json(), json!({ "active": false }));
    }
}

#[actix_web::test]
async fn a_resource_server_with_a_wrong_secret_is_refused_and_slowed_down() {
    let desk = desk_with_resource_servers().await;
    for _ in 0..10 {
        let answer = ask_as(&desk, ECHO, "files-secret", "x").await;
        assert_eq!(answer.error(), "401 invalid_client");
    }
    let answer = ask_as(&desk, ECHO, "files-secret", "x").await;
    assert_eq!(answer.status.as_u16(), 429);
    let answer = ask_as(&desk, ECHO, "echo-secret", "x").await;
    assert_eq!(answer.json(), json!({ "active": false }), "the right one passes");
}

#[actix_web::test]
async fn a_resource_server_asks_as_often_as_it_is_asked_itself() {
    let desk = Desk::start_with(|settings| {
        settings.resource_servers = vec![ResourceServer {
            resource: ResourceUri::parse(ECHO).unwrap(),
            secret: Secret::presented("echo-secret".into()),
        }];
        settings.limits.introspect.burst = 2;
    })
    .await;
    for _ in 0..10 {
        let answer = ask_as(&desk, ECHO, "echo-secret", "x").await;
        assert_eq!(answer.json(), json!({ "active": false }));
    }
    let others = [
        ask_as(&desk, "nobody", "x", "x").await,
        ask_as(&desk, "nobody", "x", "x").await,
    ];
    assert!(others.iter().all(|answer| answer.error() == "401 invalid_client"));
    let answer = ask_as(&desk, "nobody", "x", "x").await;
    assert_eq!(answer.status.as_u16(), 429, "anybody else has the usual permits");
}
