//! What earlier releases wrote can be read. One file for each schema: JSON lines, `[key, value]` for a text and
//! `[key, [[member, score], ..]]` for an index.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::time::Duration;

use mcp_gateway_model::client::Client;
use mcp_gateway_store::{Rate, RedisStore, Store, testing::RedisServer};

use crate::{
    samples::{NOW, client, digest},
    walk::{Walk, still_there},
};

const V1: &str = include_str!("../fixtures/v1.jsonl");

fn load(fixture: &str, server: &RedisServer) {
    let mut connection = server.connection();
    for line in fixture.lines() {
        let (key, value): (String, serde_json::Value) = serde_json::from_str(line).unwrap();
        if let Some(text) = value.as_str() {
            redis::cmd("SET")
                .arg(key)
                .arg(text)
                .exec(&mut connection)
                .unwrap();
        } else {
            let members: Vec<(String, u64)> = serde_json::from_value(value).unwrap();
            for (member, score) in members {
                redis::cmd("ZADD")
                    .arg(&key)
                    .arg(score)
                    .arg(member)
                    .exec(&mut connection)
                    .unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_store_of_schema_1_is_read() {
    let server = RedisServer::start();
    load(V1, &server);
    let store = RedisStore::connect(&server.options()).unwrap();
    let user = mcp_gateway_model::id::UserId(583_231);
    let grant = store.grants_of_user(user, NOW).await.unwrap().pop().unwrap();
    let client = Client {
        id: grant.client.clone(),
        ..client()
    };
    let rate = Rate {
        count: 1,
        period: Duration::from_secs(60),
        burst: 1,
    };
    let wait = store.take_permit(&digest("address"), rate, NOW).await.unwrap();
    assert_eq!(wait, Some(Duration::from_secs(60)));
    still_there(&store, &Walk { client, grant }).await;
}
