//! Tokens end, and the next ones come: by refreshing, once for all, and by no person's patience.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mcp_gateway_client::{
    connection::{ConnectionFault, Means, UserAgent, UserAgentFault},
    credentials::{Credentials, FileKeep},
    identity::Profile,
    token::TokenFault,
};
use serde_json::json;
use tokio::sync::Notify;
use url::Url;

use super::entered;
use crate::support::{
    authority::{Authority, State, call, called},
    browser::REDIRECT,
};

#[tokio::test]
async fn a_token_is_refreshed_before_it_ends_by_one_of_many_at_once() {
    let authority = Authority::start(State::default());
    let program = Arc::new(authority.program());
    called(&program).await;
    authority.clock.advance(Duration::from_secs(3600 - 60));
    let calls = (0..32).map(|_| {
        let program = Arc::clone(&program);
        tokio::spawn(async move { called(&program).await.status() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(authority.grants("refresh_token").len(), 1);
    assert_eq!(authority.count("/authorize"), 1);
}

#[tokio::test]
async fn of_many_programs_with_one_file_one_refreshes() {
    let authority = Authority::start(State::default());
    let directory = tempfile::tempdir().unwrap();
    // each opens the file anew, as a process of its own does
    let credentials = || Credentials::new(Arc::new(FileKeep::new(directory.path().join("credentials.json"))));
    called(&authority.keeping(&credentials())).await;
    authority.clock.advance(Duration::from_secs(3600));
    let programs: Vec<_> = (0..8).map(|_| authority.keeping(&credentials())).collect();
    let calls = programs
        .into_iter()
        .map(|program| tokio::spawn(async move { called(&program).await.status() }));
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(authority.grants("refresh_token").len(), 1);
    assert_eq!(
        (authority.count("/authorize"), authority.count("/register")),
        (1, 1)
    );
}

#[tokio::test]
async fn a_token_that_is_refused_early_is_refreshed_without_a_login() {
    let authority = Authority::start(State::default());
    let program = authority.program();
    called(&program).await;
    authority.set(|state| state.good.clear());
    assert_eq!(called(&program).await.status(), 200);
    assert_eq!(
        (
            authority.grants("refresh_token").len(),
            authority.count("/authorize")
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn a_refresh_token_that_has_ended_leads_to_a_login_with_the_same_registration() {
    let authority = Authority::start(State::default());
    let program = authority.program();
    called(&program).await;
    authority.set(|state| {
        state.good.clear();
        state.refresh = Some((400, json!({"error": "invalid_grant"})));
    });
    assert_eq!(called(&program).await.status(), 200);
    assert_eq!(
        (authority.count("/authorize"), authority.count("/register")),
        (2, 1)
    );
}

#[tokio::test]
async fn a_client_that_is_not_known_any_more_registers_again() {
    let authority = Authority::start(State::default());
    let program = authority.program();
    called(&program).await;
    authority.set(|state| {
        state.good.clear();
        state.refresh = Some((401, json!({"error": "invalid_client"})));
    });
    assert_eq!(called(&program).await.status(), 200);
    assert_eq!(authority.count("/register"), 2);
    assert_eq!(
        authority.all("/authorize")[1].parameter("client_id").as_deref(),
        Some("client-2")
    );
}

#[tokio::test]
async fn a_token_endpoint_that_is_down_costs_nothing_while_the_token_lives() {
    let authority = Authority::start(State::default());
    let program = authority.program();
    called(&program).await;
    authority.set(|state| state.refresh = Some((503, json!("down"))));
    authority.clock.advance(Duration::from_secs(3600 - 30));
    assert_eq!(called(&program).await.status(), 200);
    authority.clock.advance(Duration::from_secs(30));
    let fault = program.execute(call(&program)).await.unwrap_err();
    assert!(
        matches!(fault, ConnectionFault::Token(TokenFault::Busy(503))),
        "{fault}"
    );
    assert_eq!(
        authority.count("/authorize"),
        1,
        "nobody is asked to log in because of that"
    );
}

#[tokio::test]
async fn a_token_with_a_short_life_is_not_refreshed_at_every_call() {
    let authority = Authority::start(State {
        lifetime: 40,
        ..State::default()
    });
    let program = authority.program();
    for _ in 0..3 {
        assert_eq!(called(&program).await.status(), 200);
    }
    authority.clock.advance(Duration::from_secs(29));
    assert_eq!(called(&program).await.status(), 200);
    assert_eq!(authority.grants("refresh_token").len(), 0);
    authority.clock.advance(Duration::from_secs(1));
    assert_eq!(called(&program).await.status(), 200);
    assert_eq!(authority.grants("refresh_token").len(), 1);
}

#[tokio::test]
async fn a_program_gets_its_next_token_ahead_and_without_being_refused() {
    let authority = Authority::start(State::default());
    let profile = entered(authority.site.url.clone());
    let program = authority.connection(profile, Means::Client);
    let first = program.access_token().await.unwrap().unwrap();
    assert_eq!(first.token.reveal(), "at-1", "nobody has to log in for it");
    authority.clock.advance(Duration::from_secs(3600 - 60));
    assert_eq!(called(&program).await.status(), 200);
    authority.clock.advance(Duration::from_secs(7200));
    assert_eq!(called(&program).await.status(), 200);
    let asked = authority.grants("client_credentials");
    assert_eq!(
        (asked.len(), authority.count("/mcp")),
        (3, 3),
        "the probe, and two calls"
    );
    assert_eq!(asked[2].field("scope").as_deref(), Some("read"));
}

/// A person who went away.
struct Away {
    is_asked: Notify,
    is_back: Notify,
}

#[async_trait]
impl UserAgent for Away {
    async fn redirect_uri(&self) -> Result<String, UserAgentFault> {
        Ok(REDIRECT.to_owned())
    }

    async fn visit(&self, _: &Url) -> Result<Url, UserAgentFault> {
        self.is_asked.notify_one();
        self.is_back.notified().await;
        Err(UserAgentFault("too late".to_owned()))
    }
}

#[tokio::test]
async fn a_login_that_waits_for_its_person_keeps_nobody_from_refreshing() {
    let authority = Authority::start(State::default());
    let directory = tempfile::tempdir().unwrap();
    let credentials = || Credentials::new(Arc::new(FileKeep::new(directory.path().join("credentials.json"))));
    called(&authority.keeping(&credentials())).await;
    let person = Arc::new(Away {
        is_asked: Notify::new(),
        is_back: Notify::new(),
    });
    let waiting = authority
        .connection(Profile::native("Test"), Means::Person(Arc::clone(&person) as _))
        .keep_in(credentials());
    let waiting = Arc::new(waiting);
    let login = tokio::spawn({
        let waiting = Arc::clone(&waiting);
        async move { waiting.login().await.map(drop) }
    });
    person.is_asked.notified().await;
    authority.clock.advance(Duration::from_secs(3600 - 30));
    let script = authority
        .connection(Profile::native("Test"), Means::Kept)
        .keep_in(credentials());
    for program in [&script, &*waiting] {
        let token = tokio::time::timeout(Duration::from_secs(20), program.access_token());
        let token = token.await.expect("it waits for the person").unwrap().unwrap();
        assert_eq!(token.token.reveal(), "at-2");
    }
    person.is_back.notify_one();
    let fault = login.await.unwrap().unwrap_err();
    assert!(matches!(fault, ConnectionFault::UserAgent(_)), "{fault}");
    let kept = script.access_token().await.unwrap().unwrap();
    assert_eq!(kept.token.reveal(), "at-2", "what was there stays");
}

#[tokio::test]
async fn token_responses_that_are_nearly_right_are_taken() {
    for lifetime in [json!("3600"), json!(3600.0), json!(" 3600 ")] {
        let authority = Authority::start(State {
            response: json!({"expires_in": lifetime}),
            ..State::default()
        });
        let program = authority.program();
        assert_eq!(called(&program).await.status(), 200);
        authority.clock.advance(Duration::from_secs(3599));
        assert_eq!(called(&program).await.status(), 200);
        assert_eq!(authority.grants("refresh_token").len(), 1, "{lifetime}");
    }
}

#[tokio::test]
async fn an_error_with_the_status_of_a_success_is_an_error() {
    let authority = Authority::start(State::default());
    let program = authority.program();
    called(&program).await;
    authority.set(|state| {
        state.good.clear();
        state.refresh = Some((200, json!({"error": "invalid_client"})));
    });
    assert_eq!(called(&program).await.status(), 200);
    assert_eq!(authority.count("/register"), 2, "the client registers again");
}

#[tokio::test]
async fn what_fits_in_no_header_is_no_token() {
    for token in ["a\r\nX-Evil: 1", "a\u{1b}[2J", "", "a b"] {
        let authority = Authority::start(State {
            response: json!({"access_token": token}),
            ..State::default()
        });
        let program = authority.program();
        let fault = program.execute(call(&program)).await.unwrap_err();
        assert!(
            matches!(fault, ConnectionFault::Token(TokenFault::Malformed)),
            "{fault}"
        );
    }
}
