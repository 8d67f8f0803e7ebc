//! The ring of signing keys.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::sync::Arc;

use mcp_gateway_store::{KeyRing, Store, Swapped};

use crate::{
    contract::contract,
    samples::{NOW, ring},
};

contract!(
    a_new_store_has_no_keys,
    a_ring_is_replaced_by_the_next_revision_only,
    the_public_keys_are_published_with_the_ring,
    of_32_processes_one_makes_the_first_ring,
    a_store_that_answers_is_healthy_and_has_nothing_to_hide,
);

async fn a_new_store_has_no_keys(store: Arc<dyn Store>) {
    assert_eq!(store.key_ring().await.unwrap(), KeyRing::default());
    assert_eq!(store.public_keys().await.unwrap(), []);
}

async fn a_ring_is_replaced_by_the_next_revision_only(store: Arc<dyn Store>) {
    for (revision, answer) in [
        (0, Swapped::Outdated),
        (2, Swapped::Outdated),
        (1, Swapped::Done),
        (1, Swapped::Outdated),
        (2, Swapped::Done),
        (4, Swapped::Outdated),
    ] {
        let ring = ring(revision, &revision.to_string());
        assert_eq!(
            store.replace_key_ring(&ring).await.unwrap(),
            answer,
            "revision {revision}"
        );
    }
    assert_eq!(store.key_ring().await.unwrap(), ring(2, "2"));
}

async fn the_public_keys_are_published_with_the_ring(store: Arc<dyn Store>) {
    for (revision, secret) in [(1, "one"), (2, "two")] {
        let ring = ring(revision, secret);
        store.replace_key_ring(&ring).await.unwrap();
        assert_eq!(store.public_keys().await.unwrap(), ring.public_keys());
    }
}

async fn of_32_processes_one_makes_the_first_ring(store: Arc<dyn Store>) {
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let ring = ring(1, &n.to_string());
                (store.replace_key_ring(&ring).await.unwrap(), ring)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        if let (Swapped::Done, ring) = task.await.unwrap() {
            winners.push(ring);
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(store.key_ring().await.unwrap(), winners[0]);
    assert_eq!(store.public_keys().await.unwrap(), winners[0].public_keys());
}

async fn a_store_that_answers_is_healthy_and_has_nothing_to_hide(store: Arc<dyn Store>) {
    store.health(NOW).await.unwrap();
    store.inspect(NOW).await.unwrap();
}
