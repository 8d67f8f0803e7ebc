//! What is special to Redis: addresses, users, databases, TLS, time to live, versions.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::time::Duration;

use mcp_gateway_model::{clock::Clock, clock::SystemClock, secret::Secret};
use mcp_gateway_store::{
    GrantReader, Rate, RedisOptions, RedisReader, RedisStore, Store, StoreError,
    testing::{RedisServer, RedisSetup},
};

use crate::{
    samples::{NOW, after, begun, client, digest, grant, ring},
    walk::{still_there, walk},
};

const PASSWORD: &str = "p@ss/word:with#signs";
const ENCODED: &str = "p%40ss%2Fword%3Awith%23signs";

fn with_password() -> RedisServer {
    RedisServer::with(RedisSetup {
        password: Some(PASSWORD.into()),
        ..RedisSetup::default()
    })
}

/// Both the store and the reader answer.
async fn works(options: &RedisOptions) {
    let store = RedisStore::connect(options).unwrap();
    let (grant, _) = begun(&store, grant()).await;
    let reader = RedisReader::connect(options).unwrap();
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), Some(grant));
}

/// Both say why they do not answer, and neither tells the password.
async fn fails(options: &RedisOptions) -> (StoreError, StoreError) {
    let store = RedisStore::connect(options).unwrap();
    let reader = RedisReader::connect(options).unwrap();
    let faults = (
        store.health(NOW).await.unwrap_err(),
        reader.health(NOW).await.unwrap_err(),
    );
    for fault in [&faults.0, &faults.1] {
        for text in [fault.to_string(), format!("{fault:?}")] {
            assert!(!text.contains(ENCODED) && !text.contains(PASSWORD), "{text}");
        }
    }
    faults
}

#[tokio::test]
async fn the_reader_reads_what_the_store_wrote_and_judges_by_now() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.options()).unwrap();
    let reader = RedisReader::connect(&server.options()).unwrap();
    assert_eq!(reader.public_keys().await.unwrap(), []);
    let (grant, _) = begun(&store, grant()).await;
    assert_eq!(
        reader.grant(&grant.id, after(59)).await.unwrap(),
        Some(grant.clone())
    );
    assert_eq!(reader.grant(&grant.id, after(60)).await.unwrap(), None);
    store.end_grant(&grant.id, NOW).await.unwrap();
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), None);
    store.replace_key_ring(&ring(1, "key")).await.unwrap();
    assert_eq!(reader.public_keys().await.unwrap(), ring(1, "key").public_keys());
}

#[tokio::test]
async fn the_password_may_stand_in_the_address_or_apart() {
    let server = with_password();
    works(&server.options()).await;
    works(&RedisOptions::new(server.url_for(&format!(":{ENCODED}@")))).await;
    works(&RedisOptions::new(server.url_for(&format!("default:{ENCODED}@")))).await;
}

#[tokio::test]
async fn a_missing_or_wrong_password_is_refused_and_not_told() {
    let server = with_password();
    for options in [
        RedisOptions::new(server.url()),
        RedisOptions::new(server.url_for(&format!(":{ENCODED}x@"))),
    ] {
        let (store, reader) = fails(&options).await;
        assert!(matches!(store, StoreError::Refused(_)), "{store:?}");
        assert!(matches!(reader, StoreError::Refused(_)), "{reader:?}");
    }
}

#[tokio::test]
async fn two_different_passwords_are_a_fault() {
    let mut options = RedisOptions::new("redis://:one@127.0.0.1:1");
    options.password = Some(Secret::presented("two".into()));
    let fault = RedisStore::connect(&options).unwrap_err();
    assert!(matches!(fault, StoreError::Misconfigured(_)), "{fault}");
    assert!(
        !fault.to_string().contains("one@") && !fault.to_string().contains("two"),
        "{fault}"
    );
}

#[test]
fn an_address_that_cannot_be_understood_is_not_repeated() {
    for url in [
        "",
        "localhost",
        "http://:hush@host",
        "redis://:hush@host/x",
        "redis://:hush@",
        "rediss://:hush@h#insecure",
    ] {
        let options = RedisOptions::new(url);
        for fault in [
            RedisStore::connect(&options).unwrap_err(),
            RedisReader::connect(&options).unwrap_err(),
        ] {
            assert!(matches!(fault, StoreError::Misconfigured(_)), "{url}: {fault:?}");
            assert!(!format!("{fault:?} {fault}").contains("hush"), "{fault}");
        }
        assert!(!format!("{options:?}").contains("hush"));
    }
}

#[tokio::test]
async fn databases_do_not_see_each_other() {
    let server = RedisServer::start();
    let (first, second) = (server.options(), RedisOptions::new(format!("{}/3", server.url())));
    let (one, three) = (
        RedisStore::connect(&first).unwrap(),
        RedisStore::connect(&second).unwrap(),
    );
    let client = client();
    three.add_client(&client, NOW).await.unwrap();
    assert_eq!(one.client(&client.id, NOW).await.unwrap(), None);
    assert_eq!(three.client(&client.id, NOW).await.unwrap(), Some(client));
    works(&second).await;
}

#[tokio::test]
async fn prefixes_do_not_see_each_other() {
    let server = RedisServer::start();
    let mut other = server.options();
    other.prefix = "other:".into();
    let walked = walk(&RedisStore::connect(&server.options()).unwrap()).await;
    let store = RedisStore::connect(&other).unwrap();
    assert_eq!(store.client(&walked.client.id, NOW).await.unwrap(), None);
    walk(&store).await;
    assert!(
        server
            .dump()
            .iter()
            .all(|(key, _)| key.starts_with("mcpgw:") || key.starts_with("other:"))
    );
}

#[tokio::test]
async fn tls_works_with_the_right_authority_and_only_with_it() {
    let tls = || RedisSetup {
        tls: true,
        password: Some(PASSWORD.into()),
        ..RedisSetup::default()
    };
    let (server, other) = (RedisServer::with(tls()), RedisServer::with(tls()));
    works(&server.options()).await;
    let mut stranger = server.options();
    stranger.tls_ca_file = Some(other.ca_file());
    let mut system = server.options();
    system.tls_ca_file = None;
    for options in [stranger, system] {
        let (store, reader) = fails(&options).await;
        assert!(matches!(store, StoreError::Unavailable(_)), "{store:?}");
        assert!(matches!(reader, StoreError::Unavailable(_)), "{reader:?}");
    }
    let plain = RedisOptions::new(format!("redis://localhost:{}", server.port()));
    assert!(matches!(fails(&plain).await.0, StoreError::Unavailable(_)));
}

#[tokio::test]
async fn a_certificate_file_that_is_none_is_a_fault() {
    let mut options = RedisOptions::new("rediss://localhost:1");
    options.tls_ca_file = Some("/nowhere/ca.crt".into());
    let fault = RedisStore::connect(&options).unwrap_err();
    assert!(fault.to_string().contains("/nowhere/ca.crt"), "{fault}");
    options.url = "redis://localhost:1".into();
    assert!(matches!(
        RedisStore::connect(&options),
        Err(StoreError::Misconfigured(_))
    ));
}

#[tokio::test]
async fn every_key_goes_by_itself_but_for_the_bounded_ones() {
    let server = RedisServer::start();
    walk(&RedisStore::connect(&server.options()).unwrap()).await;
    let mut connection = server.connection();
    // bounded by what the operator enters, and by a number
    let lists = [
        "mcpgw:blocked:{all}",
        "mcpgw:entered-clients:{all}",
        "mcpgw:unused-clients:{all}",
    ];
    for (key, value) in server.dump() {
        let life: i64 = redis::cmd("PTTL").arg(&key).query(&mut connection).unwrap();
        let kept = [
            "mcpgw:schema",
            "mcpgw:keys:",
            "mcpgw:public-keys:",
            "mcpgw:pin:",
            "mcpgw:blocked-user:",
            "mcpgw:blocked-login:",
        ];
        // the operator entered it, and takes it away
        let is_entered =
            key.starts_with("mcpgw:client:") && String::from_utf8_lossy(&value).contains("pre_registered");
        if is_entered || kept.iter().any(|kept| key.starts_with(kept)) {
            assert_eq!(life, -1, "{key}");
        } else if lists.contains(&key.as_str()) {
            assert!(life > 1_000_000_000_000, "{key} lives {life} ms");
        } else if key.starts_with("mcpgw:document:") {
            assert!(life > 0 && life < 8 * 86_400_000, "{key} lives {life} ms");
        } else {
            // two days: the longest life in the walk is one day, and its slack
            assert!(life > 0 && life < 2 * 86_400_000, "{key} lives {life} ms");
        }
    }
}

#[tokio::test]
async fn a_time_to_live_counts_from_now_and_not_from_the_clock_of_redis() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.options()).unwrap();
    let past = mcp_gateway_model::clock::Timestamp::from_secs(1000);
    let mut login = crate::samples::login();
    login.expires_at = past.plus(Duration::from_secs(300));
    store.put_login(&digest("state"), &login, past).await.unwrap();
    assert_eq!(store.login(&digest("state"), past).await.unwrap(), Some(login));
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_store_and_reader() {
    let server = RedisServer::start();
    let _: () = redis::cmd("SET")
        .arg("mcpgw:schema")
        .arg(2)
        .query(&mut server.connection())
        .unwrap();
    let (store, reader) = fails(&server.options()).await;
    assert!(
        matches!(store, StoreError::TooNew { found: 2, known: 1 }),
        "{store:?}"
    );
    assert!(
        matches!(reader, StoreError::TooNew { found: 2, known: 1 }),
        "{reader:?}"
    );
}

#[tokio::test]
async fn a_record_that_is_none_is_named_by_its_key() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.options()).unwrap();
    let grant = grant();
    let key = format!("mcpgw:grant:{{{}}}", grant.id);
    let mut connection = server.connection();
    for value in ["hello", r#"{"v":1,"record":{}}"#] {
        let _: () = redis::cmd("SET")
            .arg(&key)
            .arg(value)
            .query(&mut connection)
            .unwrap();
        let fault = store.grant(&grant.id, NOW).await.unwrap_err();
        assert!(
            matches!(&fault, StoreError::Corrupt { key: named, .. } if *named == key),
            "{fault}"
        );
    }
    let _: () = redis::cmd("DEL").arg(&key).query(&mut connection).unwrap();
    let _: () = redis::cmd("SADD")
        .arg(&key)
        .arg("x")
        .query(&mut connection)
        .unwrap();
    let reader = RedisReader::connect(&server.options()).unwrap();
    let fault = reader.grant(&grant.id, NOW).await.unwrap_err();
    assert!(
        matches!(&fault, StoreError::Corrupt { key: named, .. } if *named == key),
        "{fault}"
    );
}

#[tokio::test]
async fn what_is_of_another_kind_is_not_written_over() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.options()).unwrap();
    let grant = grant();
    let key = format!("mcpgw:grant:{{{}}}", grant.id);
    let mut connection = server.connection();
    redis::cmd("SADD")
        .arg(&key)
        .arg("x")
        .exec(&mut connection)
        .unwrap();
    let fault = store.add_grant(&grant, NOW).await.unwrap_err();
    assert!(matches!(fault, StoreError::Corrupt { .. }), "{fault}");
    let kind: String = redis::cmd("TYPE").arg(&key).query(&mut connection).unwrap();
    assert_eq!(kind, "set");
}

#[tokio::test]
async fn permits_are_shared_by_all_processes() {
    let server = RedisServer::start();
    let stores: Vec<_> = (0..2)
        .map(|_| RedisStore::connect(&server.options()).unwrap())
        .collect();
    let rate = Rate {
        count: 1,
        period: Duration::from_secs(60),
        burst: 2,
    };
    for (n, expected) in [(0, true), (1, true), (0, false), (1, false)] {
        let answer = stores[n]
            .take_permit(&digest("address"), rate, NOW)
            .await
            .unwrap();
        assert_eq!(answer.is_none(), expected);
    }
}

#[tokio::test]
async fn a_redis_that_may_forget_is_warned_about() {
    let server = RedisServer::with(RedisSetup {
        settings: vec!["maxmemory-policy allkeys-lru".into()],
        ..RedisSetup::default()
    });
    let store = RedisStore::connect(&server.options()).unwrap();
    let warnings = store.inspect(SystemClock.now()).await.unwrap();
    let text: Vec<_> = warnings.iter().map(|warning| warning.0.as_str()).collect();
    assert_eq!(text.len(), 3, "{text:?}");
    assert!(text[0].contains("maxmemory-policy is allkeys-lru"));
    assert!(text[1].contains("maxmemory is 0"));
    assert!(text[2].contains("appendonly is no"));
    let skewed = store
        .inspect(SystemClock.now().plus(Duration::from_secs(60)))
        .await
        .unwrap();
    assert!(skewed[0].0.contains("clock"), "{skewed:?}");
}

#[tokio::test]
async fn a_redis_that_keeps_its_word_is_not_warned_about() {
    let server = RedisServer::with(RedisSetup {
        persistent: true,
        settings: vec!["maxmemory-policy noeviction".into(), "maxmemory 256mb".into()],
        ..RedisSetup::default()
    });
    let store = RedisStore::connect(&server.options()).unwrap();
    assert_eq!(store.inspect(SystemClock.now()).await.unwrap(), []);
    let health = store.health(SystemClock.now()).await.unwrap();
    assert!(health.clock_skew < Duration::from_secs(5));
}

#[tokio::test]
async fn a_write_that_no_replica_has_is_no_success() {
    let server = RedisServer::with(RedisSetup {
        settings: vec!["repl-diskless-sync-delay 0".into()],
        ..RedisSetup::default()
    });
    let mut options = server.options();
    options.wait_replicas = 1;
    options.timeout = Duration::from_millis(200);
    let store = RedisStore::connect(&options).unwrap();
    let answer = store.add_client(&client(), NOW).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");

    let _replica = RedisServer::with(RedisSetup {
        settings: vec![format!("replicaof 127.0.0.1 {}", server.port())],
        ..RedisSetup::default()
    });
    server.wait_for_replicas(1);
    options.timeout = Duration::from_secs(10);
    let store = RedisStore::connect(&options).unwrap();
    let walked = walk(&store).await;
    still_there(&store, &walked).await;
    let warnings = store.inspect(SystemClock.now()).await.unwrap();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.0.contains("min-replicas-to-write is 0")),
        "{warnings:?}"
    );
}
