//! Grants and their codes.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::sync::Arc;

use mcp_gateway_model::grant::{Grant, GrantKind};
use mcp_gateway_store::{Begun, Prolonged, Redemption, Store, StoreError};

use crate::{
    contract::contract,
    samples::{NOW, after, begun, code_of, digest, grant, grant_of, presented, redeem, user_of},
};

contract!(
    a_grant_lives_until_it_ends,
    a_grant_cannot_begin_twice,
    a_grant_without_a_code_lives_until_it_ends_and_is_found_by_its_client,
    a_grant_without_a_code_does_not_begin_for_a_client_that_was_removed,
    ending_a_grant_says_whether_it_lived,
    a_code_is_known_by_its_digest_only,
    an_unused_code_ends_and_a_used_one_is_remembered,
    of_32_redeemers_one_gets_the_grant,
    a_code_of_an_ended_grant_is_unknown,
    a_replayed_code_ends_the_grant_whatever_the_first_use_does,
    a_replay_that_ends_the_grant_before_tokens_are_issued_wins,
    the_grants_of_a_user_and_of_a_client_are_the_living_ones,
    the_indexes_remember_a_grant_for_as_long_as_it_was_prolonged,
);

async fn a_grant_lives_until_it_ends(store: Arc<dyn Store>) {
    let unknown = grant();
    assert_eq!(store.grant(&unknown.id, NOW).await.unwrap(), None);
    let (grant, _) = begun(&*store, unknown).await;
    assert_eq!(
        store.grant(&grant.id, after(59)).await.unwrap(),
        Some(grant.clone())
    );
    assert_eq!(store.grant(&grant.id, after(60)).await.unwrap(), None);
}

async fn a_grant_cannot_begin_twice(store: Arc<dyn Store>) {
    let (grant, code) = begun(&*store, grant()).await;
    let again = store.begin_grant(&grant, &code, after(86400), NOW).await;
    assert!(matches!(again, Err(StoreError::Refused(_))), "{again:?}");
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), Some(grant));
}

async fn a_grant_without_a_code_lives_until_it_ends_and_is_found_by_its_client(store: Arc<dyn Store>) {
    let own = Grant {
        user: None,
        kind: GrantKind::ClientCredentials,
        ..grant()
    };
    assert_eq!(store.add_grant(&own, NOW).await.unwrap(), Begun::Yes);
    assert_eq!(store.grant(&own.id, after(59)).await.unwrap(), Some(own.clone()));
    assert_eq!(store.grant(&own.id, after(60)).await.unwrap(), None);
    let again = store.add_grant(&own, NOW).await;
    assert!(matches!(again, Err(StoreError::Refused(_))), "{again:?}");
    assert_eq!(
        store.grants_of_client(&own.client, NOW).await.unwrap(),
        std::slice::from_ref(&own)
    );
    assert_eq!(store.end_client(&own.client, NOW).await.unwrap(), 1);
    assert_eq!(store.grant(&own.id, NOW).await.unwrap(), None);
}

async fn a_grant_without_a_code_does_not_begin_for_a_client_that_was_removed(store: Arc<dyn Store>) {
    let late = grant();
    store.end_client(&late.client, NOW).await.unwrap();
    assert_eq!(store.add_grant(&late, NOW).await.unwrap(), Begun::Refused);
    assert_eq!(store.grant(&late.id, NOW).await.unwrap(), None);
    assert_eq!(store.grants_of_user(user_of(&late), NOW).await.unwrap(), []);
}

async fn ending_a_grant_says_whether_it_lived(store: Arc<dyn Store>) {
    let (first, _) = begun(&*store, grant()).await;
    assert!(store.end_grant(&first.id, NOW).await.unwrap());
    assert!(!store.end_grant(&first.id, NOW).await.unwrap());
    assert_eq!(store.grant(&first.id, NOW).await.unwrap(), None);
    let (second, _) = begun(&*store, grant()).await;
    assert!(!store.end_grant(&second.id, after(60)).await.unwrap());
    assert!(!store.end_grant(&grant().id, NOW).await.unwrap());
}

async fn a_code_is_known_by_its_digest_only(store: Arc<dyn Store>) {
    let (grant, code) = begun(&*store, grant()).await;
    assert_eq!(
        store.code(&grant.id, &code.digest, NOW).await.unwrap(),
        Some(code)
    );
    assert_eq!(store.code(&grant.id, &digest("guess"), NOW).await.unwrap(), None);
    assert_eq!(
        redeem(&*store, &grant.id, &digest("guess"), NOW).await,
        Redemption::Unknown
    );
}

async fn an_unused_code_ends_and_a_used_one_is_remembered(store: Arc<dyn Store>) {
    let (unused, code) = begun(&*store, grant()).await;
    assert!(
        store
            .code(&unused.id, &code.digest, after(59))
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(
        store.code(&unused.id, &code.digest, after(60)).await.unwrap(),
        None
    );
    assert_eq!(
        redeem(&*store, &unused.id, &code.digest, after(60)).await,
        Redemption::Unknown
    );

    let (used, code) = begun(&*store, grant()).await;
    let first = redeem(&*store, &used.id, &code.digest, after(59)).await;
    let granted = Redemption::Granted {
        grant: Box::new(used.clone()),
        current: 1,
    };
    assert_eq!(first, granted);
    assert_eq!(
        store.code(&used.id, &code.digest, after(86399)).await.unwrap(),
        Some(code.clone())
    );
    assert_eq!(
        redeem(&*store, &used.id, &code.digest, after(86399)).await,
        Redemption::Replayed
    );
    assert_eq!(
        store.code(&used.id, &code.digest, after(86400)).await.unwrap(),
        None
    );
    assert_eq!(
        redeem(&*store, &used.id, &code.digest, after(86400)).await,
        Redemption::Unknown
    );
}

async fn of_32_redeemers_one_gets_the_grant(store: Arc<dyn Store>) {
    let (grant, code) = begun(&*store, grant()).await;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (store, id, digest) = (Arc::clone(&store), grant.id.clone(), code.digest);
            tokio::spawn(async move { redeem(&*store, &id, &digest, NOW).await })
        })
        .collect();
    let (mut granted, mut replayed) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Redemption::Granted { .. } => granted += 1,
            Redemption::Replayed => replayed += 1,
            Redemption::Unknown | Redemption::Ended => panic!("the code is known"),
        }
    }
    assert_eq!((granted, replayed), (1, 31));
}

async fn a_code_of_an_ended_grant_is_unknown(store: Arc<dyn Store>) {
    let (grant, code) = begun(&*store, grant()).await;
    store.end_grant(&grant.id, NOW).await.unwrap();
    assert_eq!(
        redeem(&*store, &grant.id, &code.digest, NOW).await,
        Redemption::Unknown
    );
}

/// Many times over: one redeems and has tokens issued, another replays the code and ends the grant.
async fn a_replayed_code_ends_the_grant_whatever_the_first_use_does(store: Arc<dyn Store>) {
    for _ in 0..32 {
        let (grant, code) = begun(&*store, grant()).await;
        let both: Vec<_> = (0..2)
            .map(|_| {
                let (store, id, digest) = (Arc::clone(&store), grant.id.clone(), code.digest);
                tokio::spawn(async move {
                    match redeem(&*store, &id, &digest, NOW).await {
                        Redemption::Granted { .. } => {
                            store.prolong(&id, after(86400), NOW).await.unwrap();
                        }
                        Redemption::Replayed => drop(store.end_grant(&id, NOW).await.unwrap()),
                        Redemption::Unknown | Redemption::Ended => {}
                    }
                })
            })
            .collect();
        for task in both {
            task.await.unwrap();
        }
        assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
        assert!(!store.refresh_is_live(&grant.id, presented(1), NOW).await.unwrap());
        assert_eq!(store.grants_of_user(user_of(&grant), NOW).await.unwrap(), []);
    }
}

async fn a_replay_that_ends_the_grant_before_tokens_are_issued_wins(store: Arc<dyn Store>) {
    let (grant, code) = begun(&*store, grant()).await;
    let first = redeem(&*store, &grant.id, &code.digest, NOW).await;
    assert!(matches!(first, Redemption::Granted { .. }));
    assert_eq!(
        redeem(&*store, &grant.id, &code.digest, NOW).await,
        Redemption::Replayed
    );
    assert!(store.end_grant(&grant.id, NOW).await.unwrap());
    assert_eq!(
        store.prolong(&grant.id, after(86400), NOW).await.unwrap(),
        Prolonged::Ended
    );
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
}

async fn the_grants_of_a_user_and_of_a_client_are_the_living_ones(store: Arc<dyn Store>) {
    let (ended, _) = begun(&*store, grant()).await;
    let (short, _) = begun(&*store, grant_of(&ended.client, 2)).await;
    let (long, _) = begun(&*store, grant_of(&ended.client, 2)).await;
    store.end_grant(&ended.id, NOW).await.unwrap();
    store.prolong(&long.id, after(86400), NOW).await.unwrap();

    let of_client = store.grants_of_client(&ended.client, NOW).await.unwrap();
    let mut ids: Vec<_> = of_client.into_iter().map(|grant| grant.id).collect();
    let mut expected = vec![short.id.clone(), long.id.clone()];
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);

    // the index follows a grant that is prolonged far beyond its first end
    let of_user = store.grants_of_user(user_of(&short), after(86399)).await.unwrap();
    assert_eq!(
        of_user.into_iter().map(|grant| grant.id).collect::<Vec<_>>(),
        std::slice::from_ref(&long.id)
    );
    assert_eq!(store.grants_of_user(user_of(&ended), NOW).await.unwrap(), []);
    assert_eq!(
        store
            .grants_of_client(&code_of(&grant()).client, NOW)
            .await
            .unwrap(),
        []
    );
}

async fn the_indexes_remember_a_grant_for_as_long_as_it_was_prolonged(store: Arc<dyn Store>) {
    let (first, _) = begun(&*store, grant()).await;
    store.prolong(&first.id, after(86400), NOW).await.unwrap();
    // adding to an index sweeps it
    let mut second = grant_of(&first.client, user_of(&first).0);
    second.expires_at = after(80_060);
    let code = code_of(&second);
    store
        .begin_grant(&second, &code, after(86400), after(80_000))
        .await
        .unwrap();
    assert_eq!(
        store
            .grants_of_client(&first.client, after(80_000))
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        store
            .grants_of_user(user_of(&first), after(80_000))
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(store.end_client(&first.client, after(80_000)).await.unwrap(), 2);
}
