//! OpenID Connect with a client library that nobody here wrote, and what an ID token is good for elsewhere: nothing.

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{
    browser::drive,
    mcp::{call_tool, status},
    world::{Layout, World},
};

async fn openid_client(world: &World) -> Value {
    let arguments = [world.issuer(), world.mcp_url()];
    let arguments = arguments.each_ref().map(String::as_str);
    drive(Some(world), "openid-client.mjs", &arguments).await
}

#[tokio::test]
async fn openid_client_logs_in_verifies_the_id_token_and_asks_who_it_is() {
    let world = World::start(Layout::Apart(1)).await;
    let seen = openid_client(&world).await;
    assert_eq!(seen["claims"]["iss"], world.issuer(), "{seen}");
    assert_eq!(seen["claims"]["sub"], "583231");
    assert_eq!(seen["claims"]["preferred_username"], "octocat");
    assert_eq!(seen["userinfo"]["sub"], "583231");
    assert_eq!(seen["userinfo"]["preferred_username"], "octocat");
    assert_eq!(seen["refreshedClaims"]["sub"], "583231");
    assert_eq!(seen["refreshedClaims"]["auth_time"], seen["claims"]["auth_time"]);
    assert_eq!(seen["pages"].as_array().unwrap().len(), 2, "{seen}");
    let http = world.http();
    let protected = world
        .mcp_url()
        .replace("/mcp", "/.well-known/openid-configuration");
    let there: Value = http.get(protected).send().await.unwrap().json().await.unwrap();
    let document = format!("{}/.well-known/openid-configuration", world.issuer());
    let here: Value = http.get(document).send().await.unwrap().json().await.unwrap();
    assert_eq!(here["id_token_signing_alg_values_supported"][0], "RS256");
    assert_eq!(there, here, "the protected host says the same");
}

#[tokio::test]
async fn an_id_token_opens_no_server() {
    let world = World::start(Layout::Serve).await;
    let seen = openid_client(&world).await;
    let (http, mcp_url) = (world.http(), world.mcp_url());
    let id_token = seen["idToken"].as_str();
    assert_eq!(status(&http, &mcp_url, id_token).await, StatusCode::UNAUTHORIZED);
    let who = call_tool(&http, &mcp_url, seen["accessToken"].as_str().unwrap(), "whoami").await;
    assert_eq!(who["user_id"], "583231", "{who}");
}
