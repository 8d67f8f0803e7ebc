//! What scopes a login grants: <https://www.rfc-editor.org/rfc/rfc6749#section-3.3>.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use mcp_gateway_model::{client::ClientOrigin, clock::Clock, id::ClientId, key::Algorithm, scope::ScopeSet};
use mcp_gateway_store::Store;

use crate::support::login::{Browser, REDIRECT, Site};

#[actix_web::test]
async fn unknown_scopes_are_dropped_and_nothing_left_means_the_default() {
    let site = Site::start_with(|settings| settings.offers.openid = Some(Algorithm::EdDsa)).await;
    let client = site.client(&[REDIRECT]).await;
    for (asked, granted) in [
        (Some("write nonsense"), "write"),
        (Some("read write"), "read write"),
        (Some("nonsense"), "read"),
        (None, "read"),
        (
            Some("openid profile email offline_access"),
            "email offline_access openid profile read",
        ),
        (Some("write offline_access"), "offline_access write"),
    ] {
        assert_eq!(granted_scopes(&site, &client, asked).await, granted, "{asked:?}");
    }
    let got = Browser::new(&site)
        .get(&site.request(&client, &[("scope", Some("a\"b"))]))
        .await;
    assert_eq!(got.parameter("error").as_deref(), Some("invalid_scope"));
}

#[actix_web::test]
async fn a_client_that_registered_itself_can_ask_for_more_scopes_than_it_did_then() {
    let site = Site::start().await;
    let registered = |scope: &'static str| {
        site.client_with(&[REDIRECT], move |m| m.scope = ScopeSet::parse(scope).unwrap())
    };
    let reader = registered("read openid").await;
    assert_eq!(granted_scopes(&site, &reader, None).await, "read");
    assert_eq!(
        granted_scopes(&site, &reader, Some("read write")).await,
        "read write"
    );
    let writer = registered("write").await;
    assert_eq!(granted_scopes(&site, &writer, None).await, "write");
    let stranger = registered("openid other").await;
    assert_eq!(granted_scopes(&site, &stranger, Some("write")).await, "write");
}

#[actix_web::test]
async fn a_client_that_the_operator_entered_for_some_scopes_gets_no_others() {
    let site = Site::start().await;
    let scopes = ScopeSet::parse("read").unwrap();
    let like = site.client_with(&[REDIRECT], |m| m.scope = scopes).await;
    let now = site.clock.now();
    let mut entered = site.store.client(&like, now).await.unwrap().unwrap();
    entered.id = ClientId::generate();
    entered.origin = ClientOrigin::PreRegistered;
    site.store.add_client(&entered, now).await.unwrap();
    for asked in [None, Some("read write"), Some("write")] {
        assert_eq!(
            granted_scopes(&site, &entered.id, asked).await,
            "read",
            "{asked:?}"
        );
    }
}

async fn granted_scopes(site: &Site, client: &ClientId, asked: Option<&str>) -> String {
    let request = site.request(client, &[("scope", asked)]);
    Browser::new(site).log_in(&request).await.location();
    let now = site.clock.now();
    let grants = site.store.grants_of_client(client, now).await.unwrap();
    let scopes = grants.last().unwrap().scopes.to_string();
    for grant in grants {
        site.store.end_grant(&grant.id, now).await.unwrap();
    }
    scopes
}
