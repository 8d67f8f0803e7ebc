//! Servers that want more than a token has.

use std::sync::Arc;

use actix_web::HttpResponse;
use mcp_gateway_client::connection::Means;
use mcp_gateway_model::scope::ScopeSet;

use super::{entered, kept};
use crate::support::{
    authority::{Authority, State, called},
    browser::Browser,
    site::Site,
};

#[tokio::test]
async fn a_server_that_wants_more_gets_what_was_granted_and_what_it_names() {
    let authority = Authority::start(State::default());
    let program = authority.program();
    called(&program).await;
    authority.set(|state| state.needed = "read write");
    assert_eq!(called(&program).await.status(), 200);
    let scopes: Vec<_> = authority
        .all("/authorize")
        .iter()
        .filter_map(|asked| asked.parameter("scope"))
        .collect();
    assert_eq!(scopes, ["read", "read write"]);
    assert_eq!(authority.count("/register"), 1);
}

#[tokio::test]
async fn a_server_that_is_never_content_is_not_asked_for_ever() {
    let authority = Authority::start(State {
        never: true,
        ..State::default()
    });
    let program = authority.program();
    assert_eq!(
        called(&program).await.status(),
        403,
        "its last answer is handed over"
    );
    // the login, and one more for the scopes that it named
    assert_eq!(authority.count("/authorize"), 2);
}

#[tokio::test]
async fn where_nobody_can_be_asked_for_more_the_refusal_is_handed_over() {
    let site = Site::start(|_, _| {
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"admin\"";
        HttpResponse::Forbidden()
            .append_header(("WWW-Authenticate", challenge))
            .finish()
    });
    let program = kept(&site.at("/mcp"));
    assert_eq!(called(&program).await.status(), 403);
    assert_eq!(site.lines(), ["POST /mcp"]);
}

#[tokio::test]
async fn what_was_asked_for_in_vain_is_not_asked_for_by_the_next_call() {
    let authority = Authority::start(State {
        never: true,
        ..State::default()
    });
    let program = authority.program();
    for _ in 0..3 {
        assert_eq!(called(&program).await.status(), 403);
    }
    assert_eq!(
        authority.count("/authorize"),
        2,
        "the login, and one for the scopes that it named"
    );
    program.login().await.unwrap();
    called(&program).await;
    assert_eq!(
        authority.count("/authorize"),
        4,
        "a person who logs in again may have more"
    );
}

#[tokio::test]
async fn a_program_that_said_what_it_needs_gets_no_more_by_itself() {
    let authority = Authority::start(State {
        needed: "read admin",
        ..State::default()
    });
    let profile = || entered(authority.site.url.clone());
    let read = ScopeSet::parse("read").unwrap();
    let program = authority
        .connection(profile(), Means::Client)
        .ask_for(read.clone());
    assert_eq!(called(&program).await.status(), 403);
    assert_eq!(authority.grants("client_credentials").len(), 1);
    let person = Means::Person(Arc::new(Browser::new()));
    let program = authority.connection(profile(), person).ask_for(read);
    assert_eq!(
        called(&program).await.status(),
        200,
        "a person sees what they allow"
    );
}
