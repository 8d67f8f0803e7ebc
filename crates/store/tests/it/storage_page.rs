//! `docs/storage.md` against the code, and both against a real Redis.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::collections::BTreeSet;

use mcp_gateway_store::{
    RedisStore, patterns,
    testing::{RedisServer, RedisSetup},
};

use crate::walk::walk;

const STORAGE: &str = include_str!("../../../../docs/storage.md");

/// The patterns in the first column of the table.
fn documented() -> BTreeSet<String> {
    STORAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `mcpgw:")?.split_once('`'))
        .map(|(pattern, _)| pattern.to_owned())
        .collect()
}

/// The pattern of a key: what stands between the braces is `*`, but where there is one of a kind.
fn pattern_of(key: &str) -> String {
    let key = key.strip_prefix("mcpgw:").unwrap();
    match key.split_once('{') {
        Some((_, "ring}" | "all}")) | None => key.to_owned(),
        Some((kind, rest)) => {
            assert!(rest.ends_with('}') && rest.matches('{').count() == 0, "{key}");
            format!("{kind}{{*}}")
        }
    }
}

#[test]
fn the_page_lists_every_pattern_of_the_code_and_no_other() {
    let known: BTreeSet<_> = patterns().map(str::to_owned).into();
    assert_eq!(documented(), known);
}

#[tokio::test]
async fn every_key_in_redis_has_a_pattern_and_every_pattern_a_key() {
    let server = RedisServer::start();
    let follows = format!("replicaof 127.0.0.1 {}", server.port());
    let _replica = RedisServer::with(RedisSetup {
        settings: vec![follows],
        ..RedisSetup::default()
    });
    server.wait_for_replicas(1);
    let mut options = server.options();
    options.wait_replicas = 1;
    walk(&RedisStore::connect(&options).unwrap()).await;
    let found: BTreeSet<_> = server.dump().iter().map(|(key, _)| pattern_of(key)).collect();
    assert_eq!(found, documented());
}

#[test]
fn the_page_names_writer_reader_content_and_end_of_every_key() {
    for line in STORAGE.lines().filter(|line| line.starts_with("| `mcpgw:")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{line}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{line}");
    }
}
