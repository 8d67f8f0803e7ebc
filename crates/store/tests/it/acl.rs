//! The users of the shipped Redis (`deploy/redis/users.acl`): each can do its work, and no more.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use mcp_gateway_model::{
    clock::{Clock, SystemClock},
    secret::Secret,
};
use mcp_gateway_store::{
    GrantReader, RedisOptions, RedisReader, RedisStore, Store, StoreError, moment,
    testing::{RedisCluster, RedisServer, RedisSetup, ReplicatedRedis, ReplicatedSetup},
};

use crate::{
    news::{Followed, until},
    samples::{NOW, ring},
    walk::{still_there, walk},
};

const USERS: &str = include_str!("../../../../deploy/redis/users.acl");
const STORAGE: &str = include_str!("../../../../docs/storage.md");

/// The shipped lines, with passwords for `#PASSWORD_VARIABLE`.
fn shipped_users() -> Vec<String> {
    let password = |line: &str, variable: &str, password: &str| {
        line.replace(&format!("#{variable} "), &format!(">{password} "))
    };
    USERS
        .lines()
        .filter(|line| line.starts_with("user "))
        .map(|line| password(line, "REDIS_PASSWORD", "store"))
        .map(|line| password(&line, "REDIS_VERIFIER_PASSWORD", "reader"))
        .collect()
}

struct Shipped {
    server: RedisServer,
    store: RedisOptions,
    reader: RedisOptions,
}

fn shipped() -> Shipped {
    let server = RedisServer::with(RedisSetup {
        acl: shipped_users(),
        persistent: true,
        settings: vec!["maxmemory-policy noeviction".into(), "maxmemory 256mb".into()],
        ..RedisSetup::default()
    });
    let mut store = RedisOptions::new(server.url());
    store.password = Some(Secret::presented("store".into()));
    let mut reader = RedisOptions::new(server.url_for("verifier@"));
    reader.password = Some(Secret::presented("reader".into()));
    Shipped {
        server,
        store,
        reader,
    }
}

#[test]
fn the_page_on_storage_shows_the_shipped_user_of_the_verifier() {
    let line = USERS
        .lines()
        .find(|line| line.starts_with("user verifier "))
        .unwrap();
    assert!(
        STORAGE.lines().any(|shown| shown.trim() == line),
        "docs/storage.md does not show: {line}"
    );
}

#[tokio::test]
async fn the_auth_servers_user_can_do_everything_the_store_does() {
    let shipped = shipped();
    let store = RedisStore::connect(&shipped.store).unwrap();
    let walked = walk(&store).await;
    still_there(&store, &walked).await;
    assert_eq!(store.inspect(SystemClock.now()).await.unwrap(), []);
}

#[tokio::test]
async fn the_verifiers_user_reads_grants_and_public_keys() {
    let shipped = shipped();
    let store = RedisStore::connect(&shipped.store).unwrap();
    let walked = walk(&store).await;
    let reader = RedisReader::connect(&shipped.reader).unwrap();
    assert_eq!(
        reader.grant(&walked.grant.id, NOW).await.unwrap(),
        Some(walked.grant)
    );
    assert_eq!(reader.public_keys().await.unwrap(), ring(1, "key").public_keys());
    reader.health(SystemClock.now()).await.unwrap();
}

#[tokio::test]
async fn the_verifiers_user_reads_nothing_else_and_writes_nothing() {
    let shipped = shipped();
    walk(&RedisStore::connect(&shipped.store).unwrap()).await;
    let client = redis::Client::open(shipped.server.url_for("verifier:reader@")).unwrap();
    let mut verifier = client.get_connection().unwrap();
    let mut ask = |command: &str, arguments: &[&str]| {
        let mut command = redis::cmd(command);
        command
            .arg(arguments)
            .query::<redis::Value>(&mut verifier)
            .map_err(|fault| fault.code().map(str::to_owned))
    };
    let refused = Err(Some("NOPERM".to_owned()));
    let admin = redis::Client::open(shipped.server.url_for(":store@")).unwrap();
    let keys: Vec<String> = redis::cmd("SCAN")
        .arg(0)
        .arg("COUNT")
        .arg(1000)
        .query::<(u64, _)>(&mut admin.get_connection().unwrap())
        .unwrap()
        .1;
    assert!(keys.len() > 10);
    for key in keys.iter().map(String::as_str) {
        let open = ["mcpgw:grant:", "mcpgw:public-keys:", "mcpgw:schema"];
        if open.iter().any(|open| key.starts_with(open)) {
            assert!(ask("GET", &[key]).is_ok(), "{key}");
        } else {
            assert_eq!(ask("GET", &[key]), refused, "{key}");
        }
        assert_eq!(ask("SET", &[key, "x"]), refused, "{key}");
        assert_eq!(ask("DEL", &[key]), refused, "{key}");
        assert_eq!(ask("DUMP", &[key]), refused, "{key}");
    }
    for (command, arguments) in [
        ("KEYS", &["*"][..]),
        ("SCAN", &["0"]),
        ("FLUSHALL", &[]),
        ("CONFIG", &["GET", "*"]),
        ("EVAL", &["return 1", "0"]),
        ("ACL", &["LIST"]),
        ("MONITOR", &[]),
    ] {
        assert_eq!(ask(command, arguments), refused, "{command}");
    }
}

/// The shipped users with another default user beside them, which is what nodes and sentinels use among themselves.
fn users_of_many() -> Vec<String> {
    let rename = |line: String| line.replace("user default ", "user auth-server ");
    let everybody = "user default on nopass ~* &* +@all".to_owned();
    std::iter::once(everybody)
        .chain(shipped_users().into_iter().map(rename))
        .collect()
}

async fn both_users_do_their_work(mut store: RedisOptions, mut reader: RedisOptions) {
    store.password = Some(Secret::presented("store".into()));
    reader.password = Some(Secret::presented("reader".into()));
    let store = RedisStore::connect(&store).unwrap();
    let walked = walk(&store).await;
    still_there(&store, &walked).await;
    let warnings = store.inspect(SystemClock.now()).await.unwrap();
    assert!(
        !warnings.iter().any(|warning| warning.0.contains("does not let")),
        "{warnings:?}"
    );
    let reader = RedisReader::connect(&reader).unwrap();
    assert_eq!(
        reader.grant(&walked.grant.id, NOW).await.unwrap(),
        Some(walked.grant)
    );
    reader.health(SystemClock.now()).await.unwrap();
}

#[tokio::test]
async fn both_users_do_their_work_on_a_cluster() {
    let cluster = RedisCluster::with(&RedisSetup {
        acl: users_of_many(),
        ..RedisSetup::default()
    });
    let store = RedisOptions::new(cluster.url_for("auth-server@"));
    let reader = RedisOptions::new(cluster.url_for("verifier@"));
    both_users_do_their_work(store, reader).await;
}

#[tokio::test]
async fn both_users_do_their_work_with_sentinels() {
    let redis = ReplicatedRedis::with(ReplicatedSetup {
        redis: RedisSetup {
            acl: users_of_many(),
            ..RedisSetup::default()
        },
        replicas: 1,
        ..ReplicatedSetup::default()
    });
    let store = RedisOptions::new(redis.url_for("auth-server@"));
    let reader = RedisOptions::new(redis.url_for("verifier@"));
    both_users_do_their_work(store, reader).await;
    let client = redis::Client::open(redis.servers()[0].url_for("verifier:reader@")).unwrap();
    let mut verifier = client.get_connection().unwrap();
    let mut ask = |command: &str, arguments: &[&str]| {
        let mut command = redis::cmd(command);
        command
            .arg(arguments)
            .query::<redis::Value>(&mut verifier)
            .map_err(|fault| fault.code().map(str::to_owned))
    };
    let refused = Err(Some("NOPERM".to_owned()));
    assert!(ask("SET", &["mcpgw:lease:{a}", "1", "PX", "1000"]).is_ok());
    assert_eq!(ask("SET", &["mcpgw:grant:{a}", "1"]), refused);
    assert_eq!(ask("GET", &["mcpgw:lease:{a}"]), refused);
    assert_eq!(ask("CLUSTER", &["NODES"]), refused);
}

#[tokio::test]
async fn the_verifiers_user_cannot_be_the_store() {
    let shipped = shipped();
    let store = RedisStore::connect(&shipped.reader).unwrap();
    let answer = store.key_ring().await;
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
}

#[tokio::test]
async fn a_user_that_may_not_read_the_settings_is_told_what_was_not_checked() {
    let server = RedisServer::with(RedisSetup {
        acl: vec!["user default on nopass ~* &* +@all -config".into()],
        persistent: true,
        ..RedisSetup::default()
    });
    let store = RedisStore::connect(&server.options()).unwrap();
    let warnings = store.inspect(SystemClock.now()).await.unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].0.contains("appendfsync"), "{warnings:?}");
}

#[tokio::test]
async fn the_shipped_user_of_the_verifier_hears_the_news_of_grants() {
    let shipped = shipped();
    let reader = RedisReader::connect(&shipped.reader).unwrap();
    let watch = Followed::of(&reader);
    until("there is a lease", || watch.has_lease(moment(&SystemClock)));
}
