//! A whole login, and then everything that lies in Redis, looked through for whatever somebody was handed.

use redis::Commands;
use serde_json::json;

use crate::support::{
    flow::Flow,
    world::{Layout, PASSWORD, World},
};

/// Every key and every value.
fn dump(world: &World) -> Vec<Vec<u8>> {
    let url = world.redis.url_for(&format!(":{PASSWORD}@"));
    let mut redis = redis::Client::open(url).unwrap().get_connection().unwrap();
    let keys: Vec<String> = redis.scan().unwrap().collect::<Result<_, _>>().unwrap();
    let mut all = Vec::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query(&mut redis).unwrap();
        if kind == "zset" {
            let members: Vec<Vec<u8>> = redis.zrange(&key, 0, -1).unwrap();
            all.extend(members);
        } else {
            all.push(redis.get(&key).unwrap());
        }
        all.push(key.into_bytes());
    }
    all
}

#[tokio::test]
async fn a_full_dump_of_redis_after_a_whole_login_holds_no_secret() {
    let world = World::start(Layout::Apart(1)).await;
    let (http, mcp_url) = (world.http(), world.mcp_url());
    let mut flow = Flow::register(http.clone(), &world.issuer()).await;
    let back = flow.log_in(&mcp_url, 583_231).await;
    let tokens = flow.exchange(&back["code"], &mcp_url).await;
    let refreshed = flow.refresh(&tokens.refresh).await;
    let mut again = Flow::of(http.clone(), &world.issuer(), flow.client_id());
    let unused = again.log_in(&mcp_url, 583_231).await;
    let metadata = json!({
        "redirect_uris": ["https://client.example.com/cb"],
        "token_endpoint_auth_method": "client_secret_post",
    });
    let request = http.post(format!("{}/register", world.issuer())).json(&metadata);
    let confidential: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let personal = [
        "admin",
        "tokens",
        "create",
        "octocat",
        "--name",
        "ci",
        "--resource",
        &mcp_url,
        "--scope",
        "read",
    ];
    let mut secrets = vec![
        world.operate(&personal),
        back["code"].clone(),
        unused["code"].clone(),
        tokens.access,
        tokens.refresh,
        refreshed.access,
        refreshed.refresh,
        text(&flow.registration["registration_access_token"]),
        text(&confidential["registration_access_token"]),
        text(&confidential["client_secret"]),
        PASSWORD.to_owned(),
        "0123456789abcdef0123456789abcdef".to_owned(),
        "PRIVATE KEY".to_owned(),
        "\"d\":".to_owned(),
    ];
    secrets.extend([flow.cookie_values(), again.cookie_values()].concat());
    // the random end alone, too: what stands in front of it only says what it is
    let tails: Vec<_> = secrets
        .iter()
        .filter_map(|secret| Some(secret[secret.len().checked_sub(43)?..].to_owned()))
        .collect();
    assert!(secrets.len() >= 15 && tails.len() >= 8);
    let dump = dump(&world);
    assert!(dump.len() > 20);
    for bytes in dump {
        let stored = String::from_utf8_lossy(&bytes);
        for secret in secrets.iter().chain(&tails) {
            assert!(!stored.contains(secret.as_str()), "readable: {stored}");
        }
    }
}
