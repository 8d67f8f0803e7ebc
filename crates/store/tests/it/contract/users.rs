//! Logins of the allow-list, pinned to the first user they admit.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::sync::Arc;

use mcp_gateway_model::id::{Login, UserId};
use mcp_gateway_store::{Pin, Store};

use crate::contract::contract;

contract!(
    a_login_is_pinned_to_the_first_user_it_admits,
    of_32_users_one_gets_the_pin,
    an_unpinned_login_can_be_pinned_again,
    looking_whom_a_login_is_pinned_to_pins_nobody,
);

fn octocat() -> Login {
    Login::parse("octocat").unwrap()
}

async fn a_login_is_pinned_to_the_first_user_it_admits(store: Arc<dyn Store>) {
    assert_eq!(store.pin(&octocat(), UserId(1)).await.unwrap(), Pin::Theirs);
    assert_eq!(store.pin(&octocat(), UserId(1)).await.unwrap(), Pin::Theirs);
    assert_eq!(
        store.pin(&octocat(), UserId(2)).await.unwrap(),
        Pin::Taken(UserId(1))
    );
    let other = Login::parse("octocat[bot]").unwrap();
    assert_eq!(store.pin(&other, UserId(2)).await.unwrap(), Pin::Theirs);
}

async fn of_32_users_one_gets_the_pin(store: Arc<dyn Store>) {
    let tasks: Vec<_> = (1..=32)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { (n, store.pin(&octocat(), UserId(n)).await.unwrap()) })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    let winners: Vec<_> = answers
        .iter()
        .filter(|(_, pin)| *pin == Pin::Theirs)
        .map(|(n, _)| *n)
        .collect();
    assert_eq!(winners.len(), 1);
    let losers = answers
        .iter()
        .filter(|(_, pin)| *pin == Pin::Taken(UserId(winners[0])));
    assert_eq!(losers.count(), 31);
}

async fn an_unpinned_login_can_be_pinned_again(store: Arc<dyn Store>) {
    assert_eq!(store.unpin(&octocat()).await.unwrap(), None);
    store.pin(&octocat(), UserId(1)).await.unwrap();
    assert_eq!(store.unpin(&octocat()).await.unwrap(), Some(UserId(1)));
    assert_eq!(store.pin(&octocat(), UserId(2)).await.unwrap(), Pin::Theirs);
}

async fn looking_whom_a_login_is_pinned_to_pins_nobody(store: Arc<dyn Store>) {
    assert_eq!(store.pinned(&octocat()).await.unwrap(), None);
    assert_eq!(store.pin(&octocat(), UserId(1)).await.unwrap(), Pin::Theirs);
    assert_eq!(store.pinned(&octocat()).await.unwrap(), Some(UserId(1)));
    let other = Login::parse("hubot").unwrap();
    assert_eq!(store.pinned(&other).await.unwrap(), None);
}
