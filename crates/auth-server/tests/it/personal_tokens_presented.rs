//! Personal access tokens at the endpoints: asked about, given back, and of no other use.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_auth_server::{
    Settings,
    personal_tokens::{self, Made, Wanted},
    settings::ResourceServer,
};
use mcp_gateway_model::{
    access::AllowedUsers, id::UserId, resource::ResourceUri, scope::ScopeSet, secret::Secret,
    token::PersonalAccessToken,
};
use mcp_gateway_store::GrantReader;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    desk::{Desk, START},
    set::{ECHO, FILES, settings},
};

const HOUR: u64 = 3600;

/// A token of octocat for two resources, in the store of a desk.
async fn token_at(desk: &Desk) -> Made {
    let wanted = Wanted {
        login: "OctoCat".into(),
        user_id: Some(UserId(583_231)),
        name: "ci".into(),
        resources: vec![ECHO.into(), FILES.into()],
        scopes: ScopeSet::parse("read").unwrap(),
        lifetime: Duration::from_secs(HOUR),
    };
    personal_tokens::create(desk.store.as_ref(), &settings(), &wanted, desk.now())
        .await
        .unwrap()
}

async fn post_as(desk: &Desk, path: &str, bearer: &str, token: &str) -> (u16, Value) {
    let authorization = format!("Bearer {bearer}");
    let headers = [("authorization", authorization.as_str())];
    let answer = desk.form_with(path, &headers, &[("token", token)]).await;
    let body = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
    (answer.status.as_u16(), body)
}

#[actix_web::test]
async fn whoever_holds_a_token_can_ask_about_it_and_end_it_and_no_other() {
    let desk = Desk::start().await;
    let (own, other) = (token_at(&desk).await, token_at(&desk).await);
    let (text, another) = (own.token.reveal(), other.token.reveal());
    let (status, told) = post_as(&desk, "/introspect", text, text).await;
    assert_eq!(
        (status, told),
        (
            200,
            json!({
                "active": true,
                "aud": [ECHO, FILES],
                "client_id": "personal-access-token",
                "exp": START + HOUR,
                "iat": START,
                "iss": "https://auth.example.com",
                "jti": own.grant.id.as_str(),
                "scope": "read",
                "sub": "583231",
                "token_type": "Bearer",
                "username": "OctoCat"
            })
        )
    );
    let (_, told) = post_as(&desk, "/introspect", text, another).await;
    assert_eq!(told, json!({ "active": false }));
    let (status, told) = post_as(&desk, "/revoke", text, another).await;
    assert_eq!((status, &told["error"]), (400, &json!("invalid_grant")));
    assert_eq!(post_as(&desk, "/revoke", text, text).await.0, 200);
    assert_eq!(desk.store.grant(&own.grant.id, desk.now()).await.unwrap(), None);
    assert!(
        desk.store
            .grant(&other.grant.id, desk.now())
            .await
            .unwrap()
            .is_some()
    );
    let (status, told) = post_as(&desk, "/introspect", text, another).await;
    assert_eq!((status, &told["error"]), (401, &json!("invalid_token")));
}

#[actix_web::test]
async fn a_resource_server_learns_of_a_token_what_concerns_itself() {
    let server = |uri: &str| ResourceServer {
        resource: ResourceUri::parse(uri).unwrap(),
        secret: Secret::presented("echo-secret".into()),
    };
    let desk = Desk::start_with(|settings| settings.resource_servers = vec![server(ECHO)]).await;
    let made = token_at(&desk).await;
    let ask = async |token: &str| {
        let user: String = url::form_urlencoded::byte_serialize(ECHO.as_bytes()).collect();
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:echo-secret")));
        let headers = [("authorization", basic.as_str())];
        let answer = desk.form_with("/introspect", &headers, &[("token", token)]).await;
        answer.json()
    };
    let told = ask(made.token.reveal()).await;
    assert_eq!((&told["active"], &told["aud"]), (&json!(true), &json!(ECHO)));
    let guessed = PersonalAccessToken::generate(&made.grant.id);
    for wrong in [guessed.reveal(), "mcp_pat_", &format!("{}x", made.token.reveal())] {
        assert_eq!(ask(wrong).await, json!({ "active": false }), "{wrong}");
    }
    desk.advance(HOUR);
    assert_eq!(ask(made.token.reveal()).await, json!({ "active": false }));
}

#[actix_web::test]
async fn a_token_of_somebody_who_is_no_longer_let_in_is_inactive() {
    let desk = Desk::start_with(|settings| settings.allowed_users = AllowedUsers::nobody()).await;
    let made = token_at(&desk).await;
    let text = made.token.reveal();
    let (_, told) = post_as(&desk, "/introspect", text, text).await;
    assert_eq!(told, json!({ "active": false }));
}

#[actix_web::test]
async fn nothing_is_minted_from_a_personal_access_token() {
    let openid = |settings: &mut Settings| settings.offers.openid = Some(settings.signing.algorithm);
    let desk = Desk::start_with(openid).await;
    let made = token_at(&desk).await;
    let bearer = format!("Bearer {}", made.token.reveal());
    let told = desk
        .send(Method::GET, "/userinfo", &[("authorization", &bearer)])
        .await;
    assert_eq!(told.error(), "401 invalid_token");
    let client = desk.public_client().await;
    for grant_type in ["refresh_token", "authorization_code"] {
        let text = made.token.reveal();
        let form = [
            ("grant_type", grant_type),
            ("refresh_token", text),
            ("code", text),
            ("redirect_uri", "https://client.example.com/cb"),
            ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            ("client_id", &client.id),
        ];
        let wanted = |name: &str| match grant_type {
            "refresh_token" => ["grant_type", "refresh_token", "client_id"].contains(&name),
            _ => name != "refresh_token",
        };
        let form: Vec<_> = form.into_iter().filter(|(name, _)| wanted(name)).collect();
        assert_eq!(desk.form("/token", &form).await.error(), "400 invalid_grant");
    }
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "personal-access-token"),
    ];
    assert_eq!(desk.form("/token", &form).await.status.as_u16(), 401);
    assert!(
        desk.store
            .grant(&made.grant.id, desk.now())
            .await
            .unwrap()
            .is_some()
    );
}
