//! Logins under way, and logged-in browsers.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::sync::Arc;

use mcp_gateway_store::{Login, LoginAnswer, Store, Taken};

use crate::{
    contract::contract,
    samples::{NOW, after, browser, digest, login},
};

contract!(
    a_login_is_there_until_it_ends_and_looking_does_not_take_it,
    a_login_that_ended_cannot_be_taken,
    of_32_takers_one_gets_the_login,
    a_login_put_again_is_replaced,
    a_login_that_a_device_waits_for_is_told_from_others,
    a_browser_is_known_until_it_ends_or_is_forgotten,
);

async fn a_login_is_there_until_it_ends_and_looking_does_not_take_it(store: Arc<dyn Store>) {
    let (key, login) = (digest("state"), login());
    assert_eq!(store.login(&key, NOW).await.unwrap(), None);
    store.put_login(&key, &login, NOW).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.login(&key, after(299)).await.unwrap(), Some(login.clone()));
    }
    assert_eq!(store.login(&key, after(300)).await.unwrap(), None);
    assert_eq!(store.login(&digest("other"), NOW).await.unwrap(), None);
}

async fn a_login_that_ended_cannot_be_taken(store: Arc<dyn Store>) {
    store.put_login(&digest("state"), &login(), NOW).await.unwrap();
    assert_eq!(
        store.take_login(&digest("state"), after(300)).await.unwrap(),
        Taken::Nothing
    );
    assert_eq!(
        store.take_login(&digest("never"), NOW).await.unwrap(),
        Taken::Nothing
    );
}

async fn of_32_takers_one_gets_the_login(store: Arc<dyn Store>) {
    let login = login();
    store.put_login(&digest("state"), &login, NOW).await.unwrap();
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.take_login(&digest("state"), NOW).await.unwrap() })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        if let Taken::Login(taken) = task.await.unwrap() {
            winners.push(*taken);
        }
    }
    assert_eq!(winners, [login]);
    assert_eq!(store.login(&digest("state"), NOW).await.unwrap(), None);
}

async fn a_login_put_again_is_replaced(store: Arc<dyn Store>) {
    let mut login = login();
    store.put_login(&digest("state"), &login, NOW).await.unwrap();
    login.max_age = Some(60);
    store.put_login(&digest("state"), &login, NOW).await.unwrap();
    assert_eq!(store.login(&digest("state"), NOW).await.unwrap(), Some(login));
}

async fn a_login_that_a_device_waits_for_is_told_from_others(store: Arc<dyn Store>) {
    let device = LoginAnswer::Device {
        device: digest("device code"),
    };
    let login = Login {
        answer: device,
        ..login()
    };
    store.put_login(&digest("state"), &login, NOW).await.unwrap();
    assert_eq!(store.login(&digest("state"), NOW).await.unwrap(), Some(login));
}

async fn a_browser_is_known_until_it_ends_or_is_forgotten(store: Arc<dyn Store>) {
    let (key, browser) = (digest("cookie"), browser());
    assert_eq!(store.browser(&key, NOW).await.unwrap(), None);
    store.put_browser(&key, &browser, NOW).await.unwrap();
    assert_eq!(store.browser(&key, after(899)).await.unwrap(), Some(browser));
    assert_eq!(store.browser(&key, after(900)).await.unwrap(), None);
    store.end_browser(&key).await.unwrap();
    assert_eq!(store.browser(&key, NOW).await.unwrap(), None);
    store.end_browser(&key).await.unwrap();
}
