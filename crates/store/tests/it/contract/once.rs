//! Names that are good for one use.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::sync::Arc;

use mcp_gateway_store::Store;

use crate::{
    contract::contract,
    samples::{NOW, after, digest},
};

contract!(
    a_name_is_used_once_until_it_ends,
    of_32_users_of_a_name_one_is_the_first,
    of_32_users_of_a_name_that_ended_one_is_the_first,
);

async fn a_name_is_used_once_until_it_ends(store: Arc<dyn Store>) {
    let use_at = async |name, now| store.use_once(&digest(name), after(300), now).await.unwrap();
    assert!(use_at("a", NOW).await);
    assert!(!use_at("a", NOW).await);
    assert!(!use_at("a", after(299)).await);
    assert!(use_at("b", NOW).await, "names do not share");
    assert!(
        store
            .use_once(&digest("a"), after(600), after(300))
            .await
            .unwrap()
    );
    assert!(
        !store
            .use_once(&digest("a"), after(900), after(599))
            .await
            .unwrap()
    );
}

async fn winners(store: &Arc<dyn Store>, from: u64) -> usize {
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let used = store.use_once(&digest("a"), after(from + 300), after(from)).await;
                used.unwrap()
            })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += usize::from(task.await.unwrap());
    }
    winners
}

async fn of_32_users_of_a_name_one_is_the_first(store: Arc<dyn Store>) {
    assert_eq!(winners(&store, 0).await, 1);
}

async fn of_32_users_of_a_name_that_ended_one_is_the_first(store: Arc<dyn Store>) {
    assert_eq!(winners(&store, 0).await, 1);
    assert_eq!(winners(&store, 300).await, 1);
}
