//! A client of revision 2025-03-26 that knows nothing of metadata: it makes up its endpoints from the MCP server's origin.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::replay::{Ask, Held, Replay, authorization_url, returned};
use crate::support::{
    flow::VERIFIER,
    person::{OCTOCAT, Person},
    world::{Layout, World},
};

const REDIRECT: &str = "http://127.0.0.1:51998/callback";

fn metadata() -> Value {
    json!({
        "client_name": "2025-03-26",
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "none",
    })
}

async fn goes_through(layout: Layout) {
    let world = World::start_with(layout, &[("LEGACY_ENDPOINTS", "true")]).await;
    let replay = Replay::with("2025-03-26", world);
    replay.refused().await;
    let register = replay.http.post(replay.at_host("/register")).json(&metadata());
    let registered = register.send().await.unwrap();
    assert_eq!(registered.status(), StatusCode::CREATED);
    let registered: Value = registered.json().await.unwrap();
    let client_id = registered["client_id"].as_str().unwrap();

    let ask = Ask {
        redirect_uri: REDIRECT,
        ..Ask::default()
    };
    let made_up = authorization_url(&replay.at_host("/authorize"), client_id, &ask);
    let sent_on = replay.http.get(made_up).send().await.unwrap();
    assert_eq!(sent_on.status(), StatusCode::FOUND);
    assert!(sent_on.headers().get("set-cookie").is_none());
    let at_issuer = sent_on.headers()["location"].to_str().unwrap().to_owned();
    let issuer = replay.world.issuer();
    assert!(
        at_issuer.starts_with(&format!("{issuer}/authorize?")),
        "{at_issuer}"
    );
    assert_eq!(
        sent_on.text().await.unwrap(),
        "",
        "no page on the MCP server's origin"
    );

    let mut person = Person::new(replay.http.clone(), &issuer);
    let back = returned(&person.walk(&at_issuer, OCTOCAT).await, REDIRECT);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &back["code"]),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("client_id", client_id),
    ];
    let held = held(&replay, &form).await;
    replay.calls(&held.access).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", held.refresh.as_str()),
        ("client_id", client_id),
    ];
    let fresh = self::held(&replay, &form).await;
    replay.calls(&fresh.access).await;
}

async fn held(replay: &Replay, form: &[(&str, &str)]) -> Held {
    let token = replay.http.post(replay.at_host("/token")).form(form);
    let answer = token.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    Held::of(&answer.json().await.unwrap())
}

#[tokio::test]
async fn a_client_of_2025_03_26_without_metadata_goes_through_where_it_is_turned_on() {
    goes_through(Layout::Apart(1)).await;
}

#[tokio::test]
async fn a_client_of_2025_03_26_without_metadata_goes_through_one_process_too() {
    goes_through(Layout::Serve).await;
}

#[tokio::test]
async fn unless_turned_on_the_endpoints_on_the_mcp_host_are_the_mcp_servers_own() {
    let replay = Replay::start("2025-03-26").await;
    let http = &replay.http;
    for request in [
        http.get(replay.at_host("/authorize?response_type=code")),
        http.post(replay.at_host("/token"))
            .form(&[("grant_type", "refresh_token")]),
        http.post(replay.at_host("/register")).json(&metadata()),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{}", answer.url());
        assert!(answer.headers().contains_key("www-authenticate"));
        assert!(answer.headers().get("set-cookie").is_none());
    }
    assert_eq!(replay.world.backend().requests(), 0, "without a token");
}
