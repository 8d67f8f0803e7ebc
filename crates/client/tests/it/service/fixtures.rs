//! What earlier releases wrote can be read. One file for each version: JSON lines, `[key, value]`.

use std::path::Path;

use mcp_gateway_client::service::store::{Returned, Store};
use mcp_gateway_store::testing::RedisServer;
use redb::TableDefinition;

use super::{
    samples::{KEY, NOW, RESOURCE, grant, registration, secrets, state, user},
    store::redis,
};

const V1: &str = include_str!("../../fixtures/service-v1.jsonl");

const RECORDS: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("records");

fn records(fixture: &str) -> impl Iterator<Item = (String, String)> {
    fixture.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn load(fixture: &str, server: &RedisServer) {
    let mut connection = server.connection();
    for (key, value) in records(fixture) {
        ::redis::cmd("SET")
            .arg(key)
            .arg(value)
            .exec(&mut connection)
            .unwrap();
    }
}

/// The same records as the file of the embedded engine has them: without a prefix.
fn load_file(fixture: &str, path: &Path) {
    let database = redb::Database::create(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut table = transaction.open_table(RECORDS).unwrap();
    for (key, value) in records(fixture) {
        let key = key.strip_prefix("mcpcl:").unwrap();
        table.insert(key, (u64::MAX, value.as_bytes())).unwrap();
    }
    drop(table);
    transaction.commit().unwrap();
}

async fn is_read(store: &Store) {
    store.mark(NOW).await.unwrap();
    let names = [RESOURCE.to_owned()];
    let held = store.grant(&user("octocat"), &names).await.unwrap().unwrap();
    assert_eq!(held.grant, grant("octocat", "1"));
    let led = store.refreshed_by(&user("octocat"), "refresh-1").await.unwrap();
    assert_eq!(led.as_deref(), Some(RESOURCE));
    let made = registration(None);
    assert_eq!(
        store.registration(&made.request, NOW).await.unwrap().as_ref(),
        Some(&made)
    );
    let whose = (&user("hubot"), "https://auth.example.com");
    let found = store
        .clients((&made.endpoint, &made.client_id), whose, NOW)
        .await
        .unwrap();
    assert_eq!(found, std::slice::from_ref(&made));
    let ended = store.end_login(&state(), &user("octocat"), NOW).await.unwrap();
    assert!(matches!(ended, Returned::Login(login) if login.pending.verifier.reveal() == "the-verifier"));
    // what is counted goes on to be
    store
        .put_grant(
            "https://mcp.example.com/other",
            &grant("octocat", "2"),
            NOW.plus(std::time::Duration::from_secs(60)),
            NOW,
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn what_the_first_release_wrote_is_read_by_both_engines() {
    let server = RedisServer::start();
    load(V1, &server);
    is_read(&redis(&server, &[KEY])).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    load_file(V1, &path);
    is_read(&Store::open(&path, &secrets(&[KEY])).unwrap()).await;
}
