//! Users who are thrown out.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::sync::Arc;

use mcp_gateway_model::{
    access::Person,
    grant::{Grant, GrantKind},
    id::{ClientId, Login, UserId},
};
use mcp_gateway_store::{Begun, Prolonged, Redemption, Rotation, Store};

use crate::{
    contract::contract,
    samples::{NOW, after, begun, code_of, digest, grant, grant_of, presented, redeem, rotate},
};

contract!(
    a_block_by_login_ends_every_grant_of_the_user_and_no_others,
    a_block_by_number_holds_under_every_login,
    a_block_by_login_holds_for_somebody_who_never_came,
    a_block_by_login_finds_a_user_by_the_pin_who_has_another_login_now,
    a_block_by_login_leaves_alone_who_had_the_login_long_ago,
    a_blocked_user_begins_nothing_and_nothing_goes_on,
    no_grant_of_a_blocked_user_survives_a_race,
    no_grant_survives_a_race_with_a_block_of_its_login,
    who_is_let_in_again_begins_anew_and_nothing_comes_back,
    a_number_that_was_blocked_by_its_login_frees_the_login_too,
    a_block_of_the_number_outlives_that_of_the_login,
    the_list_says_who_is_blocked,
);

fn person(text: &str) -> Person {
    Person::parse(text).unwrap()
}

fn login(text: &str) -> Login {
    Login::parse(text).unwrap()
}

/// A grant of a user under a login.
fn under(name: &str, id: u64) -> Grant {
    let mut grant = grant_of(&ClientId::generate(), id);
    grant.user.as_mut().unwrap().login = login(name);
    grant
}

async fn a_block_by_login_ends_every_grant_of_the_user_and_no_others(store: Arc<dyn Store>) {
    let (first, code) = begun(&*store, under("octocat", 1)).await;
    let token = Grant {
        kind: GrantKind::PersonalAccessToken {
            digest: digest("token"),
            name: "ci".into(),
        },
        ..under("octocat", 1)
    };
    assert_eq!(store.add_grant(&token, NOW).await.unwrap(), Begun::Yes);
    let (other, _) = begun(&*store, under("hubot", 2)).await;
    let blocked = store.block(&person("OctoCat"), NOW).await.unwrap();
    assert_eq!((blocked.grants, blocked.block.users), (2, [UserId(1)].into()));
    for ended in [&first.id, &token.id] {
        assert_eq!(store.grant(ended, NOW).await.unwrap(), None);
    }
    let redeemed = redeem(&*store, &first.id, &code.digest, NOW).await;
    assert_eq!(redeemed, Redemption::Unknown);
    assert_eq!(store.grant(&other.id, NOW).await.unwrap(), Some(other));
    let again = store.block(&person("octocat"), NOW).await.unwrap();
    assert_eq!(again.grants, 0);
}

async fn a_block_by_number_holds_under_every_login(store: Arc<dyn Store>) {
    let (one, _) = begun(&*store, under("octocat", 1)).await;
    let (two, _) = begun(&*store, under("renamed", 1)).await;
    assert_eq!(store.block(&person("1"), NOW).await.unwrap().grants, 2);
    for id in [one.id, two.id] {
        assert_eq!(store.grant(&id, NOW).await.unwrap(), None);
    }
    assert!(store.is_blocked(UserId(1), &login("another")).await.unwrap());
    assert!(!store.is_blocked(UserId(2), &login("octocat")).await.unwrap());
}

async fn a_block_by_login_holds_for_somebody_who_never_came(store: Arc<dyn Store>) {
    let blocked = store.block(&person("mallory"), NOW).await.unwrap();
    assert!(blocked.grants == 0 && blocked.block.users.is_empty());
    assert!(store.is_blocked(UserId(666), &login("Mallory")).await.unwrap());
    let grant = under("mallory", 666);
    assert_eq!(store.add_grant(&grant, NOW).await.unwrap(), Begun::Refused);
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
}

async fn a_block_by_login_finds_a_user_by_the_pin_who_has_another_login_now(store: Arc<dyn Store>) {
    store.pin(&login("octocat"), UserId(1)).await.unwrap();
    let (grant, _) = begun(&*store, under("renamed", 1)).await;
    assert_eq!(store.block(&person("octocat"), NOW).await.unwrap().grants, 1);
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
    assert!(store.is_blocked(UserId(1), &login("renamed")).await.unwrap());
}

async fn a_block_by_login_leaves_alone_who_had_the_login_long_ago(store: Arc<dyn Store>) {
    let (before, _) = begun(&*store, under("octocat", 1)).await;
    assert!(store.end_grant(&before.id, NOW).await.unwrap());
    let (kept, _) = begun(&*store, under("renamed", 1)).await;
    let (ended, _) = begun(&*store, under("octocat", 2)).await;
    let blocked = store.block(&person("octocat"), NOW).await.unwrap();
    assert_eq!(blocked.block.users, [UserId(2)].into());
    assert_eq!(store.grant(&ended.id, NOW).await.unwrap(), None);
    assert_eq!(store.grant(&kept.id, NOW).await.unwrap(), Some(kept));
}

async fn a_blocked_user_begins_nothing_and_nothing_goes_on(store: Arc<dyn Store>) {
    store.block(&person("1"), NOW).await.unwrap();
    let grant = under("octocat", 1);
    let code = code_of(&grant);
    let begun = store.begin_grant(&grant, &code, after(86400), NOW).await.unwrap();
    assert_eq!(begun, Begun::Refused);
    assert_eq!(store.grant(&grant.id, NOW).await.unwrap(), None);
    assert_eq!(store.code(&grant.id, &code.digest, NOW).await.unwrap(), None);
    let prolonged = store.prolong(&grant.id, after(86400), NOW).await.unwrap();
    assert_eq!(prolonged, Prolonged::Ended);
    let rotated = rotate(&*store, &grant.id, presented(1), after(86400), NOW).await;
    assert_eq!(rotated, Rotation::Unknown);
}

/// Begins 32 grants while `block` happens; none is left.
async fn race(store: Arc<dyn Store>, block: Person, name: impl Fn(u64) -> Grant) {
    let beginners: Vec<_> = (0..32)
        .map(|n| {
            let (store, grant) = (Arc::clone(&store), name(n));
            tokio::spawn(async move {
                let code = code_of(&grant);
                store.begin_grant(&grant, &code, after(86400), NOW).await.unwrap();
                // a grant that began goes on at once, as it does when its code is redeemed
                store.prolong(&grant.id, after(86400), NOW).await.unwrap();
                rotate(&*store, &grant.id, presented(1), after(86400), NOW).await;
                grant.id
            })
        })
        .collect();
    let blocking = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.block(&block, NOW).await.unwrap() })
    };
    blocking.await.unwrap();
    for beginner in beginners {
        let id = beginner.await.unwrap();
        assert_eq!(store.grant(&id, NOW).await.unwrap(), None);
    }
}

async fn no_grant_of_a_blocked_user_survives_a_race(store: Arc<dyn Store>) {
    race(Arc::clone(&store), person("1"), |n| {
        under(&format!("name-{n}"), 1)
    })
    .await;
    assert_eq!(store.grants_of_user(UserId(1), NOW).await.unwrap(), []);
}

async fn no_grant_survives_a_race_with_a_block_of_its_login(store: Arc<dyn Store>) {
    race(store, person("octocat"), |n| under("octocat", n + 1)).await;
}

async fn who_is_let_in_again_begins_anew_and_nothing_comes_back(store: Arc<dyn Store>) {
    let (before, _) = begun(&*store, under("octocat", 1)).await;
    store.block(&person("octocat"), NOW).await.unwrap();
    let lifted = store.unblock(&person("octocat")).await.unwrap();
    assert_eq!(lifted, [person("1"), person("octocat")]);
    assert!(!store.is_blocked(UserId(1), &login("octocat")).await.unwrap());
    assert_eq!(store.grant(&before.id, NOW).await.unwrap(), None);
    begun(&*store, under("octocat", 1)).await;
    assert_eq!(store.unblock(&person("octocat")).await.unwrap(), []);
    assert_eq!(store.unblock(&person("1")).await.unwrap(), []);
}

async fn a_number_that_was_blocked_by_its_login_frees_the_login_too(store: Arc<dyn Store>) {
    begun(&*store, under("octocat", 1)).await;
    store.block(&person("octocat"), NOW).await.unwrap();
    let lifted = store.unblock(&person("1")).await.unwrap();
    assert_eq!(lifted, [person("1"), person("octocat")]);
    assert!(!store.is_blocked(UserId(1), &login("octocat")).await.unwrap());
    assert_eq!(store.blocks().await.unwrap(), []);
}

async fn a_block_of_the_number_outlives_that_of_the_login(store: Arc<dyn Store>) {
    store.block(&person("1"), NOW).await.unwrap();
    store.pin(&login("octocat"), UserId(1)).await.unwrap();
    store.block(&person("octocat"), NOW).await.unwrap();
    assert_eq!(
        store.unblock(&person("octocat")).await.unwrap(),
        [person("octocat")]
    );
    assert!(store.is_blocked(UserId(1), &login("octocat")).await.unwrap());
    assert!(!store.is_blocked(UserId(2), &login("octocat")).await.unwrap());
}

async fn the_list_says_who_is_blocked(store: Arc<dyn Store>) {
    assert_eq!(store.blocks().await.unwrap(), []);
    let late = after(10);
    begun(&*store, grant()).await;
    store.block(&person("octocat"), NOW).await.unwrap();
    store.block(&person("7"), late).await.unwrap();
    let blocks = store.blocks().await.unwrap();
    let listed: Vec<_> = blocks.iter().map(|b| (b.named.to_string(), b.since)).collect();
    assert_eq!(listed, [("7".into(), late), ("octocat".into(), NOW)]);
    assert_eq!(blocks[1].users, [UserId(583_231)].into());
    store.unblock(&person("7")).await.unwrap();
    assert_eq!(store.blocks().await.unwrap().len(), 1);
}
