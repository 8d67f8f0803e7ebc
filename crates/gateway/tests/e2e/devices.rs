//! Devices without a browser, with a client library that nobody here wrote and a person at Chromium's keyboard.

use mcp_gateway_model::{
    client::{AuthMethod, Client, ClientMetadata, ClientOrigin, GrantType},
    clock::{Clock, SystemClock},
    id::ClientId,
    scope::ScopeSet,
    secret::Secret,
};
use mcp_gateway_store::{RedisOptions, RedisStore, Store};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    browser::drive,
    mcp::{call_tool, status},
    world::{Layout, PASSWORD, World},
};

/// Enters a client for devices, as an operator does.
async fn enter(world: &World, id: &str) {
    let mut options = RedisOptions::new(world.redis.url());
    options.password = Some(Secret::presented(PASSWORD.into()));
    let now = SystemClock.now();
    let client = Client {
        id: ClientId::parse(id).unwrap(),
        metadata: ClientMetadata {
            redirect_uris: Vec::new(),
            token_endpoint_auth_method: AuthMethod::None,
            grant_types: vec![GrantType::DeviceCode, GrantType::RefreshToken],
            response_types: Vec::new(),
            client_name: Some("Some Tool".into()),
            client_uri: None,
            logo_uri: None,
            tos_uri: None,
            policy_uri: None,
            contacts: Vec::new(),
            scope: ScopeSet::default(),
            software_id: None,
            software_version: None,
            application_type: None,
            jwks: None,
            jwks_uri: None,
        },
        origin: ClientOrigin::PreRegistered,
        secret: None,
        registration_token: None,
        previous_registration_token: None,
        revision: 0,
        issued_at: now,
        expires_at: None,
        seen: false,
        resources: None,
    };
    let store = RedisStore::connect(&options).unwrap();
    store.add_client(&client, now).await.unwrap();
}

async fn drive_device(world: &World, decision: &str) -> Value {
    enter(world, "some-tool").await;
    let pictures = world.directory.path().join("pictures");
    let (issuer, mcp_url) = (world.issuer(), world.mcp_url());
    let arguments = [
        &issuer,
        "some-tool",
        &mcp_url,
        decision,
        pictures.to_str().unwrap(),
    ];
    drive(Some(world), "openid-client-device.mjs", &arguments).await
}

#[tokio::test]
async fn openid_client_gets_tokens_for_a_device_that_a_person_allowed() {
    let world = World::start(Layout::Apart(1)).await;
    let seen = drive_device(&world, "allow").await;
    let pages: Vec<_> = seen["pages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|title| title.as_str().unwrap().split(" · ").next().unwrap())
        .collect();
    assert_eq!(
        pages,
        [
            "Connect a device",
            "Connect a device",
            "Allow access?",
            "You can go back to your device",
        ]
    );
    assert_eq!(seen["complete"], Value::Null);
    assert_eq!(seen["tooWide"], json!([]), "every page fits on a narrow screen");
    assert_eq!(seen["claims"]["sub"], "583231", "{seen}");
    assert_eq!(seen["claims"]["aud"], "some-tool");
    assert_eq!(seen["userinfo"]["preferred_username"], "octocat");
    let (http, mcp_url) = (world.http(), world.mcp_url());
    for token in ["accessToken", "refreshed"] {
        let token = seen[token].as_str().unwrap();
        let who = call_tool(&http, &mcp_url, token, "whoami").await;
        assert_eq!(who["user_id"], "583231", "{who}");
        assert_eq!(who["client_id"], "some-tool");
    }
}

#[tokio::test]
async fn openid_client_is_told_that_a_person_denied_its_device() {
    let world = World::start(Layout::Serve).await;
    let seen = drive_device(&world, "deny").await;
    assert_eq!(seen["error"], "access_denied", "{seen}");
    let (http, mcp_url) = (world.http(), world.mcp_url());
    assert_eq!(status(&http, &mcp_url, None).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_client_that_registered_itself_gets_no_code_to_send_around() {
    let world = World::start(Layout::Serve).await;
    let http = world.http();
    let metadata = json!({
        "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
    });
    let answer = http
        .post(format!("{}/register", world.issuer()))
        .json(&metadata)
        .send()
        .await
        .unwrap();
    let registration: Value = answer.json().await.unwrap();
    assert_eq!(registration["grant_types"], json!(["authorization_code"]));
    let id = registration["client_id"].as_str().unwrap();
    let answer = http
        .post(format!("{}/device_authorization", world.issuer()))
        .form(&[("client_id", id)])
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let told: Value = answer.json().await.unwrap();
    assert_eq!(told["error"], "unauthorized_client");
}
