//! What earlier releases wrote can be read. One file for each schema: JSON lines, `[key, value]` for a text and
//! `[key, [[member, score], ..]]` for an index.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::{path::Path, time::Duration};

use mcp_gateway_model::{client::Client, id::UserId};
use mcp_gateway_store::{EmbeddedStore, Rate, RedisStore, Store, StoreError, testing::RedisServer};
use redb::TableDefinition;

use crate::{
    samples::{NOW, client, digest},
    walk::{Walk, still_there},
};

const V1: &str = include_str!("../fixtures/v1.jsonl");

const RECORDS: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("records");

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

/// The same records as the embedded engine's file has them: no prefix, a row for each member of an index.
fn load_file(fixture: &str, path: &Path) {
    let database = redb::Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut table = transaction.open_table(RECORDS).unwrap();
    for line in fixture.lines() {
        let (key, value): (String, serde_json::Value) = serde_json::from_str(line).unwrap();
        let key = key.strip_prefix("mcpgw:").unwrap();
        if let Some(text) = value.as_str() {
            table.insert(key, (u64::MAX, text.as_bytes())).unwrap();
        } else {
            let members: Vec<(String, u64)> = serde_json::from_value(value).unwrap();
            for (member, ends) in members {
                table
                    .insert(format!("{key}\0{member}").as_str(), (ends, &b""[..]))
                    .unwrap();
            }
        }
    }
    drop(table);
    transaction.commit().unwrap();
}

async fn is_read(store: &dyn Store) {
    let grant = store
        .grants_of_user(UserId(583_231), NOW)
        .await
        .unwrap()
        .pop()
        .unwrap();
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
    still_there(store, &Walk { client, grant }).await;
}

#[tokio::test]
async fn a_redis_of_schema_1_is_read() {
    let server = RedisServer::start();
    load(V1, &server);
    is_read(&RedisStore::connect(&server.options()).unwrap()).await;
}

#[tokio::test]
async fn a_file_of_schema_1_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    load_file(V1, &path);
    is_read(&EmbeddedStore::open(&path).unwrap()).await;
}

#[test]
fn a_file_of_a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    load_file(r#"["mcpgw:schema","2"]"#, &path);
    let fault = EmbeddedStore::open(&path).unwrap_err();
    assert!(
        matches!(fault, StoreError::TooNew { found: 2, known: 1 }),
        "{fault}"
    );
}
