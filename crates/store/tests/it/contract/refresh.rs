//! Prolonging grants, and the chain of refresh tokens.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::sync::Arc;

use mcp_gateway_model::{clock::Timestamp, grant::Grant};
use mcp_gateway_store::{Begun, Presented, Prolonged, Rotation, Store};

use crate::{
    contract::contract,
    samples::{self, NOW, after, begun, chained, code_of, grant, grant_of, presented, user_of},
};

contract!(
    prolonging_lengthens_and_never_shortens,
    prolonging_opens_the_chain_once,
    an_ended_grant_cannot_be_prolonged,
    a_grant_of_a_removed_client_is_neither_prolonged_nor_rotated,
    a_grant_that_its_clients_removal_missed_ends_when_it_is_used,
    each_generation_turns_into_the_next,
    of_32_rotations_one_turns_and_the_rest_get_the_same_again,
    the_generation_before_works_until_the_grace_is_over,
    an_old_generation_ends_the_grant,
    a_lost_write_is_caught_up_and_no_more_than_one,
    a_generation_that_was_never_issued_is_unknown,
    an_ended_grant_does_not_rotate,
    a_live_refresh_token_is_told_without_using_it,
    rotating_prolongs_and_never_shortens,
);

async fn rotate(store: &dyn Store, grant: &Grant, generation: u64, now: Timestamp) -> Rotation {
    samples::rotate(store, &grant.id, presented(generation), after(86400), now).await
}

fn turned(rotation: &Rotation) -> Option<u64> {
    if let Rotation::Turned { current, .. } = rotation {
        Some(*current)
    } else {
        None
    }
}

fn again(rotation: &Rotation) -> Option<u64> {
    if let Rotation::Again { current, .. } = rotation {
        Some(*current)
    } else {
        None
    }
}

async fn prolonging_lengthens_and_never_shortens(store: Arc<dyn Store>) {
    let (grant, _) = begun(&*store, grant()).await;
    for (until, expected) in [
        (after(1000), after(1000)),
        (after(10), after(1000)),
        (after(2000), after(2000)),
    ] {
        assert_eq!(
            store.prolong(&grant.id, until, NOW).await.unwrap(),
            Prolonged::Lives(1)
        );
        let found = store.grant(&grant.id, NOW).await.unwrap().unwrap();
        assert_eq!(found.expires_at, expected);
        assert_eq!(
            Grant {
                expires_at: grant.expires_at,
                ..found
            },
            grant
        );
    }
}

async fn prolonging_opens_the_chain_once(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    assert_eq!(turned(&rotate(&*store, &grant, 1, NOW).await), Some(2));
    assert_eq!(
        store.prolong(&grant.id, after(1000), NOW).await.unwrap(),
        Prolonged::Lives(2)
    );
    assert_eq!(turned(&rotate(&*store, &grant, 2, NOW).await), Some(3));
}

async fn an_ended_grant_cannot_be_prolonged(store: Arc<dyn Store>) {
    let (grant, _) = begun(&*store, grant()).await;
    assert_eq!(
        store.prolong(&grant.id, after(1000), after(60)).await.unwrap(),
        Prolonged::Ended
    );
    store.end_grant(&grant.id, NOW).await.unwrap();
    assert_eq!(
        store.prolong(&grant.id, after(1000), NOW).await.unwrap(),
        Prolonged::Ended
    );
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
}

async fn a_grant_of_a_removed_client_is_neither_prolonged_nor_rotated(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    assert_eq!(store.end_client(&grant.client, NOW).await.unwrap(), 1);
    assert_eq!(rotate(&*store, &grant, 1, NOW).await, Rotation::Unknown);
    assert_eq!(
        store.prolong(&grant.id, after(1000), NOW).await.unwrap(),
        Prolonged::Ended
    );
}

/// The marker stays for a day. A grant that lives beside it: begun by a clock that is ahead of ours.
async fn a_grant_that_its_clients_removal_missed_ends_when_it_is_used(store: Arc<dyn Store>) {
    let client = grant().client;
    store.end_client(&client, NOW).await.unwrap();
    for rotated in [false, true] {
        let mut missed = grant_of(&client, 1);
        missed.expires_at = after(200_000);
        let (code, ahead) = (code_of(&missed), after(86_401));
        assert_eq!(
            store
                .begin_grant(&missed, &code, after(200_000), ahead)
                .await
                .unwrap(),
            Begun::Yes
        );
        assert_eq!(
            store.prolong(&missed.id, after(200_000), ahead).await.unwrap(),
            Prolonged::Lives(1)
        );
        if rotated {
            assert_eq!(
                rotate(&*store, &missed, 1, after(86_399)).await,
                Rotation::Unknown
            );
        } else {
            let answer = store
                .prolong(&missed.id, after(300_000), after(86_399))
                .await
                .unwrap();
            assert_eq!(answer, Prolonged::Ended);
        }
        assert_eq!(store.grant(&missed.id, after(86_399)).await.unwrap(), None);
    }
}

async fn each_generation_turns_into_the_next(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    for generation in 1..50 {
        let Rotation::Turned { grant: held, current } = rotate(&*store, &grant, generation, NOW).await else {
            panic!("generation {generation} did not turn");
        };
        assert_eq!(current, generation + 1);
        assert_eq!(*held, grant);
    }
}

async fn of_32_rotations_one_turns_and_the_rest_get_the_same_again(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (store, grant) = (Arc::clone(&store), grant.clone());
            tokio::spawn(async move { rotate(&*store, &grant, 1, NOW).await })
        })
        .collect();
    let (mut turns, mut repeats) = (0, 0);
    for task in tasks {
        let rotation = task.await.unwrap();
        turns += usize::from(turned(&rotation) == Some(2));
        repeats += usize::from(again(&rotation) == Some(2));
    }
    assert_eq!((turns, repeats), (1, 31));
}

async fn the_generation_before_works_until_the_grace_is_over(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    rotate(&*store, &grant, 1, after(1000)).await;
    for now in [after(1000), after(1119)] {
        assert_eq!(again(&rotate(&*store, &grant, 1, now).await), Some(2));
    }
    // the window counts from the turn, and its last use did not lengthen it
    assert_eq!(rotate(&*store, &grant, 1, after(1120)).await, Rotation::Replayed);
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
}

async fn an_old_generation_ends_the_grant(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    rotate(&*store, &grant, 1, NOW).await;
    rotate(&*store, &grant, 2, NOW).await;
    assert_eq!(rotate(&*store, &grant, 1, NOW).await, Rotation::Replayed);
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
    assert_eq!(rotate(&*store, &grant, 3, NOW).await, Rotation::Unknown);
    assert_eq!(store.grants_of_user(user_of(&grant), NOW).await.unwrap(), []);
}

async fn a_lost_write_is_caught_up_and_no_more_than_one(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    assert_eq!(rotate(&*store, &grant, 3, NOW).await, Rotation::Unknown);
    assert_eq!(turned(&rotate(&*store, &grant, 2, NOW).await), Some(3));
    assert_eq!(again(&rotate(&*store, &grant, 2, NOW).await), Some(3));
    assert_eq!(turned(&rotate(&*store, &grant, 3, NOW).await), Some(4));
}

async fn a_generation_that_was_never_issued_is_unknown(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    for generation in [0, 3, 1000, u64::MAX] {
        assert_eq!(rotate(&*store, &grant, generation, NOW).await, Rotation::Unknown);
    }
    assert_eq!(turned(&rotate(&*store, &grant, 1, NOW).await), Some(2));
    assert_eq!(rotate(&*store, &grant, 0, NOW).await, Rotation::Unknown);
    let (unchained, _) = begun(&*store, self::grant()).await;
    assert_eq!(rotate(&*store, &unchained, 1, NOW).await, Rotation::Unknown);
    assert!(store.grant(&unchained.id, NOW).await.unwrap().is_some());
}

async fn an_ended_grant_does_not_rotate(store: Arc<dyn Store>) {
    let ended = chained(&*store).await;
    assert_eq!(rotate(&*store, &ended, 1, after(86400)).await, Rotation::Unknown);
    store.end_grant(&ended.id, NOW).await.unwrap();
    assert_eq!(rotate(&*store, &ended, 1, NOW).await, Rotation::Unknown);
    assert_eq!(rotate(&*store, &grant(), 1, NOW).await, Rotation::Unknown);
}

async fn a_live_refresh_token_is_told_without_using_it(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    rotate(&*store, &grant, 1, NOW).await;
    rotate(&*store, &grant, 2, NOW).await;
    for (generation, now, live) in [
        (0, NOW, false),
        (1, NOW, false),
        (2, after(119), true),
        (2, after(120), false),
        (3, NOW, true),
        (4, NOW, true),
        (5, NOW, false),
        (3, after(86400), false),
    ] {
        let answer = store
            .refresh_is_live(&grant.id, presented(generation), now)
            .await
            .unwrap();
        assert_eq!(answer, live, "generation {generation} at {now}");
    }
    let no_grace = Presented {
        generation: 2,
        grace: std::time::Duration::ZERO,
    };
    assert!(!store.refresh_is_live(&grant.id, no_grace, NOW).await.unwrap());
    assert!(store.grant(&grant.id, NOW).await.unwrap().is_some());
    assert_eq!(turned(&rotate(&*store, &grant, 3, NOW).await), Some(4));
    store.end_client(&grant.client, NOW).await.unwrap();
    assert!(!store.refresh_is_live(&grant.id, presented(4), NOW).await.unwrap());
}

async fn rotating_prolongs_and_never_shortens(store: Arc<dyn Store>) {
    let grant = chained(&*store).await;
    for (generation, until, expected) in [
        (1, after(10), after(86400)),
        (2, after(90000), after(90000)),
        (2, after(95000), after(95000)),
    ] {
        let rotation = samples::rotate(&*store, &grant.id, presented(generation), until, NOW).await;
        let (Rotation::Turned { grant: held, .. } | Rotation::Again { grant: held, .. }) = rotation else {
            panic!("generation {generation} gave {rotation:?}");
        };
        assert_eq!(held.expires_at, expected);
        assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), Some(*held));
    }
}
