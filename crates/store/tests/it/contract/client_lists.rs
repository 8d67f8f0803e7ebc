//! The lists of clients: those that the operator entered, and those that nobody uses yet.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::{collections::BTreeSet, sync::Arc};

use mcp_gateway_model::{client::Client, id::ClientId};
use mcp_gateway_store::Store;

use crate::{
    contract::contract,
    samples::{NOW, after, begun, client, entered, grant_of, register},
};

contract!(
    the_operators_clients_are_listed_until_they_are_removed,
    above_the_bound_those_that_registered_first_go,
    a_client_that_is_used_or_has_a_grant_is_never_removed,
    clients_that_are_kept_alive_do_not_drive_out_a_new_one,
    of_many_registrations_at_once_no_more_stay_than_the_bound,
);

async fn ids(store: &dyn Store) -> BTreeSet<String> {
    let entered = store.entered_clients(NOW).await.unwrap();
    entered.iter().map(|client| client.id.to_string()).collect()
}

async fn the_operators_clients_are_listed_until_they_are_removed(store: Arc<dyn Store>) {
    assert!(ids(&*store).await.is_empty());
    store.add_client(&client(), NOW).await.unwrap();
    for id in ["robot", "agent"] {
        store.add_client(&entered(id), NOW).await.unwrap();
    }
    assert_eq!(
        ids(&*store).await,
        ["agent".to_owned(), "robot".to_owned()].into()
    );
    store
        .end_client(&ClientId::parse("robot").unwrap(), NOW)
        .await
        .unwrap();
    assert_eq!(ids(&*store).await, ["agent".to_owned()].into());
    let much_later = after(400_000_000);
    assert_eq!(store.entered_clients(much_later).await.unwrap().len(), 1);
}

/// Registers a client, so many seconds from now.
async fn registered(store: &dyn Store, begins: u64, most: u32) -> Client {
    let client = Client {
        issued_at: after(begins),
        expires_at: Some(after(begins)),
        ..client()
    };
    register(store, &client, most, NOW).await;
    client
}

async fn is_there(store: &dyn Store, client: &Client) -> bool {
    store.client(&client.id, NOW).await.unwrap().is_some()
}

async fn above_the_bound_those_that_registered_first_go(store: Arc<dyn Store>) {
    let mut all = Vec::new();
    for n in 0..6 {
        all.push(registered(&*store, 1000 + n, 3).await);
    }
    for (n, client) in all.iter().enumerate() {
        assert_eq!(is_there(&*store, client).await, n >= 3, "{n}");
    }
    // what has ended by itself makes room
    let late = Client {
        issued_at: after(2000),
        expires_at: Some(after(5000)),
        ..client()
    };
    assert_eq!(register(&*store, &late, 3, after(10_000)).await, 0);
}

async fn a_client_that_is_used_or_has_a_grant_is_never_removed(store: Arc<dyn Store>) {
    let used = registered(&*store, 1000, 2).await;
    store
        .touch_client(&used.id, Some(after(1000)), true, NOW)
        .await
        .unwrap();
    let granted = registered(&*store, 1000, 2).await;
    begun(&*store, grant_of(&granted.id, 1)).await;
    let mut others = Vec::new();
    for n in 0..6 {
        others.push(registered(&*store, 2000 + n, 2).await);
    }
    assert!(is_there(&*store, &used).await);
    assert!(is_there(&*store, &granted).await);
    for (n, client) in others.iter().enumerate() {
        assert_eq!(is_there(&*store, client).await, n >= 4, "{n}");
    }
}

async fn clients_that_are_kept_alive_do_not_drive_out_a_new_one(store: Arc<dyn Store>) {
    let mut kept = Vec::new();
    for n in 0..3 {
        let client = registered(&*store, 1000 + n, 3).await;
        let until = Some(after(900_000));
        store.touch_client(&client.id, until, false, NOW).await.unwrap();
        kept.push(client);
    }
    for n in 0..3 {
        let new = registered(&*store, 1010 + n, 3).await;
        assert!(is_there(&*store, &new).await, "{n}");
    }
    // nor do they stay for ever: it was their turn
    for client in &kept {
        assert!(!is_there(&*store, client).await);
    }
}

async fn of_many_registrations_at_once_no_more_stay_than_the_bound(store: Arc<dyn Store>) {
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { registered(&*store, 1000 + n, 8).await })
        })
        .collect();
    let mut there = 0;
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    for client in &all {
        there += u32::from(is_there(&*store, client).await);
    }
    assert_eq!(there, 8);
}
