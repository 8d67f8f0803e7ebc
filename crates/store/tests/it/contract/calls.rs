//! What the endpoints for clients do in one trip: with the permit that it needs, and on what was read a moment before.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::{sync::Arc, time::Duration};

use mcp_gateway_model::grant::{Grant, GrantKind};
use mcp_gateway_store::{
    Begun, Look, Permit, Permitted, Prolong, Rate, Redemption, Rotation, Store, StoreError,
};

use crate::{
    contract::contract,
    samples::{
        NOW, after, begun, chained, client, digest, grant, held, permitted, plenty, presented, redeem,
        register, rotate,
    },
};

contract!(
    a_look_sees_what_is_there_and_nothing_without_a_permit,
    a_registration_without_a_permit_adds_nothing,
    an_id_that_is_there_or_was_removed_is_not_registered_again,
    a_code_without_a_permit_is_not_used,
    a_refresh_token_without_a_permit_does_not_turn,
    a_grant_without_a_permit_does_not_begin,
    what_changed_since_it_was_read_is_read_again,
    of_16_who_hold_the_same_code_one_gets_the_grant,
    of_16_who_hold_the_same_refresh_token_one_turns_it,
);

/// A bucket that has one permit an hour.
fn one(name: &str) -> Permit {
    Permit {
        name: digest(name),
        rate: Rate {
            count: 1,
            period: Duration::from_secs(3600),
            burst: 1,
        },
    }
}

fn wait<T>() -> Permitted<T> {
    Permitted::Wait(Duration::from_secs(3600))
}

fn until_tomorrow(permit: Option<Permit>) -> Prolong {
    Prolong {
        permit,
        until: after(86_400),
    }
}

async fn a_look_sees_what_is_there_and_nothing_without_a_permit(store: Arc<dyn Store>) {
    let (client, (grant, code)) = (client(), begun(&*store, grant()).await);
    store.add_client(&client, NOW).await.unwrap();
    let look = Look {
        permit: Some(one("look")),
        client: Some(&client.id),
        grant: Some(&grant.id),
    };
    let seen = permitted(store.look(look, NOW).await.unwrap());
    assert_eq!(seen.client, Some(client.clone()));
    let lying = seen.grant.unwrap();
    assert_eq!(lying.grant(), Some(&grant));
    assert_eq!(lying.code(&code.digest, NOW), Some(&code));
    assert_eq!(lying.code(&digest("guess"), NOW), None);
    let without = store.look(look, NOW).await.unwrap();
    assert!(matches!(without, Permitted::Wait(_)), "{without:?}");
    let later = Look { permit: None, ..look };
    let seen = permitted(store.look(later, after(86_400)).await.unwrap());
    assert!(seen.client.is_none() && seen.grant.unwrap().grant().is_none());
}

async fn a_registration_without_a_permit_adds_nothing(store: Arc<dyn Store>) {
    let (first, second) = (client(), client());
    let add = async |client| {
        store
            .register_client(client, Some(one("register")), 10, NOW)
            .await
            .unwrap()
    };
    assert_eq!(add(&first).await, Permitted::Yes(0));
    assert_eq!(add(&second).await, wait());
    assert_eq!(store.client(&first.id, NOW).await.unwrap(), Some(first));
    assert_eq!(store.client(&second.id, NOW).await.unwrap(), None);
}

async fn an_id_that_is_there_or_was_removed_is_not_registered_again(store: Arc<dyn Store>) {
    let client = client();
    register(&*store, &client, 10, NOW).await;
    for _ in 0..2 {
        let permit = Some(plenty("register"));
        let again = store.register_client(&client, permit, 10, NOW).await;
        assert!(matches!(again, Err(StoreError::Refused(_))), "{again:?}");
        store.end_client(&client.id, NOW).await.unwrap();
    }
    // a day after it was removed the id is free
    assert_eq!(register(&*store, &client, 10, after(86_401)).await, 0);
}

async fn a_code_without_a_permit_is_not_used(store: Arc<dyn Store>) {
    let (grant, code) = begun(&*store, grant()).await;
    permitted(
        store
            .look(
                Look {
                    permit: Some(one("code")),
                    ..Look::default()
                },
                NOW,
            )
            .await
            .unwrap(),
    );
    let lying = held(&*store, &grant.id, NOW).await;
    let answer = store
        .redeem(lying, &code.digest, until_tomorrow(Some(one("code"))), NOW)
        .await;
    assert_eq!(answer.unwrap(), wait());
    let redemption = redeem(&*store, &grant.id, &code.digest, NOW).await;
    assert!(matches!(redemption, Redemption::Granted { .. }), "{redemption:?}");
}

async fn a_refresh_token_without_a_permit_does_not_turn(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    let turn = async |generation| {
        let lying = held(&*store, &grant.id, NOW).await;
        let prolong = until_tomorrow(Some(one("refresh")));
        store
            .rotate(lying, presented(generation), prolong, NOW)
            .await
            .unwrap()
    };
    let first = permitted(turn(1).await);
    assert!(matches!(first, Rotation::Turned { current: 2, .. }), "{first:?}");
    assert_eq!(turn(2).await, wait());
    let then = rotate(&*store, &grant.id, presented(2), after(86_400), NOW).await;
    assert!(matches!(then, Rotation::Turned { current: 3, .. }), "{then:?}");
}

async fn a_grant_without_a_permit_does_not_begin(store: Arc<dyn Store>) {
    let own = || Grant {
        user: None,
        kind: GrantKind::ClientCredentials,
        ..grant()
    };
    let (first, second) = (own(), own());
    let begin = async |grant| store.begin_own_grant(grant, Some(one("own")), NOW).await.unwrap();
    assert_eq!(begin(&first).await, Permitted::Yes(Begun::Yes));
    assert_eq!(begin(&second).await, wait());
    assert_eq!(store.grant(&first.id, NOW).await.unwrap(), Some(first));
    assert_eq!(store.grant(&second.id, NOW).await.unwrap(), None);
}

async fn what_changed_since_it_was_read_is_read_again(store: Arc<dyn Store>) {
    // prolonged meanwhile: the code is as good
    let (grant, code) = begun(&*store, self::grant()).await;
    let lying = held(&*store, &grant.id, NOW).await;
    store.prolong(&grant.id, after(1000), NOW).await.unwrap();
    let answer = store.redeem(lying, &code.digest, until_tomorrow(None), NOW).await;
    let Redemption::Granted { grant, current: 1 } = permitted(answer.unwrap()) else {
        panic!("the code was not used before")
    };
    assert_eq!(grant.expires_at, after(86_400));

    // turned meanwhile: within the grace it is the same token again
    let lying = held(&*store, &grant.id, NOW).await;
    rotate(&*store, &grant.id, presented(1), after(86_400), NOW).await;
    let answer = store.rotate(lying, presented(1), until_tomorrow(None), NOW).await;
    let rotation = permitted(answer.unwrap());
    assert!(
        matches!(rotation, Rotation::Again { current: 2, .. }),
        "{rotation:?}"
    );

    // ended meanwhile
    let lying = held(&*store, &grant.id, NOW).await;
    store.end_grant(&grant.id, NOW).await.unwrap();
    let answer = store.rotate(lying, presented(2), until_tomorrow(None), NOW).await;
    assert_eq!(permitted(answer.unwrap()), Rotation::Unknown);
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
}

async fn of_16_who_hold_the_same_code_one_gets_the_grant(store: Arc<dyn Store>) {
    let (grant, code) = begun(&*store, grant()).await;
    let mut tasks = Vec::new();
    for _ in 0..16 {
        // all have read before any writes
        let lying = held(&*store, &grant.id, NOW).await;
        let (store, digest) = (Arc::clone(&store), code.digest);
        tasks.push((lying, store, digest));
    }
    let tasks: Vec<_> = tasks
        .into_iter()
        .map(|(lying, store, digest)| {
            tokio::spawn(async move { store.redeem(lying, &digest, until_tomorrow(None), NOW).await })
        })
        .collect();
    let (mut granted, mut replayed) = (0, 0);
    for task in tasks {
        match permitted(task.await.unwrap().unwrap()) {
            Redemption::Granted { .. } => granted += 1,
            Redemption::Replayed => replayed += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((granted, replayed), (1, 15));
}

async fn of_16_who_hold_the_same_refresh_token_one_turns_it(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    let mut all = Vec::new();
    for _ in 0..16 {
        all.push(held(&*store, &grant.id, NOW).await);
    }
    let tasks: Vec<_> = all
        .into_iter()
        .map(|lying| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.rotate(lying, presented(1), until_tomorrow(None), NOW).await })
        })
        .collect();
    let (mut turned, mut again) = (0, 0);
    for task in tasks {
        match permitted(task.await.unwrap().unwrap()) {
            Rotation::Turned { current: 2, .. } => turned += 1,
            Rotation::Again { current: 2, .. } => again += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((turned, again), (1, 15));
}
