//! One suite, run against every engine.

use std::{path::Path, sync::Arc, time::Duration};

use mcp_gateway_client::service::{
    settings::RedisSettings,
    store::{Rate, Returned, Store},
};
use mcp_gateway_model::secret::Secret;
use mcp_gateway_store::testing::RedisServer;

use super::{
    registrations::{
        a_client_is_found_by_the_name_that_a_user_gave_it_whatever_others_register,
        a_forgotten_registration_is_gone, a_registration_is_claimed_by_one_of_many_until_it_is_given_back,
        a_registration_is_found_by_what_was_asked_for_and_by_its_client,
        a_registration_whose_secret_has_ended_is_none,
    },
    samples::{KEY, NOW, RESOURCE, grant, later, login, secrets, state, user},
};

fn memory() -> Arc<Store> {
    Arc::new(Store::in_memory(&secrets(&[KEY])).unwrap())
}

pub(crate) fn file(directory: &Path) -> Arc<Store> {
    Arc::new(Store::open(&directory.join("store"), &secrets(&[KEY])).unwrap())
}

pub(crate) fn redis(server: &RedisServer, keys: &[&str]) -> Arc<Store> {
    let settings = RedisSettings {
        url: Secret::presented(server.url()),
        password: None,
        prefix: "mcpcl:".into(),
        ca: None,
    };
    Arc::new(Store::redis(&settings, &secrets(keys)).unwrap())
}

/// Each fact becomes a test of each engine.
macro_rules! contract {
    ($($fact:ident),+ $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $fact() { super::$fact(super::memory()).await; })+
        }
        mod in_a_file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $fact() {
                let directory = tempfile::tempdir().unwrap();
                super::$fact(super::file(directory.path())).await;
            })+
        }
        mod in_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $fact() {
                let server = mcp_gateway_store::testing::RedisServer::start();
                super::$fact(super::redis(&server, &[super::KEY])).await;
            })+
        }
    };
}

contract!(
    a_login_is_ended_once_by_one_of_many,
    a_login_is_ended_by_nobody_else_and_stays,
    a_login_that_took_too_long_is_told_from_one_that_never_was,
    a_grant_is_its_users_alone,
    the_first_named_grant_is_found,
    a_grant_is_replaced_by_one_of_many_that_hold_the_same,
    a_grant_that_changed_is_not_forgotten,
    a_refresh_is_claimed_by_one_of_many_until_it_is_given_back,
    a_refresh_that_was_never_finished_can_be_claimed_again,
    a_refresh_token_leads_its_user_to_the_grant_also_after_it_was_used,
    a_registration_is_found_by_what_was_asked_for_and_by_its_client,
    a_registration_whose_secret_has_ended_is_none,
    a_forgotten_registration_is_gone,
    a_client_is_found_by_the_name_that_a_user_gave_it_whatever_others_register,
    a_registration_is_claimed_by_one_of_many_until_it_is_given_back,
    what_one_user_has_too_much_of_takes_the_place_of_the_oldest,
    a_store_is_marked_once_and_stays_usable,
    a_burst_of_permits_passes_and_then_one_an_interval,
);

/// What 32 tasks at once answer.
pub(crate) async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    job: impl Fn() -> F,
) -> Vec<T> {
    let tasks: Vec<_> = (0..32).map(|_| tokio::spawn(job())).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

async fn a_login_is_ended_once_by_one_of_many(store: Arc<Store>) {
    store.begin_login(&login("octocat"), NOW).await.unwrap();
    let answers = at_once(|| {
        let store = Arc::clone(&store);
        async move { store.end_login(&state(), &user("octocat"), NOW).await.unwrap() }
    })
    .await;
    let ended = answers
        .iter()
        .filter(|answer| matches!(answer, Returned::Login(_)))
        .count();
    let unknown = answers
        .iter()
        .filter(|answer| matches!(answer, Returned::Unknown))
        .count();
    assert_eq!((ended, unknown), (1, 31));
}

async fn a_login_is_ended_by_nobody_else_and_stays(store: Arc<Store>) {
    store.begin_login(&login("octocat"), NOW).await.unwrap();
    let other = store.end_login(&state(), &user("hubot"), NOW).await.unwrap();
    assert!(matches!(other, Returned::AnothersLogin));
    let own = store.end_login(&state(), &user("octocat"), NOW).await.unwrap();
    assert!(matches!(own, Returned::Login(login) if login.pending.verifier.reveal() == "the-verifier"));
}

async fn a_login_that_took_too_long_is_told_from_one_that_never_was(store: Arc<Store>) {
    store.begin_login(&login("octocat"), NOW).await.unwrap();
    let expired = store
        .end_login(&state(), &user("octocat"), later(600))
        .await
        .unwrap();
    assert!(matches!(expired, Returned::Expired));
    let never = Secret::presented("another-state".into());
    let unknown = store.end_login(&never, &user("octocat"), NOW).await.unwrap();
    assert!(matches!(unknown, Returned::Unknown));
}

async fn a_grant_is_its_users_alone(store: Arc<Store>) {
    store
        .put_grant(RESOURCE, &grant("octocat", "1"), later(9999), NOW)
        .await
        .unwrap();
    let names = [RESOURCE.to_owned()];
    assert!(store.grant(&user("hubot"), &names).await.unwrap().is_none());
    assert!(
        store
            .refreshed_by(&user("hubot"), "refresh-1")
            .await
            .unwrap()
            .is_none()
    );
    let held = store.grant(&user("octocat"), &names).await.unwrap().unwrap();
    assert_eq!(held.grant, grant("octocat", "1"));
}

async fn the_first_named_grant_is_found(store: Arc<Store>) {
    for name in ["b", "c"] {
        store
            .put_grant(name, &grant("octocat", name), later(9999), NOW)
            .await
            .unwrap();
    }
    let names = ["a", "b", "c"].map(ToOwned::to_owned);
    let held = store.grant(&user("octocat"), &names).await.unwrap().unwrap();
    assert_eq!(
        (held.name.as_str(), held.grant.access_token.as_str()),
        ("b", "access-b")
    );
    assert!(store.grant(&user("octocat"), &[]).await.unwrap().is_none());
}

async fn a_grant_is_replaced_by_one_of_many_that_hold_the_same(store: Arc<Store>) {
    store
        .put_grant(RESOURCE, &grant("octocat", "1"), later(9999), NOW)
        .await
        .unwrap();
    let names = [RESOURCE.to_owned()];
    let held = Arc::new(store.grant(&user("octocat"), &names).await.unwrap().unwrap());
    let answers = at_once(|| {
        let (store, held) = (Arc::clone(&store), Arc::clone(&held));
        async move {
            store
                .replace_grant(&held, &grant("octocat", "2"), later(9999), NOW)
                .await
                .unwrap()
        }
    })
    .await;
    assert_eq!(answers.iter().filter(|replaced| **replaced).count(), 1);
}

async fn a_grant_that_changed_is_not_forgotten(store: Arc<Store>) {
    let names = [RESOURCE.to_owned()];
    store
        .put_grant(RESOURCE, &grant("octocat", "1"), later(9999), NOW)
        .await
        .unwrap();
    let old = store.grant(&user("octocat"), &names).await.unwrap().unwrap();
    store
        .put_grant(RESOURCE, &grant("octocat", "2"), later(9999), NOW)
        .await
        .unwrap();
    assert!(!store.forget_grant(&old, NOW).await.unwrap());
    let held = store.grant(&user("octocat"), &names).await.unwrap().unwrap();
    assert!(store.forget_grant(&held, NOW).await.unwrap());
    assert!(store.grant(&user("octocat"), &names).await.unwrap().is_none());
}

async fn a_refresh_is_claimed_by_one_of_many_until_it_is_given_back(store: Arc<Store>) {
    store
        .put_grant(RESOURCE, &grant("octocat", "1"), later(9999), NOW)
        .await
        .unwrap();
    let names = [RESOURCE.to_owned()];
    let held = Arc::new(store.grant(&user("octocat"), &names).await.unwrap().unwrap());
    let answers = at_once(|| {
        let (store, held) = (Arc::clone(&store), Arc::clone(&held));
        async move { store.claim_refresh(&held, NOW).await.unwrap() }
    })
    .await;
    let mut claims: Vec<_> = answers.into_iter().flatten().collect();
    assert_eq!(claims.len(), 1);
    store.release(claims.pop().unwrap(), NOW).await.unwrap();
    assert!(store.claim_refresh(&held, NOW).await.unwrap().is_some());
}

async fn a_refresh_that_was_never_finished_can_be_claimed_again(store: Arc<Store>) {
    store
        .put_grant(RESOURCE, &grant("octocat", "1"), later(9999), NOW)
        .await
        .unwrap();
    let held = store
        .grant(&user("octocat"), &[RESOURCE.to_owned()])
        .await
        .unwrap()
        .unwrap();
    let lost = store.claim_refresh(&held, NOW).await.unwrap().unwrap();
    assert!(store.claim_refresh(&held, later(29)).await.unwrap().is_none());
    assert!(store.claim_refresh(&held, later(30)).await.unwrap().is_some());
    // who comes back after that takes nobody's claim away
    store.release(lost, later(31)).await.unwrap();
    assert!(store.claim_refresh(&held, later(31)).await.unwrap().is_none());
}

async fn a_refresh_token_leads_its_user_to_the_grant_also_after_it_was_used(store: Arc<Store>) {
    store
        .put_grant(RESOURCE, &grant("octocat", "1"), later(9999), NOW)
        .await
        .unwrap();
    let held = store
        .grant(&user("octocat"), &[RESOURCE.to_owned()])
        .await
        .unwrap()
        .unwrap();
    store
        .hand_out(RESOURCE, &held.grant, later(9999), NOW)
        .await
        .unwrap();
    let next = grant("octocat", "2");
    assert!(store.replace_grant(&held, &next, later(9999), NOW).await.unwrap());
    store.hand_out(RESOURCE, &next, later(9999), NOW).await.unwrap();
    for token in ["refresh-1", "refresh-2"] {
        let name = store.refreshed_by(&user("octocat"), token).await.unwrap();
        assert_eq!(name.as_deref(), Some(RESOURCE), "{token}");
    }
    assert!(
        store
            .refreshed_by(&user("octocat"), "refresh-3")
            .await
            .unwrap()
            .is_none()
    );
}

async fn what_one_user_has_too_much_of_takes_the_place_of_the_oldest(store: Arc<Store>) {
    let name = |index: usize| format!("https://mcp.example.com/{index}");
    store
        .put_grant(
            "https://mcp.example.com/0",
            &grant("hubot", "1"),
            later(9999),
            NOW,
        )
        .await
        .unwrap();
    for index in 0..203 {
        let given = grant("octocat", &index.to_string());
        store
            .put_grant(&name(index), &given, later(9999), NOW)
            .await
            .unwrap();
        store
            .hand_out(&name(index), &given, later(9999), NOW)
            .await
            .unwrap();
    }
    for (index, is_there) in [(0, false), (2, false), (3, true), (202, true)] {
        let held = store.grant(&user("octocat"), &[name(index)]).await.unwrap();
        assert_eq!(held.is_some(), is_there, "{index}");
        let token = format!("refresh-{index}");
        let led = store.refreshed_by(&user("octocat"), &token).await.unwrap();
        assert_eq!(led.is_some(), is_there, "{index}");
    }
    assert!(store.grant(&user("hubot"), &[name(0)]).await.unwrap().is_some());
    // what is gone by itself makes room
    let held = store
        .grant(&user("octocat"), &[name(100)])
        .await
        .unwrap()
        .unwrap();
    assert!(store.forget_grant(&held, NOW).await.unwrap());
    store
        .put_grant(&name(300), &grant("octocat", "300"), later(9999), NOW)
        .await
        .unwrap();
    assert!(store.grant(&user("octocat"), &[name(3)]).await.unwrap().is_some());
}

async fn a_store_is_marked_once_and_stays_usable(store: Arc<Store>) {
    store.check().await.unwrap();
    at_once(|| {
        let store = Arc::clone(&store);
        async move { store.mark(NOW).await.unwrap() }
    })
    .await;
    store.mark(NOW).await.unwrap();
    store.check().await.unwrap();
}

async fn a_burst_of_permits_passes_and_then_one_an_interval(store: Arc<Store>) {
    let rate = Rate {
        count: 60,
        period: Duration::from_secs(60),
        burst: 5,
    };
    let answers = at_once(|| {
        let store = Arc::clone(&store);
        async move { store.take_permit("somebody", rate, NOW).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|wait| wait.is_none()).count(), 5);
    assert_eq!(
        store.take_permit("somebody", rate, NOW).await.unwrap(),
        Some(Duration::from_secs(1))
    );
    assert_eq!(store.take_permit("somebody else", rate, NOW).await.unwrap(), None);
    assert_eq!(store.take_permit("somebody", rate, later(1)).await.unwrap(), None);
    assert!(
        store
            .take_permit("somebody", rate, later(1))
            .await
            .unwrap()
            .is_some()
    );
}
