//! Redis Cluster: six real processes.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::{sync::Arc, time::Duration};

use mcp_gateway_model::{clock::Clock, clock::SystemClock, grant::Grant};
use mcp_gateway_store::{
    GrantReader, RedisOptions, RedisReader, RedisStore, Store, StoreError,
    testing::{RedisCluster, RedisSetup},
};
use tokio::task::JoinSet;

use crate::{
    contract::facts,
    patience::until,
    samples::{NOW, begun, client, grant, grant_of, ring},
    walk::{still_there, walk},
};

/// How many facts are looked at together.
const TOGETHER: usize = 4;

fn below(cluster: &RedisCluster, prefix: &str) -> RedisOptions {
    let mut options = cluster.options();
    options.prefix = format!("{prefix}:");
    options
}

/// A cluster is started once for all facts: each has a prefix of its own there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_fact_of_the_contract_holds_on_a_cluster() {
    let cluster = RedisCluster::start();
    let (mut running, mut failed) = (JoinSet::new(), Vec::new());
    let mut open = facts().into_iter().enumerate();
    loop {
        while running.len() < TOGETHER
            && let Some((number, (name, fact))) = open.next()
        {
            let store = RedisStore::connect(&below(&cluster, &format!("fact-{number}"))).unwrap();
            running.spawn(async move {
                let done = tokio::spawn(fact(Arc::new(store))).await;
                (name, done.is_ok())
            });
        }
        match running.join_next().await {
            None => break,
            Some(Ok((_, true))) => {}
            Some(Ok((name, false))) => failed.push(name),
            Some(Err(fault)) => panic!("{fault}"),
        }
    }
    assert!(failed.is_empty(), "these do not hold: {failed:?}");
}

#[tokio::test]
async fn store_and_reader_work_on_a_cluster_whose_nodes_want_a_password() {
    let cluster = RedisCluster::with(&RedisSetup {
        password: Some("the-word".into()),
        settings: vec!["masterauth the-word".into()],
        ..RedisSetup::default()
    });
    let options = RedisOptions::new(cluster.url_for(":the-word@"));
    let store = RedisStore::connect(&options).unwrap();
    let reader = RedisReader::connect(&options).unwrap();
    assert!(reader.watch().is_none(), "nothing is remembered");
    let walked = walk(&store).await;
    still_there(&store, &walked).await;
    assert_eq!(
        reader.grant(&walked.grant.id, NOW).await.unwrap(),
        Some(walked.grant)
    );
    assert_eq!(reader.public_keys().await.unwrap(), ring(1, "key").public_keys());
    reader.health(SystemClock.now()).await.unwrap();
    store.health(SystemClock.now()).await.unwrap();
    let warnings = store.inspect(SystemClock.now()).await.unwrap();
    assert!(
        warnings
            .iter()
            .any(|warning| warning.0.contains("appendonly is no")),
        "{warnings:?}"
    );

    let wrong = RedisOptions::new(cluster.url_for(":another@"));
    let answer = RedisStore::connect(&wrong).unwrap().health(NOW).await;
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
    let answer = RedisReader::connect(&wrong).unwrap().health(NOW).await;
    assert!(matches!(answer, Err(StoreError::Refused(_))), "{answer:?}");
}

#[tokio::test]
async fn a_cluster_that_speaks_tls_only_is_reached_with_its_authority_and_not_without() {
    let cluster = RedisCluster::with(&RedisSetup {
        tls: true,
        ..RedisSetup::default()
    });
    let options = cluster.options();
    let store = RedisStore::connect(&options).unwrap();
    let walked = walk(&store).await;
    still_there(&store, &walked).await;
    let reader = RedisReader::connect(&options).unwrap();
    assert_eq!(
        reader.grant(&walked.grant.id, NOW).await.unwrap(),
        Some(walked.grant)
    );
    let answer = RedisStore::connect(&RedisOptions::new(cluster.url()))
        .unwrap()
        .health(NOW)
        .await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}

/// Grants whose ids lie in every part of the cluster.
async fn many_grants(store: &RedisStore) -> Vec<Grant> {
    let client = client();
    store.add_client(&client, NOW).await.unwrap();
    let mut grants = Vec::new();
    for _ in 0..24 {
        grants.push(begun(store, grant_of(&client.id, 583_231)).await.0);
    }
    grants
}

async fn all_there(store: &RedisStore, reader: &RedisReader, grants: &[Grant]) {
    for grant in grants {
        assert_eq!(reader.grant(&grant.id, NOW).await.unwrap().as_ref(), Some(grant));
        assert_eq!(store.grant(&grant.id, NOW).await.unwrap().as_ref(), Some(grant));
    }
    let found = store.grants_of_client(&grants[0].client, NOW).await.unwrap();
    assert_eq!(found.len(), grants.len(), "keys of all slots in one answer");
}

#[tokio::test]
async fn keys_on_the_move_and_keys_that_moved_are_found() {
    let cluster = RedisCluster::start();
    let store = RedisStore::connect(&cluster.options()).unwrap();
    let reader = RedisReader::connect(&cluster.options()).unwrap();
    let grants = many_grants(&store).await;
    all_there(&store, &reader, &grants).await;

    let moving = &grants[0];
    let slot = keyslot(&cluster, &format!("mcpgw:grant:{{{}}}", moving.id));
    let from = RedisCluster::master_of(slot);
    let to = (from + 1) % 3;
    cluster.open_slot(slot, from, to);
    all_there(&store, &reader, &grants).await;
    cluster.close_slot(slot, to);
    all_there(&store, &reader, &grants).await;
    assert!(store.end_grant(&moving.id, NOW).await.unwrap());
    assert_eq!(reader.grant(&moving.id, NOW).await.unwrap(), None);
}

fn keyslot(cluster: &RedisCluster, key: &str) -> u16 {
    let mut ask = redis::cmd("CLUSTER");
    ask.arg("KEYSLOT").arg(key);
    ask.query(&mut cluster.nodes()[0].connection()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_the_place_of_a_master_that_died() {
    let mut cluster = RedisCluster::start();
    let mut options = cluster.options();
    options.timeout = Duration::from_millis(500);
    options.wait_replicas = 1;
    let store = RedisStore::connect(&options).unwrap();
    let reader = RedisReader::connect(&options).unwrap();
    let grants = many_grants(&store).await;
    cluster.kill(1);
    let lost = grants.iter().find(|grant| {
        let slot = keyslot(&cluster, &format!("mcpgw:grant:{{{}}}", grant.id));
        RedisCluster::master_of(slot) == 1
    });
    let answer = reader.grant(&lost.unwrap().id, NOW).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    cluster.wait_for_successor(1);
    until("store and reader have found the new master", async || {
        reader.grant(&lost.unwrap().id, NOW).await.is_ok()
            && store.grant(&lost.unwrap().id, NOW).await.is_ok()
    })
    .await;
    all_there(&store, &reader, &grants).await;
    let ended = store.end_grant(&lost.unwrap().id, NOW).await;
    assert!(
        matches!(ended, Err(StoreError::Unavailable(_))),
        "no replica is left to acknowledge it: {ended:?}"
    );
    let alone = RedisStore::connect(&cluster.options()).unwrap();
    let (new, _) = begun(&alone, grant()).await;
    assert_eq!(reader.grant(&new.id, NOW).await.unwrap(), Some(new));
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_unavailable_and_used_once_it_is() {
    let mut cluster = RedisCluster::start();
    let options = cluster.options();
    for place in 0..6 {
        cluster.kill(place);
    }
    let store = RedisStore::connect(&options).unwrap();
    let reader = RedisReader::connect(&options).unwrap();
    for _ in 0..3 {
        let answers = (store.health(NOW).await, reader.health(NOW).await);
        assert!(
            matches!(answers.0, Err(StoreError::Unavailable(_))),
            "{answers:?}"
        );
        assert!(
            matches!(answers.1, Err(StoreError::Unavailable(_))),
            "{answers:?}"
        );
    }
    for place in 0..6 {
        cluster.restart(place);
    }
    until("the cluster is used", async || {
        store.health(NOW).await.is_ok() && reader.health(NOW).await.is_ok()
    })
    .await;
    // that one node answers does not mean that all do
    cluster.wait_until_whole();
    let (grant, _) = begun(&store, grant()).await;
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), Some(grant));
}
