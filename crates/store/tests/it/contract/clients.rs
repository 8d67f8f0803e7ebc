//! Clients: adding, replacing, using, removing.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::sync::Arc;

use mcp_gateway_model::{client::Client, id::ClientId};
use mcp_gateway_store::{Begun, Replaced, Store, StoreError};

use crate::{
    contract::contract,
    samples::{NOW, after, begun, client, code_of, grant_of},
};

contract!(
    an_added_client_is_there_until_it_expires,
    a_client_id_cannot_be_added_twice,
    no_client_takes_the_place_of_personal_access_tokens_or_of_the_api_key,
    a_client_that_expired_makes_room,
    of_32_replacements_one_wins,
    a_replacement_keeps_the_uses_noted_meanwhile,
    a_use_lengthens_a_client_and_never_shortens_it,
    a_use_does_not_bring_a_removed_client_back,
    removing_a_client_ends_its_grants_and_no_others,
    a_removed_client_gets_no_new_grant_and_keeps_its_id,
    no_grant_of_a_removed_client_survives_a_race,
);

async fn an_added_client_is_there_until_it_expires(store: Arc<dyn Store>) {
    let client = client();
    assert_eq!(store.client(&client.id, NOW).await.unwrap(), None);
    store.add_client(&client, NOW).await.unwrap();
    assert_eq!(
        store.client(&client.id, after(86399)).await.unwrap(),
        Some(client.clone())
    );
    assert_eq!(store.client(&client.id, after(86400)).await.unwrap(), None);
}

async fn a_client_id_cannot_be_added_twice(store: Arc<dyn Store>) {
    let client = client();
    store.add_client(&client, NOW).await.unwrap();
    let again = store.add_client(&client, NOW).await;
    assert!(matches!(again, Err(StoreError::Refused(_))), "{again:?}");
}

async fn no_client_takes_the_place_of_personal_access_tokens_or_of_the_api_key(store: Arc<dyn Store>) {
    for id in ["personal-access-token", "api-key"] {
        let id = ClientId::parse(id).unwrap();
        let reserved = Client { id, ..client() };
        let refused = store.add_client(&reserved, NOW).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
        assert_eq!(store.client(&reserved.id, NOW).await.unwrap(), None);
    }
}

async fn a_client_that_expired_makes_room(store: Arc<dyn Store>) {
    let client = client();
    store.add_client(&client, NOW).await.unwrap();
    store.add_client(&client, after(86400)).await.unwrap();
}

async fn of_32_replacements_one_wins(store: Arc<dyn Store>) {
    let old = client();
    store.add_client(&old, NOW).await.unwrap();
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let (store, mut new) = (
                Arc::clone(&store),
                Client {
                    revision: 1,
                    ..old.clone()
                },
            );
            new.metadata.client_name = Some(n.to_string());
            tokio::spawn(async move { (store.replace_client(&new, NOW).await.unwrap(), new) })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        if let (Replaced::Done, new) = task.await.unwrap() {
            winners.push(new);
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(store.client(&old.id, NOW).await.unwrap(), winners.pop());
}

async fn a_replacement_keeps_the_uses_noted_meanwhile(store: Arc<dyn Store>) {
    let client = client();
    let new = Client {
        revision: 1,
        ..client.clone()
    };
    assert_eq!(store.replace_client(&new, NOW).await.unwrap(), Replaced::Outdated);
    store.add_client(&client, NOW).await.unwrap();
    store
        .touch_client(&client.id, Some(after(99999)), true, NOW)
        .await
        .unwrap();
    assert_eq!(store.replace_client(&new, NOW).await.unwrap(), Replaced::Done);
    let found = store.client(&client.id, NOW).await.unwrap().unwrap();
    assert_eq!(
        (found.expires_at, found.seen, found.revision),
        (Some(after(99999)), true, 1)
    );
    assert_eq!(store.replace_client(&new, NOW).await.unwrap(), Replaced::Outdated);
}

async fn a_use_lengthens_a_client_and_never_shortens_it(store: Arc<dyn Store>) {
    let client = client();
    store.add_client(&client, NOW).await.unwrap();
    for (until, seen, expected) in [
        (Some(after(10)), false, (Some(after(86400)), false)),
        (Some(after(90000)), true, (Some(after(90000)), true)),
        (Some(after(20)), false, (Some(after(90000)), true)),
        (None, false, (None, true)),
        (Some(after(20)), false, (None, true)),
    ] {
        store.touch_client(&client.id, until, seen, NOW).await.unwrap();
        let found = store.client(&client.id, NOW).await.unwrap().unwrap();
        assert_eq!((found.expires_at, found.seen), expected);
    }
    assert!(
        store
            .client(&client.id, after(400_000_000))
            .await
            .unwrap()
            .is_some()
    );
}

async fn a_use_does_not_bring_a_removed_client_back(store: Arc<dyn Store>) {
    let client = client();
    store.add_client(&client, NOW).await.unwrap();
    store
        .touch_client(&client.id, None, true, after(86400))
        .await
        .unwrap();
    assert_eq!(store.client(&client.id, after(86400)).await.unwrap(), None);
    store.end_client(&client.id, NOW).await.unwrap();
    store.touch_client(&client.id, None, true, NOW).await.unwrap();
    assert_eq!(store.client(&client.id, NOW).await.unwrap(), None);
}

async fn removing_a_client_ends_its_grants_and_no_others(store: Arc<dyn Store>) {
    let (client, other) = (client(), client());
    store.add_client(&client, NOW).await.unwrap();
    let mut grants = Vec::new();
    for n in 0..3 {
        grants.push(begun(&*store, grant_of(&client.id, n)).await.0);
    }
    let (kept, _) = begun(&*store, grant_of(&other.id, 0)).await;
    assert_eq!(store.end_client(&client.id, NOW).await.unwrap(), 3);
    assert_eq!(store.client(&client.id, NOW).await.unwrap(), None);
    for grant in grants {
        assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
    }
    assert_eq!(store.grant(&kept.id, NOW).await.unwrap(), Some(kept));
    assert_eq!(store.end_client(&client.id, NOW).await.unwrap(), 0);
}

async fn a_removed_client_gets_no_new_grant_and_keeps_its_id(store: Arc<dyn Store>) {
    let client = client();
    store.add_client(&client, NOW).await.unwrap();
    store.end_client(&client.id, NOW).await.unwrap();
    let grant = grant_of(&client.id, 1);
    let code = code_of(&grant);
    let answer = store.begin_grant(&grant, &code, after(86400), NOW).await.unwrap();
    assert_eq!(answer, Begun::Refused);
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
    assert_eq!(store.code(&grant.id, &code.digest, NOW).await.unwrap(), None);
    assert_eq!(store.grants_of_client(&client.id, NOW).await.unwrap(), []);
    assert!(matches!(
        store.add_client(&client, NOW).await,
        Err(StoreError::Refused(_))
    ));
    let long_after = after(86400);
    let client = Client {
        expires_at: None,
        ..client
    };
    store.add_client(&client, long_after).await.unwrap();
}

async fn no_grant_of_a_removed_client_survives_a_race(store: Arc<dyn Store>) {
    let client = client();
    store.add_client(&client, NOW).await.unwrap();
    let beginners: Vec<_> = (0..32)
        .map(|n| {
            let (store, grant) = (Arc::clone(&store), grant_of(&client.id, n));
            tokio::spawn(async move {
                let code = code_of(&grant);
                store.begin_grant(&grant, &code, after(86400), NOW).await.unwrap();
                // a grant that began goes on at once, as it does when its code is redeemed
                store.prolong(&grant.id, after(86400), NOW).await.unwrap();
                grant.id
            })
        })
        .collect();
    let ending = {
        let (store, id) = (Arc::clone(&store), client.id.clone());
        tokio::spawn(async move { store.end_client(&id, NOW).await.unwrap() })
    };
    ending.await.unwrap();
    for beginner in beginners {
        let id = beginner.await.unwrap();
        assert_eq!(store.grant(&id, NOW).await.unwrap(), None);
    }
    assert_eq!(store.grants_of_client(&client.id, NOW).await.unwrap(), []);
}
