//! A Redis that is down at the start, goes away, hangs, comes back empty. Nothing of ours is restarted.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::{sync::Arc, time::Duration};

use mcp_gateway_model::{access::Person, secret::Secret};
use mcp_gateway_store::{
    Begun, GrantReader, RedisReader, RedisStore, Store, StoreError,
    testing::{RedisServer, RedisSetup},
};

use crate::{
    patience::until,
    samples::{NOW, begun, client, grant},
    walk::{still_there, walk},
};

fn unavailable<T: std::fmt::Debug>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unavailable(_)))
}

/// Store and reader, with time-outs short enough for a test.
fn both(server: &RedisServer) -> (RedisStore, RedisReader) {
    let mut options = server.options();
    options.timeout = Duration::from_millis(300);
    (
        RedisStore::connect(&options).unwrap(),
        RedisReader::connect(&options).unwrap(),
    )
}

#[tokio::test]
async fn a_redis_that_is_down_at_the_start_is_used_once_it_is_up() {
    let mut server = RedisServer::start();
    server.kill();
    let (store, reader) = both(&server);
    for _ in 0..3 {
        assert!(unavailable(&store.health(NOW).await));
        assert!(unavailable(&reader.health(NOW).await));
    }
    server.restart();
    let (grant, _) = begun(&store, grant()).await;
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), Some(grant));
}

#[tokio::test]
async fn a_redis_that_crashes_and_comes_back_forgets_nothing() {
    let mut server = RedisServer::with(RedisSetup {
        persistent: true,
        ..RedisSetup::default()
    });
    let (store, reader) = both(&server);
    let walked = walk(&store).await;
    assert!(reader.grant(&walked.grant.id, NOW).await.unwrap().is_some());
    server.kill();
    assert!(unavailable(&store.grant(&walked.grant.id, NOW).await));
    assert!(unavailable(&reader.grant(&walked.grant.id, NOW).await));
    server.restart();
    assert!(reader.grant(&walked.grant.id, NOW).await.unwrap().is_some());
    still_there(&store, &walked).await;
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_is_empty_and_works() {
    let mut server = RedisServer::start();
    let (store, reader) = both(&server);
    let walked = walk(&store).await;
    assert!(reader.grant(&walked.grant.id, NOW).await.unwrap().is_some());
    server.kill();
    server.restart();
    assert_eq!(reader.grant(&walked.grant.id, NOW).await.unwrap(), None);
    assert_eq!(store.client(&walked.client.id, NOW).await.unwrap(), None);
    let again = walk(&store).await;
    still_there(&store, &again).await;
    assert!(
        server
            .dump()
            .iter()
            .any(|(key, mark)| key == "mcpgw:schema" && mark == b"1")
    );
}

#[tokio::test]
async fn a_redis_that_hangs_is_unavailable_in_time_and_works_when_it_goes_on() {
    let server = RedisServer::start();
    let (store, reader) = both(&server);
    let (grant, _) = begun(&store, grant()).await;
    assert!(reader.grant(&grant.id, NOW).await.unwrap().is_some());
    server.pause();
    let asked = async {
        (
            store.client(&client().id, NOW).await,
            reader.grant(&grant.id, NOW).await,
        )
    };
    let (from_store, from_reader) = tokio::time::timeout(Duration::from_secs(10), asked)
        .await
        .unwrap();
    server.resume();
    assert!(unavailable(&from_store));
    assert!(unavailable(&from_reader));
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), Some(grant.clone()));
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), Some(grant));
}

#[tokio::test]
async fn a_redis_without_memory_says_so_and_keeps_answering_readers() {
    let server = RedisServer::start();
    let (store, reader) = both(&server);
    let (grant, _) = begun(&store, grant()).await;
    let full = redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg(1)
        .query::<()>(&mut server.connection());
    full.unwrap();
    let answer = store.add_client(&client(), NOW).await;
    assert!(unavailable(&answer));
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), Some(grant));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_ends_takes_its_connections_and_no_others() {
    let server = RedisServer::start();
    let (store, reader) = both(&server);
    let (store, reader) = (Arc::new(store), Arc::new(reader));
    let (grant, id) = (grant(), client().id);
    let asking = {
        let (store, reader, grant) = (Arc::clone(&store), Arc::clone(&reader), grant.clone());
        // a server's worker: a thread with a runtime of its own, both gone afterwards
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                begun(&*store, grant.clone()).await;
                assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), Some(grant));
            });
        })
    };
    tokio::task::spawn_blocking(|| asking.join())
        .await
        .unwrap()
        .unwrap();
    let connections = || -> usize {
        let list: String = redis::cmd("CLIENT")
            .arg("LIST")
            .query(&mut server.connection())
            .unwrap();
        list.lines().filter(|line| !line.contains("cmd=client")).count()
    };
    assert_eq!(connections(), 0, "they went with their thread");
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), Some(grant));
    assert_eq!(store.client(&id, NOW).await.unwrap(), None);
    assert_eq!(connections(), 2, "this thread's own");
}

/// A `PING` is what a connection is tried with, and sent by nothing else.
#[tokio::test]
async fn a_connection_that_rested_is_tried_and_one_that_was_just_made_is_not() {
    let server = RedisServer::start();
    let (store, _) = both(&server);
    let tried = || {
        let commands: String = redis::cmd("INFO")
            .arg("commandstats")
            .query(&mut server.connection())
            .unwrap();
        commands.contains("cmdstat_ping:")
    };
    assert_eq!(store.client(&client().id, NOW).await.unwrap(), None);
    assert!(!tried(), "it is new");
    until("a connection that rested is tried", async || {
        store.client(&client().id, NOW).await.unwrap();
        tried()
    })
    .await;
}

#[tokio::test]
async fn what_a_thread_asks_at_the_same_time_goes_over_one_connection() {
    let server = RedisServer::start();
    let (store, _) = both(&server);
    let id = client().id;
    let questions = (0..64).map(|_| store.client(&id, NOW));
    for answer in futures_util::future::join_all(questions).await {
        assert_eq!(answer.unwrap(), None);
    }
    let made: String = redis::cmd("INFO")
        .arg("stats")
        .query(&mut server.connection())
        .unwrap();
    // the other one asks this
    assert!(made.contains("total_connections_received:2\r"), "{made}");
}

/// While nobody asks: what hung up then must not meet the next question.
#[tokio::test]
async fn a_connection_that_redis_closed_is_replaced_before_the_next_question() {
    let server = RedisServer::start();
    let (store, _) = both(&server);
    for _ in 0..20 {
        assert_eq!(store.client(&client().id, NOW).await.unwrap(), None);
        redis::cmd("CLIENT")
            .arg("KILL")
            .arg("TYPE")
            .arg("normal")
            .exec(&mut server.connection())
            .unwrap();
        until("the connection is gone", async || {
            let list: String = redis::cmd("CLIENT")
                .arg("LIST")
                .query(&mut server.connection())
                .unwrap();
            list.lines().count() == 1
        })
        .await;
        // its end has arrived, and is seen when its driver has had a turn
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_password_that_is_put_right_in_redis_is_enough() {
    let server = RedisServer::start();
    let mut options = server.options();
    options.password = Some(Secret::presented("later".into()));
    let (store, reader) = (
        RedisStore::connect(&options).unwrap(),
        RedisReader::connect(&options).unwrap(),
    );
    for _ in 0..2 {
        assert!(matches!(store.health(NOW).await, Err(StoreError::Refused(_))));
        assert!(matches!(reader.health(NOW).await, Err(StoreError::Refused(_))));
    }
    let set = redis::cmd("CONFIG")
        .arg("SET")
        .arg("requirepass")
        .arg("later")
        .exec(&mut server.connection());
    set.unwrap();
    let (grant, _) = begun(&store, grant()).await;
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), Some(grant));
}

/// What would be written for somebody who is blocked would have to be taken back, and Redis can go away in between.
#[tokio::test]
async fn nothing_is_written_for_a_user_who_is_blocked() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.options()).unwrap();
    let blocked = grant();
    let user = blocked.user.clone().unwrap();
    store.block(&Person::Id(user.id), NOW).await.unwrap();
    let written = || -> u64 {
        let commands: String = redis::cmd("INFO")
            .arg("commandstats")
            .query(&mut server.connection())
            .unwrap();
        ["set", "zadd"]
            .iter()
            .filter_map(|name| {
                commands
                    .split(&format!("cmdstat_{name}:calls="))
                    .nth(1)?
                    .split(',')
                    .next()
            })
            .map(|calls| calls.parse::<u64>().unwrap())
            .sum()
    };
    let before = written();
    assert!(before > 0, "the block");
    assert_eq!(store.add_grant(&blocked, NOW).await.unwrap(), Begun::Refused);
    assert_eq!(written(), before);
}

/// A name can lead to another Redis from one moment to the next, and only a new connection finds out.
#[tokio::test]
async fn a_connection_to_what_became_a_replica_is_made_anew_for_each_question() {
    let server = RedisServer::start();
    let (store, _) = both(&server);
    store.add_client(&client(), NOW).await.unwrap();
    let nobody = mcp_gateway_store::testing::free_port();
    let mut demote = redis::cmd("REPLICAOF");
    demote.arg("127.0.0.1").arg(nobody);
    demote.exec(&mut server.connection()).unwrap();
    let made = || -> u64 {
        let told: String = redis::cmd("INFO")
            .arg("stats")
            .query(&mut server.connection())
            .unwrap();
        let (_, made) = told.split_once("total_connections_received:").unwrap();
        made.split_once('\r').unwrap().0.parse().unwrap()
    };
    assert!(unavailable(&store.add_client(&client(), NOW).await));
    let before = made();
    for _ in 0..3 {
        assert!(unavailable(&store.add_client(&client(), NOW).await));
    }
    // the other one asks this
    assert_eq!(made(), before + 4);
}

#[tokio::test]
async fn a_proxy_that_speaks_an_older_protocol_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("old.conf");
    std::fs::write(&file, "rename-command HELLO \"\"\n").unwrap();
    let server = RedisServer::with(RedisSetup {
        settings: vec![format!("include {}", file.display())],
        ..RedisSetup::default()
    });
    let (store, _) = both(&server);
    let fault = store.client(&client().id, NOW).await.unwrap_err();
    assert!(matches!(fault, StoreError::Refused(_)), "{fault:?}");
    assert!(fault.to_string().contains("RESP3"), "{fault}");
}
