//! What the engines keep, and how: sealed, for a while, for one process or several.

use std::time::Duration;

use mcp_gateway_client::service::{
    settings::RedisSettings,
    store::{Rate, Store, StoreFault},
};
use mcp_gateway_model::{
    clock::{Clock, SystemClock},
    secret::Secret,
};
use mcp_gateway_store::testing::{RedisServer, RedisSetup};

use super::{
    samples::{KEY, NOW, RESOURCE, grant, later, login, registration, secrets, user},
    store::{file, redis},
};

const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210";

async fn fill(store: &Store) {
    store.begin_login(&login("octocat"), NOW).await.unwrap();
    store
        .put_registration(&registration(None), later(9999), NOW)
        .await
        .unwrap();
    store
        .put_grant(RESOURCE, &grant("octocat", "1"), later(9999), NOW)
        .await
        .unwrap();
    store
        .hand_out(RESOURCE, &grant("octocat", "1"), later(9999), NOW)
        .await
        .unwrap();
    store.mark(NOW).await.unwrap();
    let rate = Rate::per_minute(10);
    assert_eq!(
        store.take_permit("requests octocat", rate, NOW).await.unwrap(),
        None
    );
}

/// What must not be readable anywhere.
const SECRETS: [&str; 8] = [
    "the-state",
    "access-1",
    "refresh-1",
    "the-client",
    "the-verifier",
    "octocat",
    "mcp.example.com",
    "auth.example.com",
];

#[tokio::test]
async fn a_dump_of_redis_tells_neither_tokens_nor_whose_they_are() {
    let server = RedisServer::start();
    fill(&redis(&server, &[KEY])).await;
    let dump = server.dump();
    assert_eq!(
        dump.len(),
        11,
        "login, registration, its client twice, grant, refresh token, three lists, schema, permit"
    );
    for (key, value) in dump {
        assert!(key.starts_with("mcpcl:"), "{key}");
        let text = format!("{key} {}", String::from_utf8_lossy(&value));
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

#[tokio::test]
async fn the_data_file_tells_neither_tokens_nor_whose_they_are_and_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    fill(&file(directory.path())).await;
    let path = directory.path().join("store");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let bytes = std::fs::read(&path).unwrap();
    for secret in SECRETS {
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}

#[tokio::test]
async fn a_file_that_is_in_use_is_not_opened_again_and_keeps_what_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let first = file(directory.path());
    first
        .put_grant(RESOURCE, &grant("octocat", "1"), later(9999), NOW)
        .await
        .unwrap();
    let second = Store::open(&directory.path().join("store"), &secrets(&[KEY]));
    assert!(matches!(second, Err(StoreFault::Misconfigured(_))));
    drop(first);
    let again = file(directory.path());
    let held = again
        .grant(&user("octocat"), &[RESOURCE.to_owned()])
        .await
        .unwrap();
    assert_eq!(held.unwrap().grant, grant("octocat", "1"));
}

#[tokio::test]
async fn what_has_ended_is_swept_out_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = file(directory.path());
    fill(&store).await;
    assert_eq!(store.sweep(later(300)).await.unwrap(), 1, "the permit");
    assert_eq!(store.sweep(later(1201)).await.unwrap(), 1, "the login");
    assert_eq!(
        store.sweep(later(10_000)).await.unwrap(),
        5,
        "the grant, its refresh token, the registration and what leads to it"
    );
    assert_eq!(store.sweep(later(10_000)).await.unwrap(), 0);
    assert_eq!(
        store.sweep(later(100 * 86_400 + 1)).await.unwrap(),
        3,
        "the lists of what there was"
    );
}

#[tokio::test]
async fn redis_lets_nothing_lie_for_ever() {
    let server = RedisServer::start();
    fill(&redis(&server, &[KEY])).await;
    let mut connection = server.connection();
    for (key, _) in server.dump() {
        let life: i64 = ::redis::cmd("PTTL").arg(&key).query(&mut connection).unwrap();
        assert!(life > 0, "{key}: {life}");
    }
}

#[tokio::test]
async fn keys_can_be_changed_while_the_old_one_is_listed() {
    let server = RedisServer::start();
    fill(&redis(&server, &[KEY])).await;
    let names = [RESOURCE.to_owned()];
    let changed = redis(&server, &[OTHER_KEY, KEY]);
    assert!(changed.grant(&user("octocat"), &names).await.unwrap().is_some());
    let lost = redis(&server, &[OTHER_KEY]);
    let fault = lost.grant(&user("octocat"), &names).await.unwrap_err();
    assert!(matches!(fault, StoreFault::Sealed(_)), "{fault}");
}

#[tokio::test]
async fn a_record_that_is_put_under_another_users_name_does_not_open_there() {
    let server = RedisServer::start();
    let store = redis(&server, &[KEY]);
    let names = [RESOURCE.to_owned()];
    let mut connection = server.connection();
    store
        .put_grant(RESOURCE, &grant("hubot", "2"), later(9999), NOW)
        .await
        .unwrap();
    let of_hubot = grant_keys(&server).pop().unwrap();
    store
        .put_grant(RESOURCE, &grant("octocat", "1"), later(9999), NOW)
        .await
        .unwrap();
    let of_octocat = grant_keys(&server)
        .into_iter()
        .find(|key| *key != of_hubot)
        .unwrap();
    let stolen: Vec<u8> = ::redis::cmd("GET")
        .arg(&of_octocat)
        .query(&mut connection)
        .unwrap();
    ::redis::cmd("SET")
        .arg(&of_hubot)
        .arg(stolen)
        .exec(&mut connection)
        .unwrap();
    let fault = store.grant(&user("hubot"), &names).await.unwrap_err();
    assert!(matches!(fault, StoreFault::Sealed(_)), "{fault}");
}

fn grant_keys(server: &RedisServer) -> Vec<String> {
    let keys = server.dump().into_iter().map(|(key, _)| key);
    keys.filter(|key| key.starts_with("mcpcl:grant:")).collect()
}

#[tokio::test]
async fn what_a_newer_release_wrote_or_nobody_did_is_no_record() {
    let server = RedisServer::start();
    let store = redis(&server, &[KEY]);
    let names = [RESOURCE.to_owned()];
    store
        .put_grant(RESOURCE, &grant("octocat", "1"), later(9999), NOW)
        .await
        .unwrap();
    let key = grant_keys(&server).pop().unwrap();
    let mut connection = server.connection();
    for (text, is_newer) in [("2:AAAA", true), ("AAAA", false), ("", false)] {
        ::redis::cmd("SET")
            .arg(&key)
            .arg(text)
            .exec(&mut connection)
            .unwrap();
        let fault = store.grant(&user("octocat"), &names).await.unwrap_err();
        assert_eq!(fault == StoreFault::TooNew(2), is_newer, "{fault}");
    }
}

#[tokio::test]
async fn a_store_that_a_newer_release_marked_is_not_used() {
    let server = RedisServer::start();
    let store = redis(&server, &[KEY]);
    store.mark(NOW).await.unwrap();
    let mut connection = server.connection();
    for (text, fault) in [
        ("2", StoreFault::TooNew(2)),
        ("x", StoreFault::Corrupt("mcpcl:schema".into())),
    ] {
        ::redis::cmd("SET")
            .arg("mcpcl:schema")
            .arg(text)
            .exec(&mut connection)
            .unwrap();
        assert_eq!(store.mark(NOW).await.unwrap_err(), fault);
        assert_eq!(store.check().await.unwrap_err(), fault);
    }
}

#[tokio::test]
async fn what_an_operator_should_know_about_redis_is_said() {
    let now = SystemClock.now();
    let plain = RedisServer::start();
    let warnings = redis(&plain, &[KEY]).inspect(now).await.unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("appendonly"), "{warnings:?}");
    let off = now.plus(Duration::from_secs(60));
    let warnings = redis(&plain, &[KEY]).inspect(off).await.unwrap();
    assert!(warnings[0].starts_with("Redis' clock is "), "{warnings:?}");
    let forgetful = RedisServer::with(RedisSetup {
        persistent: true,
        settings: vec!["maxmemory-policy allkeys-lru".into()],
        ..RedisSetup::default()
    });
    let warnings = redis(&forgetful, &[KEY]).inspect(now).await.unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("allkeys-lru"), "{warnings:?}");
}

#[tokio::test]
async fn a_redis_that_is_gone_is_a_fault_and_one_that_is_back_is_used_again() {
    let mut server = RedisServer::start();
    let store = redis(&server, &[KEY]);
    store.check().await.unwrap();
    server.kill();
    assert!(matches!(store.check().await, Err(StoreFault::Unavailable(_))));
    server.restart();
    // the connection that broke is noticed by the first call at the latest
    drop(store.check().await);
    store.check().await.unwrap();
}

#[tokio::test]
async fn redis_is_reached_over_tls_with_a_password_and_no_other_certificate_is_trusted() {
    let server = RedisServer::with(RedisSetup {
        password: Some("the-password".into()),
        tls: true,
        ..RedisSetup::default()
    });
    let reach = |password: &str, ca: Option<Vec<u8>>| {
        let settings = RedisSettings {
            url: Secret::presented(server.url()),
            password: Some(Secret::presented(password.to_owned())),
            prefix: "mcpcl:".into(),
            ca,
        };
        Store::redis(&settings, &secrets(&[KEY])).unwrap()
    };
    let ca = std::fs::read(server.ca_file()).unwrap();
    reach("the-password", Some(ca.clone())).check().await.unwrap();
    let wrong = reach("another", Some(ca)).check().await;
    assert!(matches!(wrong, Err(StoreFault::Misconfigured(_))), "{wrong:?}");
    let unknown = reach("the-password", None).check().await;
    assert!(matches!(unknown, Err(StoreFault::Unavailable(_))), "{unknown:?}");
}
