//! A master with replicas that sentinels watch: real processes, real failovers.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::{sync::Arc, time::Duration};

use mcp_gateway_model::{clock::Clock, clock::SystemClock, grant::Grant, secret::Secret};
use mcp_gateway_store::{
    GrantReader, RedisOptions, RedisReader, RedisStore, Store, StoreError, Warning, moment,
    testing::{RedisSetup, ReplicatedRedis, ReplicatedSetup},
};
use tokio::time::Instant;

use crate::{
    contract::facts,
    news::Followed,
    patience::until,
    samples::{NOW, begun, grant},
    walk::{still_there, walk},
};

/// For how long what a master said may be believed after another one took its place.
const LEASE: Duration = Duration::from_secs(2);

fn both(redis: &ReplicatedRedis) -> (RedisStore, RedisReader) {
    (
        RedisStore::connect(&redis.options()).unwrap(),
        RedisReader::connect(&redis.options()).unwrap(),
    )
}

async fn is_followed(store: &RedisStore, reader: &RedisReader, old: &Grant) {
    until("store and reader have found the new master", async || {
        store.grant(&old.id, NOW).await.is_ok() && reader.grant(&old.id, NOW).await.is_ok()
    })
    .await;
    assert_eq!(reader.grant(&old.id, NOW).await.unwrap().as_ref(), Some(old));
    let (new, _) = begun(store, grant()).await;
    assert_eq!(reader.grant(&new.id, NOW).await.unwrap(), Some(new));
}

/// What can be used once, and what ends, as it is used most: with replicas that have to acknowledge it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_contract_says_of_codes_and_refresh_tokens_holds_with_sentinels() {
    let redis = ReplicatedRedis::start();
    let chosen = facts().into_iter().filter(|(name, _)| {
        ["::codes::", "::refresh::", "::once::", "::blocks::"]
            .iter()
            .any(|part| name.contains(part))
    });
    let mut looked_at = 0;
    for (number, (name, fact)) in chosen.enumerate() {
        let mut options = redis.options();
        options.prefix = format!("fact-{number}:");
        let store = RedisStore::connect(&options).unwrap();
        let done = tokio::spawn(fact(Arc::new(store))).await;
        assert!(done.is_ok(), "{name}");
        looked_at += 1;
    }
    assert!(looked_at > 10, "{looked_at}");
}

#[tokio::test]
async fn a_master_that_died_is_replaced_and_nothing_is_lost() {
    let mut redis = ReplicatedRedis::start();
    let (store, reader) = both(&redis);
    let walked = walk(&store).await;
    assert!(reader.grant(&walked.grant.id, NOW).await.unwrap().is_some());
    redis.kill_first_master();
    let answer = store.grant(&walked.grant.id, NOW).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let answer = reader.grant(&walked.grant.id, NOW).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let _ = redis.wait_for_another_master();
    until("the store has found the new master", async || {
        store.health(NOW).await.is_ok()
    })
    .await;
    still_there(&store, &walked).await;
    is_followed(&store, &reader, &walked.grant).await;

    // the old one comes back, believes that it is the master, and is not asked
    redis.restart_first_master();
    for _ in 0..20 {
        assert!(reader.grant(&walked.grant.id, NOW).await.unwrap().is_some());
        assert!(store.grant(&walked.grant.id, NOW).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_failover_that_an_operator_orders_is_followed() {
    let redis = ReplicatedRedis::start();
    let (store, reader) = both(&redis);
    let (grant, _) = begun(&store, grant()).await;
    assert!(reader.grant(&grant.id, NOW).await.unwrap().is_some());
    redis.fail_over();
    let _ = redis.wait_for_another_master();
    is_followed(&store, &reader, &grant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_follows_the_master() {
    let mut redis = ReplicatedRedis::start();
    let (store, reader) = both(&redis);
    let watch = Followed::of(&reader);
    let now = || moment(&SystemClock);
    until("grants are remembered", async || watch.has_lease(now())).await;
    let remember = async || {
        let (grant, _) = begun(&store, grant()).await;
        let mark = watch.register(grant.id.as_str());
        assert!(reader.grant(&grant.id, NOW).await.unwrap().is_some());
        (grant, mark)
    };
    let (ending, mark) = remember().await;
    store.end_grant(&ending.id, NOW).await.unwrap();
    until("its end is heard of", async || !mark.holds(&watch, now())).await;

    let (staying, before) = remember().await;
    redis.kill_first_master();
    until("nothing is remembered of a master that died", async || {
        !watch.has_lease(now())
    })
    .await;
    let _ = redis.wait_for_another_master();
    is_followed(&store, &reader, &staying).await;
    until("grants are remembered again", async || watch.has_lease(now())).await;
    assert!(!before.holds(&watch, now()), "what the old master said");
    // of the news of its beginning, which may still come, a mark that is made after them knows nothing
    let mark = async || {
        let mark = watch.register(staying.id.as_str());
        assert!(reader.grant(&staying.id, NOW).await.unwrap().is_some());
        mark
    };
    let mut held = mark().await;
    until("what the new master says is remembered", async || {
        let holds = held.holds(&watch, now());
        held = mark().await;
        holds
    })
    .await;
    assert!(store.end_grant(&staying.id, NOW).await.unwrap());
    until("its end is heard of", async || !held.holds(&watch, now())).await;
    assert_eq!(reader.grant(&staying.id, NOW).await.unwrap(), None);
}

#[tokio::test]
async fn passwords_of_redis_and_of_the_sentinels_are_two() {
    let redis = ReplicatedRedis::with(ReplicatedSetup {
        redis: RedisSetup {
            password: Some("of-redis".into()),
            ..RedisSetup::default()
        },
        replicas: 1,
        sentinel_password: Some("of-sentinels".into()),
        ..ReplicatedSetup::default()
    });
    let (store, reader) = both(&redis);
    let (grant, _) = begun(&store, grant()).await;
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), Some(grant));
    store.health(SystemClock.now()).await.unwrap();

    let mut without = RedisOptions::new(redis.url_for(":of-redis@"));
    let answer = RedisStore::connect(&without).unwrap().health(NOW).await;
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
    without.sentinel_password = Some(Secret::presented("of-sentinels".into()));
    RedisStore::connect(&without).unwrap().health(NOW).await.unwrap();
    let mut wrong = RedisOptions::new(redis.url_for(":of-nothing@"));
    wrong.sentinel_password = Some(Secret::presented("of-sentinels".into()));
    let answer = RedisReader::connect(&wrong).unwrap().health(NOW).await;
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
}

#[tokio::test]
async fn redis_and_sentinels_that_speak_tls_only_are_reached_with_their_authority_and_not_without() {
    let redis = ReplicatedRedis::with(ReplicatedSetup {
        redis: RedisSetup {
            tls: true,
            ..RedisSetup::default()
        },
        replicas: 1,
        sentinel_password: Some("of-sentinels".into()),
        ..ReplicatedSetup::default()
    });
    let (store, reader) = both(&redis);
    let (grant, _) = begun(&store, grant()).await;
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), Some(grant));
    let watch = Followed::of(&reader);
    until("grants are remembered", async || {
        watch.has_lease(moment(&SystemClock))
    })
    .await;
    let mut without = redis.options();
    without.tls_ca_file = None;
    let answer = RedisStore::connect(&without).unwrap().health(NOW).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}

#[tokio::test]
async fn two_of_three_sentinels_are_enough_and_none_is_for_those_who_know_the_master() {
    let mut redis = ReplicatedRedis::start();
    redis.kill_sentinel(0);
    let (store, reader) = both(&redis);
    let (grant, _) = begun(&store, grant()).await;
    assert!(reader.grant(&grant.id, NOW).await.unwrap().is_some());
    redis.kill_sentinel(1);
    redis.kill_sentinel(2);
    assert!(reader.grant(&grant.id, NOW).await.unwrap().is_some());
    assert!(store.end_grant(&grant.id, NOW).await.unwrap());
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), None);
    let (newcomer, _) = both(&redis);
    let answer = newcomer.grant(&grant.id, NOW).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}

#[tokio::test]
async fn without_a_replica_that_acknowledges_nothing_is_believed() {
    let mut options = RedisOptions::new("redis+sentinel://127.0.0.1:1/the-master");
    options.wait_replicas = 0;
    let fault = RedisStore::connect(&options).unwrap_err();
    assert!(matches!(&fault, StoreError::Misconfigured(text) if text.contains("REDIS_WAIT_REPLICAS")));
    let fault = RedisReader::connect(&options).unwrap_err();
    assert!(matches!(&fault, StoreError::Misconfigured(text) if text.contains("REDIS_WAIT_REPLICAS")));
}

#[tokio::test]
async fn too_few_replicas_to_tell_two_masters_apart_are_warned_of() {
    let redis = ReplicatedRedis::with(ReplicatedSetup {
        replicas: 3,
        ..ReplicatedSetup::default()
    });
    let mut options = redis.options();
    for (wait, is_warned_of) in [(1, true), (2, false)] {
        options.wait_replicas = wait;
        let store = RedisStore::connect(&options).unwrap();
        let warnings = store.inspect(NOW).await.unwrap();
        let said = |warning: &Warning| warning.0.contains("waits for 1 of 3 replicas");
        assert_eq!(warnings.iter().any(said), is_warned_of, "{warnings:?}");
    }
}

/// The old master is cut off from replicas and sentinels, not from us, and knows of nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_master_that_is_cut_off_and_answers_is_believed_for_one_lease_at_most() {
    let mut redis = ReplicatedRedis::with(ReplicatedSetup {
        door: true,
        ..ReplicatedSetup::default()
    });
    let (store, reader) = both(&redis);
    // these know one sentinel, which dies: nobody tells them of the new master
    let lonely = redis.options_of_sentinel(0);
    let lonely_store = RedisStore::connect(&lonely).unwrap();
    let lonely_reader = RedisReader::connect(&lonely).unwrap();
    let all: [&dyn GrantReader; 4] = [&store, &reader, &lonely_store, &lonely_reader];
    let (ending, _) = begun(&store, grant()).await;
    let (staying, _) = begun(&store, grant()).await;
    for asked in all {
        assert!(asked.grant(&ending.id, NOW).await.unwrap().is_some());
    }
    let watch = Followed::of(&lonely_reader);
    let now = || moment(&SystemClock);
    until("grants are remembered", async || watch.has_lease(now())).await;
    let mark = watch.register(ending.id.as_str());
    assert!(lonely_reader.grant(&ending.id, NOW).await.unwrap().is_some());
    redis.kill_sentinel(0);
    redis.cut_off();
    for asked in all {
        assert!(
            asked.grant(&ending.id, NOW).await.unwrap().is_some(),
            "one lease is left"
        );
    }
    assert!(mark.holds(&watch, now()), "one lease is left");
    let _ = redis.wait_for_another_master();
    let ender = RedisStore::connect(&redis.options()).unwrap();
    until("the grant has ended on the new master", async || {
        ender.end_grant(&ending.id, NOW).await.is_ok()
    })
    .await;
    let since = Instant::now();

    while since.elapsed() < LEASE * 2 {
        let is_in_time = since.elapsed() < LEASE;
        assert!(
            is_in_time || !mark.holds(&watch, now()),
            "remembered {:?} after the end",
            since.elapsed()
        );
        for asked in all {
            let begun = Instant::now();
            let answer = asked.grant(&ending.id, NOW).await;
            let is_in_time = begun < since + LEASE;
            assert!(
                is_in_time || !matches!(answer, Ok(Some(_))),
                "believed {:?} after the end",
                since.elapsed()
            );
        }
    }
    assert!(raw(&redis, &ending), "the old master has it, and answers");
    for asked in [&lonely_store as &dyn GrantReader, &lonely_reader] {
        let answer = asked.grant(&staying.id, NOW).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    is_followed(&store, &reader, &staying).await;
    assert_eq!(reader.grant(&ending.id, NOW).await.unwrap(), None);
}

/// Whether the grant lies in the first master.
fn raw(redis: &ReplicatedRedis, grant: &Grant) -> bool {
    let key = format!("mcpgw:grant:{{{}}}", grant.id);
    let mut server = redis.servers()[0].connection();
    redis::cmd("EXISTS").arg(key).query(&mut server).unwrap()
}
