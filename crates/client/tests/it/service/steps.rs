//! The seven steps, word for word as they were documented for the service's predecessor.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    authority::{Authority, SECRET},
    stage::{PUBLIC, Stage, members, told},
};

/// Registers, logs in and ends the login; answers the client's id and the tokens.
pub(crate) async fn log_in(stage: &Stage, authority: &Authority, user: &str) -> (String, Value) {
    let client = register(stage, authority, user).await;
    let (_, begun) = begin(stage, authority, user, &client).await;
    let back = authority
        .allow(begun["authorization_url"].as_str().unwrap())
        .await;
    let (status, tokens) = come_back(stage, user, &back).await;
    assert_eq!(status, 200, "{tokens}");
    (client, tokens)
}

/// Registers the service; answers the client's id.
pub(crate) async fn register(stage: &Stage, authority: &Authority, user: &str) -> String {
    let endpoint = format!("{}/register", authority.server.url);
    let request = stage.request(
        user,
        Method::POST,
        "/register-client",
        &[("registration_url", &endpoint)],
    );
    let (status, client) = told(request.json(&json!({})).send().await.unwrap()).await;
    assert_eq!(status, 200, "{client}");
    client["client_id"].as_str().unwrap().to_owned()
}

/// Begins a login.
pub(crate) async fn begin(stage: &Stage, authority: &Authority, user: &str, client: &str) -> (u16, Value) {
    let parameters = [
        ("auth_server_url", authority.server.url.as_str()),
        ("client_id", client),
        ("resource", &authority.resource.url),
    ];
    stage.get(user, "/start-authorization", &parameters).await
}

/// Comes back from the authorization server.
pub(crate) async fn come_back(stage: &Stage, user: &str, back: &url::Url) -> (u16, Value) {
    let parameters: Vec<_> = back.query_pairs().into_owned().collect();
    let parameters: Vec<_> = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    stage.get(user, "/callback", &parameters).await
}

#[actix_web::test]
async fn the_seven_documented_steps_answer_word_for_word() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let (server, resource) = (authority.server.url.as_str(), authority.resource.url.as_str());

    // 1. discover the resource and the authorization server
    let found = stage
        .get("1", "/discover-resource", &[("resource_url", resource)])
        .await;
    assert_eq!(
        found,
        (
            200,
            json!({ "authorization_servers": [server], "resource": resource })
        )
    );
    let found = stage
        .get("1", "/discover-auth-server", &[("auth_server_url", server)])
        .await;
    let metadata = json!({
        "issuer": server,
        "authorization_endpoint": format!("{server}/authorize"),
        "token_endpoint": format!("{server}/token"),
        "registration_endpoint": format!("{server}/register"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
    });
    assert_eq!(found, (200, metadata));

    // 2. register the client
    let endpoint = format!("{server}/register");
    let metadata = json!({
        "client_name": "AvatarAI Social MCP Client",
        "redirect_uris": ["https://avatarai.social/api/mcp/oauth/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "openid profile mcp:access",
    });
    let request = stage.request(
        "1",
        Method::POST,
        "/register-client",
        &[("registration_url", &endpoint)],
    );
    let registered = told(request.json(&metadata).send().await.unwrap()).await;
    assert_eq!(
        registered,
        (200, json!({ "client_id": "client-1", "client_secret": SECRET }))
    );

    // 3. begin the authorization
    let (status, begun) = begin(&stage, &authority, "1", "client-1").await;
    assert_eq!(
        (status, members(&begun)),
        (200, vec!["authorization_url", "state"])
    );
    let url = url::Url::parse(begun["authorization_url"].as_str().unwrap()).unwrap();
    let asked: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let names: Vec<_> = asked.iter().map(|(name, _)| name.as_str()).collect();
    let documented = [
        "response_type",
        "client_id",
        "redirect_uri",
        "resource",
        "state",
        "code_challenge",
        "code_challenge_method",
        "scope",
    ];
    assert_eq!(names, documented);
    let value = |name: &str| asked.iter().find(|(one, _)| one == name).unwrap().1.clone();
    assert_eq!(value("response_type"), "code");
    assert_eq!(value("client_id"), "client-1");
    assert_eq!(value("redirect_uri"), format!("{PUBLIC}/api/mcp/oauth/callback"));
    assert_eq!(value("resource"), resource);
    assert_eq!(value("state"), begun["state"].as_str().unwrap());
    assert_eq!(value("code_challenge").len(), 43);
    assert_eq!(value("code_challenge_method"), "S256");
    assert_eq!(value("scope"), "openid profile mcp:access");

    // 4. the user allows it, and 5. the callback answers with tokens
    let back = authority.allow(url.as_str()).await;
    assert!(
        back.as_str()
            .starts_with("https://avatarai.social/api/mcp/oauth/callback?code=code-1&state=")
    );
    let tokens = come_back(&stage, "1", &back).await;
    let expected = json!({
        "access_token": "access-1",
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": "refresh-1",
        "scope": "openid profile mcp:access",
    });
    assert_eq!(tokens, (200, expected));

    // 6. use the token
    let mcp = format!("{resource}/mcp");
    let parameters = [("resource_url", mcp.as_str()), ("access_token", "access-1")];
    let data =
        json!({ "data": { "version": "2024-11-05", "capabilities": { "tools": {}, "resources": {} } } });
    assert_eq!(stage.get("1", "/access-resource", &parameters).await, (200, data));

    // 7. refresh the token
    let parameters = [
        ("refresh_token", "refresh-1"),
        ("auth_server_url", server),
        ("client_id", "client-1"),
    ];
    let expected = json!({
        "access_token": "access-2",
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": "refresh-2",
    });
    assert_eq!(
        stage.post("1", "/refresh-token", &parameters).await,
        (200, expected)
    );
}

#[actix_web::test]
async fn no_caller_has_to_hold_a_token() {
    let (stage, authority) = (Stage::start(), Authority::start());
    log_in(&stage, &authority, "1").await;
    let mcp = format!("{}/mcp", authority.resource.url);
    let (status, answer) = stage
        .get("1", "/access-resource", &[("resource_url", &mcp)])
        .await;
    assert_eq!((status, &answer["data"]["version"]), (200, &json!("2024-11-05")));
}

#[actix_web::test]
async fn errors_have_the_documented_form() {
    let stage = Stage::start();
    for (path, names) in [
        ("/discover-resource", "resource_url"),
        ("/discover-auth-server", "auth_server_url"),
        ("/start-authorization", "auth_server_url"),
        ("/callback", "state"),
        ("/access-resource", "resource_url"),
        ("/no-such-endpoint", "openapi"),
    ] {
        let (status, fault) = stage.get("1", path, &[]).await;
        assert_eq!(
            (status, &fault["error"]),
            (400, &json!("invalid_request")),
            "{path}"
        );
        assert_eq!(members(&fault), ["error", "error_description"], "{path}");
        assert!(
            fault["error_description"].as_str().unwrap().contains(names),
            "{path}: {fault}"
        );
    }
    for (path, names) in [
        ("/register-client", "registration_url"),
        ("/refresh-token", "auth_server_url"),
    ] {
        let (status, fault) = stage.post("1", path, &[]).await;
        assert_eq!(status, 400);
        assert!(
            fault["error_description"].as_str().unwrap().contains(names),
            "{path}: {fault}"
        );
    }
}
