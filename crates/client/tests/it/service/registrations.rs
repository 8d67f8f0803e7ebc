//! Clients that were registered: facts of the [suite](super::store) that runs against every engine.

use std::sync::Arc;

use mcp_gateway_client::service::store::{Registration, Store};
use mcp_gateway_model::{clock::Timestamp, secret::Digest};

use super::{
    samples::{NOW, later, registration, user},
    store::at_once,
};

pub(super) async fn a_registration_is_found_by_what_was_asked_for_and_by_its_client(store: Arc<Store>) {
    let made = registration(None);
    store.put_registration(&made, later(9999), NOW).await.unwrap();
    assert_eq!(
        store.registration(&made.request, NOW).await.unwrap().as_ref(),
        Some(&made)
    );
    assert_eq!(known(&store, "octocat", NOW).await, [made.clone(), made.clone()]);
    assert_eq!(
        known(&store, "hubot", NOW).await,
        std::slice::from_ref(&made),
        "at its issuer, whoever names it"
    );
    assert!(
        store
            .registration(&Digest::of(b"else"), NOW)
            .await
            .unwrap()
            .is_none()
    );
    for (endpoint, issuer) in [
        ("https://evil.com/register", "https://auth.example.com"),
        ("https://auth.example.com/register", "https://evil.com"),
    ] {
        let whose = (&user("hubot"), issuer);
        let found = store.clients((endpoint, &made.client_id), whose, NOW).await;
        assert_eq!(found.unwrap(), []);
    }
}

/// The clients that a user knows by the name of the usual one.
async fn known(store: &Store, name: &str, now: Timestamp) -> Vec<Registration> {
    let made = registration(None);
    let whose = (&user(name), "https://auth.example.com");
    let found = store.clients((&made.endpoint, &made.client_id), whose, now);
    found.await.unwrap()
}

pub(super) async fn a_client_is_found_by_the_name_that_a_user_gave_it_whatever_others_register(
    store: Arc<Store>,
) {
    let made = registration(None);
    store.put_registration(&made, later(9999), NOW).await.unwrap();
    let others = Registration {
        user: user("mallory"),
        request: Digest::of(b"something else"),
        client_secret: None,
        ..made.clone()
    };
    store.put_registration(&others, later(9999), NOW).await.unwrap();
    assert_eq!(known(&store, "octocat", NOW).await, [made.clone(), made.clone()]);
    assert_eq!(known(&store, "hubot", NOW).await, std::slice::from_ref(&made));
    assert_eq!(
        known(&store, "mallory", NOW).await,
        [others.clone(), made.clone()]
    );
    // once it is gone the name is free
    store.forget_registration(&made.request, NOW).await.unwrap();
    store.put_registration(&others, later(9999), NOW).await.unwrap();
    assert_eq!(known(&store, "hubot", NOW).await, [others]);
}

pub(super) async fn a_registration_is_claimed_by_one_of_many_until_it_is_given_back(store: Arc<Store>) {
    let request = Digest::of(b"what is asked for");
    let answers = at_once(|| {
        let store = Arc::clone(&store);
        async move { store.claim_registration(&request, NOW).await.unwrap() }
    })
    .await;
    let mut claims: Vec<_> = answers.into_iter().flatten().collect();
    assert_eq!(claims.len(), 1);
    store.release(claims.pop().unwrap(), NOW).await.unwrap();
    assert!(store.claim_registration(&request, NOW).await.unwrap().is_some());
}

pub(super) async fn a_registration_whose_secret_has_ended_is_none(store: Arc<Store>) {
    let made = registration(Some(later(60)));
    store.put_registration(&made, later(9999), NOW).await.unwrap();
    assert!(
        store
            .registration(&made.request, later(59))
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        store
            .registration(&made.request, later(60))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(known(&store, "octocat", later(60)).await, []);
}

pub(super) async fn a_forgotten_registration_is_gone(store: Arc<Store>) {
    let made = registration(None);
    store.put_registration(&made, later(9999), NOW).await.unwrap();
    store.forget_registration(&made.request, NOW).await.unwrap();
    assert!(store.registration(&made.request, NOW).await.unwrap().is_none());
    assert_eq!(known(&store, "octocat", NOW).await, []);
}
