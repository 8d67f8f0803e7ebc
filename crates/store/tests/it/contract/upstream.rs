//! GitHub's token of who began a grant, and asking again where they belong.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::sync::Arc;

use mcp_gateway_model::{
    access::Team,
    clock::Timestamp,
    grant::{Grant, Memberships},
    id::Login,
};
use mcp_gateway_store::{Rotation, Sealed, Store};

use crate::{
    contract::contract,
    samples::{NOW, after, begun, grant, presented, rotate},
};

contract!(
    a_kept_token_is_there_for_as_long_as_its_grant,
    a_token_that_is_kept_lives_as_long_as_the_grant_is_prolonged,
    a_replay_takes_the_token_with_the_grant,
    a_recheck_is_due_while_an_access_token_lives,
    of_32_claims_one_gets_the_token,
    a_claim_that_ran_out_can_be_taken_again,
    noting_memberships_changes_nothing_else_and_never_goes_back,
    of_32_notes_and_rotations_none_undoes_another,
);

fn sealed() -> Sealed {
    Sealed("sealed".into())
}

fn memberships(at: Timestamp) -> Memberships {
    Memberships {
        orgs: [Login::parse("acme").unwrap()].into(),
        teams: [Team::parse("acme/platform").unwrap()].into(),
        checked_at: at,
    }
}

/// A grant that lives for a day, with a token kept for it.
async fn kept(store: &dyn Store) -> Grant {
    let grant = Grant {
        memberships: Some(memberships(NOW)),
        ..grant()
    };
    store
        .keep_upstream(&grant.id, &sealed(), grant.expires_at, NOW)
        .await
        .unwrap();
    let (grant, _) = begun(store, grant).await;
    store.prolong(&grant.id, after(86400), NOW).await.unwrap();
    store.grant(&grant.id, NOW).await.unwrap().unwrap()
}

async fn a_kept_token_is_there_for_as_long_as_its_grant(store: Arc<dyn Store>) {
    let grant = kept(&*store).await;
    assert_eq!(store.upstream(&grant.id).await.unwrap(), Some(sealed()));
    assert!(store.end_grant(&grant.id, NOW).await.unwrap());
    assert_eq!(store.upstream(&grant.id).await.unwrap(), None);
}

async fn a_token_that_is_kept_lives_as_long_as_the_grant_is_prolonged(store: Arc<dyn Store>) {
    let grant = kept(&*store).await;
    // a write that is later than the end of the code lets the broom pass
    let (other, _) = begun(&*store, self::grant()).await;
    store.prolong(&other.id, after(86400), after(30)).await.unwrap();
    rotate(&*store, &grant.id, presented(1), after(90_000), after(86_000)).await;
    assert_eq!(store.upstream(&grant.id).await.unwrap(), Some(sealed()));
    store
        .recheck_until(&grant.id, after(90_000), after(86_000))
        .await
        .unwrap();
    let claimed = store
        .claim_recheck(&grant.id, after(89_990), after(89_950))
        .await
        .unwrap();
    assert_eq!(claimed, Some(sealed()));
}

async fn a_replay_takes_the_token_with_the_grant(store: Arc<dyn Store>) {
    let grant = kept(&*store).await;
    for generation in [1, 2] {
        rotate(&*store, &grant.id, presented(generation), after(86400), NOW).await;
    }
    let replayed = rotate(&*store, &grant.id, presented(1), after(86400), NOW).await;
    assert_eq!(replayed, Rotation::Replayed);
    assert_eq!(store.upstream(&grant.id).await.unwrap(), None);
}

async fn a_recheck_is_due_while_an_access_token_lives(store: Arc<dyn Store>) {
    let grant = kept(&*store).await;
    assert_eq!(store.rechecks(NOW).await.unwrap(), []);
    let claim = async |at| store.claim_recheck(&grant.id, at, at).await.unwrap();
    assert_eq!(claim(NOW).await, None, "no access token yet");
    store.recheck_until(&grant.id, after(1800), NOW).await.unwrap();
    store.recheck_until(&grant.id, after(10), NOW).await.unwrap();
    let due = store.rechecks(after(1799)).await.unwrap();
    assert_eq!(due, std::slice::from_ref(&grant));
    assert_eq!(claim(after(1799)).await, Some(sealed()));
    assert_eq!(claim(after(1800)).await, None);
    store.end_grant(&grant.id, NOW).await.unwrap();
    assert_eq!(store.rechecks(NOW).await.unwrap(), []);
    assert_eq!(claim(NOW).await, None);
}

async fn of_32_claims_one_gets_the_token(store: Arc<dyn Store>) {
    let grant = kept(&*store).await;
    store.recheck_until(&grant.id, after(1800), NOW).await.unwrap();
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (store, id) = (Arc::clone(&store), grant.id.clone());
            tokio::spawn(async move { store.claim_recheck(&id, after(60), NOW).await.unwrap() })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += usize::from(task.await.unwrap().is_some());
    }
    assert_eq!(winners, 1);
}

async fn a_claim_that_ran_out_can_be_taken_again(store: Arc<dyn Store>) {
    let grant = kept(&*store).await;
    store.recheck_until(&grant.id, after(1800), NOW).await.unwrap();
    let claim = async |at| {
        let until = after(at + 60);
        store.claim_recheck(&grant.id, until, after(at)).await.unwrap()
    };
    assert_eq!(claim(0).await, Some(sealed()));
    assert_eq!(claim(59).await, None);
    assert_eq!(claim(60).await, Some(sealed()));
}

async fn noting_memberships_changes_nothing_else_and_never_goes_back(store: Arc<dyn Store>) {
    let grant = kept(&*store).await;
    let newer = memberships(after(10));
    let noted = store.note_memberships(&grant.id, &newer, after(10)).await;
    assert!(noted.unwrap());
    let nowhere = Memberships {
        orgs: [].into(),
        teams: [].into(),
        checked_at: after(9),
    };
    let noted = store.note_memberships(&grant.id, &nowhere, after(11)).await;
    assert!(noted.unwrap(), "an answer that is older than what is known");
    let expected = Grant {
        memberships: Some(newer.clone()),
        ..grant.clone()
    };
    assert_eq!(store.grant(&grant.id, after(11)).await.unwrap(), Some(expected));
    assert!(
        store
            .refresh_is_live(&grant.id, presented(1), after(11))
            .await
            .unwrap()
    );
    store.end_grant(&grant.id, after(11)).await.unwrap();
    let noted = store.note_memberships(&grant.id, &newer, after(12)).await;
    assert!(!noted.unwrap());
    assert_eq!(store.grant(&grant.id, after(12)).await.unwrap(), None);
}

async fn of_32_notes_and_rotations_none_undoes_another(store: Arc<dyn Store>) {
    let grant = kept(&*store).await;
    store.recheck_until(&grant.id, after(1800), NOW).await.unwrap();
    let tasks: Vec<_> = (1..=32)
        .map(|n| {
            let (store, id) = (Arc::clone(&store), grant.id.clone());
            tokio::spawn(async move {
                store
                    .note_memberships(&id, &memberships(after(n)), after(1))
                    .await
                    .unwrap();
                store.claim_recheck(&id, after(60), after(1)).await.unwrap();
                rotate(&*store, &id, presented(1), after(90_000), after(1)).await
            })
        })
        .collect();
    let mut turned = 0;
    for task in tasks {
        turned += usize::from(matches!(task.await.unwrap(), Rotation::Turned { .. }));
    }
    assert_eq!(turned, 1);
    let after_all = store.grant(&grant.id, after(1)).await.unwrap().unwrap();
    assert_eq!(after_all.memberships, Some(memberships(after(32))));
    assert_eq!(after_all.expires_at, after(90_000));
    assert_eq!(store.upstream(&grant.id).await.unwrap(), Some(sealed()));
}
