//! What a store holds of a flood of registrations, or of copies of what strangers publish: as many as the bound says, in
//! records and in bytes.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use mcp_gateway_model::client::Client;
use mcp_gateway_store::{
    Document, EmbeddedStore, Permit, Permitted, Rate, RedisStore, Store, testing::RedisServer,
};

use crate::samples::{NOW, after, client, digest, register};

/// How many clients that nobody uses may be there.
const MOST: u32 = 50;
/// How many register, each from another address.
const FLOOD: u64 = 1000;
/// The most bytes that one may take, with its key and its place in the list.
const EACH: usize = 9 * 1024;

/// A registration as large as one may be.
fn large(n: u64) -> Client {
    let mut client = client();
    client.metadata.client_uri = Some(format!("https://client.example.com/{n}/{}", "x".repeat(7 * 1024)));
    client.expires_at = Some(after(86_400 + n));
    client
}

async fn flood(store: &dyn Store) {
    let rate = Rate {
        count: 20,
        period: Duration::from_secs(3600),
        burst: 5,
    };
    for n in 0..FLOOD {
        let client = large(n);
        let name = digest(&format!("address {n}"));
        let registered = store
            .register_client(&client, Some(Permit { name, rate }), MOST, NOW)
            .await;
        assert!(matches!(registered.unwrap(), Permitted::Yes(_)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_holds_no_more_of_a_flood_than_the_bound() {
    let server = RedisServer::start();
    flood(&RedisStore::connect(&server.options()).unwrap()).await;
    let (permits, rest): (Vec<_>, Vec<_>) = server
        .dump()
        .into_iter()
        .partition(|(key, _)| key.starts_with("mcpgw:permit:"));
    let clients = rest.iter().filter(|(key, _)| key.starts_with("mcpgw:client:"));
    assert_eq!(clients.count(), MOST as usize);
    // beside them the list and the mark of the schema
    assert_eq!(rest.len(), MOST as usize + 2);
    let bytes = |all: &[(String, Vec<u8>)]| {
        all.iter()
            .map(|(key, value)| key.len() + value.len())
            .sum::<usize>()
    };
    assert!(bytes(&rest) < MOST as usize * EACH, "{}", bytes(&rest));
    // what is remembered of an address is small, and gone in minutes
    assert!(bytes(&permits) < permits.len() * 128, "{}", bytes(&permits));
    let mut connection = server.connection();
    for (key, _) in &permits {
        let left: i64 = redis::cmd("PTTL").arg(key).query(&mut connection).unwrap();
        assert!((1..=300_000).contains(&left), "{key}: {left}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_holds_no_more_of_a_flood_than_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = Arc::new(EmbeddedStore::open(&path).unwrap());
    flood(&*store).await;
    // one more makes room for itself, and only for itself
    assert_eq!(register(&*store, &large(FLOOD), MOST, NOW).await, 1);
    // a flood unbounded would take more than 7 MB; the pages of what went are used again
    let length = std::fs::metadata(&path).unwrap().len();
    assert!(length < 5 << 20, "{length}");
}

/// The most bytes of a copy, with its address, its key and its place in the list.
const COPY: usize = 66 * 1024;

/// Makes the store read ever new key sets, each as large as one may be and fresh for a day.
async fn flood_of_copies(store: &dyn Store) {
    for n in 0..400 {
        let copy = Document {
            url: format!("https://client.example.com/{n}"),
            body: "x".repeat(64 * 1024),
            read_at: after(n),
            fresh_until: after(n + 86_400),
            used: false,
        };
        let key = digest(&copy.url);
        store.put_document(&key, &copy, MOST, after(n)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_holds_no_more_copies_of_a_flood_than_the_bound() {
    let server = RedisServer::start();
    flood_of_copies(&RedisStore::connect(&server.options()).unwrap()).await;
    let all = server.dump();
    let copies = all.iter().filter(|(key, _)| key.starts_with("mcpgw:document:"));
    assert_eq!(copies.count(), MOST as usize);
    // beside them the list and the mark of the schema
    assert_eq!(all.len(), MOST as usize + 2);
    let bytes: usize = all.iter().map(|(key, value)| key.len() + value.len()).sum();
    assert!(bytes < MOST as usize * COPY, "{bytes}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_holds_no_more_copies_of_a_flood_than_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = EmbeddedStore::open(&path).unwrap();
    flood_of_copies(&store).await;
    let mut left = 0;
    for n in 0..400 {
        let key = digest(&format!("https://client.example.com/{n}"));
        left += u32::from(store.document(&key, after(400)).await.unwrap().is_some());
    }
    assert_eq!(left, MOST);
    // a flood unbounded would take more than 25 MB; the pages of what went are used again
    let length = std::fs::metadata(&path).unwrap().len();
    assert!(length < 16 << 20, "{length}");
}

/// Of those that find too many at the same time, each would make room for all.
#[tokio::test]
async fn of_registrations_at_the_same_time_above_the_bound_few_make_room() {
    const ALL: u32 = 256;
    let server = RedisServer::start();
    let store = Arc::new(RedisStore::connect(&server.options()).unwrap());
    for _ in 0..ALL {
        register(&*store, &client(), ALL, NOW).await;
    }
    let more = (0..64).map(|_| {
        let store = Arc::clone(&store);
        async move { register(&*store, &client(), ALL, NOW).await }
    });
    let removed: u64 = join_all(more).await.into_iter().sum();
    let looked_at = calls(&server, "zrem");
    assert!((48..=128).contains(&removed), "{removed}");
    assert!(looked_at <= 128, "{looked_at}");
    let left = server.dump();
    let left = left.iter().filter(|(key, _)| key.starts_with("mcpgw:client:"));
    assert!(left.count() <= ALL as usize + 16);
}

/// How often Redis was told a command, in scripts too.
fn calls(server: &RedisServer, command: &str) -> u64 {
    let told: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut server.connection())
        .unwrap();
    let (_, told) = told.split_once(&format!("cmdstat_{command}:calls=")).unwrap();
    told.split_once(',').unwrap().0.parse().unwrap()
}
