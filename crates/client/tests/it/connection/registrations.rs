//! Registrations: kept for the grants that need them, and left when their server has forgotten them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mcp_gateway_client::{
    connection::{ConnectionFault, Means, UserAgent, UserAgentFault},
    identity::Profile,
};
use url::Url;

use super::memory;
use crate::support::{
    authority::{Authority, State, called},
    browser::REDIRECT,
};

#[tokio::test]
async fn two_clients_at_one_issuer_each_keep_what_was_granted_to_them() {
    let authority = Authority::start(State::default());
    let credentials = memory();
    let (one, other) = (authority.keeping(&credentials), authority.other(&credentials));
    called(&one).await;
    called(&other).await;
    assert_eq!(authority.count("/register"), 2);
    authority.clock.advance(Duration::from_secs(3600));
    for program in [&one, &other] {
        assert_eq!(called(program).await.status(), 200);
    }
    assert_eq!(
        authority.grants("refresh_token").len(),
        2,
        "nobody had to log in again"
    );
    let out = one.logout().await.unwrap().unwrap();
    assert!(out.revoked.unwrap() && out.unregistered.unwrap());
    authority.clock.advance(Duration::from_secs(3600));
    assert_eq!(called(&other).await.status(), 200);
    let left = credentials.identities(&authority.site.url).await.unwrap();
    assert_eq!(
        left.iter().map(|one| one.client_id.as_str()).collect::<Vec<_>>(),
        ["client-2"]
    );
}

/// A person who never comes back.
struct Gone;

#[async_trait]
impl UserAgent for Gone {
    async fn redirect_uri(&self) -> Result<String, UserAgentFault> {
        Ok(REDIRECT.to_owned())
    }

    async fn visit(&self, _: &Url) -> Result<Url, UserAgentFault> {
        Err(UserAgentFault("nobody came back".to_owned()))
    }
}

#[tokio::test]
async fn a_registration_that_nobody_came_back_with_is_not_used_again() {
    let authority = Authority::start(State::default());
    let credentials = memory();
    let gone = authority
        .connection(Profile::native("Test"), Means::Person(Arc::new(Gone)))
        .keep_in(credentials.clone());
    gone.login().await.unwrap_err();
    assert!(
        credentials
            .identities(&authority.site.url)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        authority.count("/manage"),
        1,
        "the server need not keep it either"
    );
    called(&authority.keeping(&credentials)).await;
    assert_eq!(authority.count("/register"), 2);
    // one that a grant needs is not given up because somebody went away
    gone.login().await.unwrap_err();
    assert_eq!(
        credentials.identities(&authority.site.url).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_registration_that_its_server_has_forgotten_is_left_by_logging_out() {
    let authority = Authority::start(State::default());
    let credentials = memory();
    let (one, two) = (authority.keeping(&credentials), authority.keeping(&credentials));
    called(&one).await;
    let mut needs_it_too = credentials.grants().await.unwrap().remove(0);
    needs_it_too.server = authority.site.at("/other");
    credentials.save_grant(&needs_it_too).await.unwrap();
    authority.set(|state| {
        state.known.clear();
        state.good.clear();
    });
    // the server shows a page instead of sending the person back
    let fault = two.login().await.unwrap_err();
    assert!(matches!(fault, ConnectionFault::UserAgent(_)), "{fault}");
    let out = one.logout().await.unwrap().unwrap();
    assert!(out.revoked.is_err() && out.is_forgotten);
    assert_eq!(called(&two).await.status(), 200);
    assert_eq!(authority.count("/register"), 2);
}
