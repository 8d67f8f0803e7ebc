//! Uses every verb once, so that everything the store can hold lies in it afterwards.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::time::Duration;

use mcp_gateway_model::{
    access::Person,
    client::Client,
    grant::Grant,
    id::{Login, UserId},
};
use mcp_gateway_store::{DeviceAsked, Rate, Sealed, Store};

use crate::samples::{
    NOW, after, begun, browser, client, code_of, device, digest, document, entered, grant_of, login,
    presented, redeem, register, ring, rotate, user_of,
};

/// What a walk left behind.
pub(crate) struct Walk {
    pub(crate) client: Client,
    pub(crate) grant: Grant,
}

pub(crate) async fn walk(store: &dyn Store) -> Walk {
    let (client, ended) = (client(), client());
    register(store, &client, 100, NOW).await;
    store.add_client(&ended, NOW).await.unwrap();
    store.add_client(&entered("robot"), NOW).await.unwrap();
    store.end_client(&ended.id, NOW).await.unwrap();
    store.put_login(&digest("state"), &login(), NOW).await.unwrap();
    let asked = store.ask_by_device(&digest("BCDFGHJK"), &device(), NOW).await;
    assert_eq!(asked.unwrap(), DeviceAsked::Kept);
    store
        .put_browser(&digest("cookie"), &browser(), NOW)
        .await
        .unwrap();
    let grant = grant_of(&client.id, 583_231);
    let token = Sealed("sealed:github".into());
    store
        .keep_upstream(&grant.id, &token, grant.expires_at, NOW)
        .await
        .unwrap();
    let (grant, _) = begun(store, grant).await;
    redeem(store, &grant.id, &code_of(&grant).digest, NOW).await;
    store.prolong(&grant.id, after(86400), NOW).await.unwrap();
    rotate(store, &grant.id, presented(1), after(86400), NOW).await;
    store.recheck_until(&grant.id, after(1800), NOW).await.unwrap();
    store
        .pin(&Login::parse("octocat").unwrap(), UserId(583_231))
        .await
        .unwrap();
    for person in ["mallory", "666"] {
        store.block(&Person::parse(person).unwrap(), NOW).await.unwrap();
    }
    store.replace_key_ring(&ring(1, "key")).await.unwrap();
    store
        .put_document(&digest("url"), &document(), 100, NOW)
        .await
        .unwrap();
    store.keep_document(&digest("url"), NOW).await.unwrap();
    store
        .put_document(&digest("unused"), &document(), 100, NOW)
        .await
        .unwrap();
    let rate = Rate {
        count: 1,
        period: Duration::from_secs(60),
        burst: 1,
    };
    store.take_permit(&digest("address"), rate, NOW).await.unwrap();
    assert!(store.use_once(&digest("jti"), after(300), NOW).await.unwrap());
    let grant = store.grant(&grant.id, NOW).await.unwrap().unwrap();
    Walk { client, grant }
}

/// Everything the walk left is still there.
pub(crate) async fn still_there(store: &dyn Store, walk: &Walk) {
    assert_eq!(
        store.client(&walk.client.id, NOW).await.unwrap().as_ref(),
        Some(&walk.client)
    );
    assert_eq!(
        store.grant(&walk.grant.id, NOW).await.unwrap().as_ref(),
        Some(&walk.grant)
    );
    assert_eq!(store.login(&digest("state"), NOW).await.unwrap(), Some(login()));
    assert_eq!(
        store.browser(&digest("cookie"), NOW).await.unwrap(),
        Some(browser())
    );
    assert_eq!(store.key_ring().await.unwrap(), ring(1, "key"));
    assert_eq!(store.public_keys().await.unwrap(), ring(1, "key").public_keys());
    assert_eq!(
        store.grants_of_client(&walk.client.id, NOW).await.unwrap(),
        std::slice::from_ref(&walk.grant)
    );
    assert_eq!(
        store.grants_of_user(user_of(&walk.grant), NOW).await.unwrap(),
        std::slice::from_ref(&walk.grant)
    );
    let code = code_of(&walk.grant);
    let found = store
        .code(&walk.grant.id, &code.digest, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.client, walk.client.id);
    assert!(
        store
            .refresh_is_live(&walk.grant.id, presented(2), NOW)
            .await
            .unwrap()
    );
    assert_eq!(
        store.unpin(&Login::parse("octocat").unwrap()).await.unwrap(),
        Some(UserId(583_231))
    );
}
