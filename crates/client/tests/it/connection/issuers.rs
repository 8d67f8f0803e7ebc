//! Which authorization server it is, and what it is told.

use std::sync::Arc;

use mcp_gateway_client::{
    authorize::AuthorizeFault,
    connection::{ConnectionFault, Means},
    identity::{IdentityFault, PreRegistered, Profile},
};
use serde_json::json;

use super::{entered, memory};
use crate::support::{
    authority::{Authority, State, call, called},
    browser::Browser,
};

#[tokio::test]
async fn nobody_is_sent_to_a_server_without_pkce() {
    for methods in [json!(null), json!([]), json!(["plain"])] {
        let authority = Authority::start(State {
            metadata: json!({"code_challenge_methods_supported": methods}),
            ..State::default()
        });
        let program = authority.program();
        let fault = program.execute(call(&program)).await.unwrap_err();
        assert!(
            matches!(fault, ConnectionFault::Authorize(AuthorizeFault::NoPkce(_))),
            "{fault}"
        );
        assert_eq!(authority.count("/authorize"), 0);
    }
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_no_web_page() {
    for endpoint in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://evil.example/authorize",
        "calc://x",
    ] {
        let authority = Authority::start(State {
            metadata: json!({"authorization_endpoint": endpoint}),
            ..State::default()
        });
        let program = authority.program();
        let fault = program.execute(call(&program)).await.unwrap_err();
        assert!(
            matches!(fault, ConnectionFault::Authorize(AuthorizeFault::BadEndpoint(_))),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn what_one_issuer_gave_is_not_shown_to_the_next() {
    let authority = Authority::start(State::default());
    let program = authority.program();
    called(&program).await;
    authority.set(|state| {
        state.tenant = "/new";
        state.good.clear();
        state.refresh = Some((400, json!({"error": "invalid_grant"})));
    });
    assert_eq!(called(&program).await.status(), 200);
    assert_eq!(authority.count("/register"), 2);
    assert_eq!(
        authority.all("/authorize")[1].parameter("client_id").as_deref(),
        Some("client-2")
    );
}

#[tokio::test]
async fn a_client_id_that_was_entered_is_for_the_first_issuer_only() {
    let authority = Authority::start(State::default());
    let mut profile = Profile::native("Test");
    profile.pre_registered.push(PreRegistered {
        issuer: None,
        client_id: "entered".into(),
        secret: None,
        method: None,
    });
    let program = authority.connection(profile, Means::Person(Arc::new(Browser::new())));
    called(&program).await;
    assert_eq!(authority.count("/register"), 0);
    authority.set(|state| {
        state.tenant = "/new";
        state.good.clear();
        state.refresh = Some((400, json!({"error": "invalid_grant"})));
    });
    let fault = program.execute(call(&program)).await.unwrap_err();
    assert!(
        matches!(
            fault,
            ConnectionFault::Identity(IdentityFault::OtherIssuer { .. })
        ),
        "{fault}"
    );
}

#[tokio::test]
async fn a_registration_that_is_refused_says_why() {
    let authority = Authority::start(State {
        registration: Some((
            400,
            json!({"error": "invalid_redirect_uri", "error_description": "loop\u{1b}back"}),
        )),
        ..State::default()
    });
    let program = authority.program();
    let fault = program.execute(call(&program)).await.unwrap_err().to_string();
    assert!(
        fault.ends_with("was refused with status 400: invalid_redirect_uri: loopback"),
        "{fault}"
    );
    let none = Authority::start(State {
        metadata: json!({"registration_endpoint": null}),
        ..State::default()
    });
    let program = none.program();
    let fault = program.execute(call(&program)).await.unwrap_err();
    assert!(
        matches!(fault, ConnectionFault::Identity(IdentityFault::NoWay(_))),
        "{fault}"
    );
}

#[tokio::test]
async fn another_client_id_is_taken_where_the_server_has_moved() {
    let authority = Authority::start(State::default());
    let credentials = memory();
    called(&authority.keeping(&credentials)).await;
    authority.set(|state| {
        state.tenant = "/new";
        state.metadata = json!({"registration_endpoint": null});
    });
    let login = async |client_id: &str| {
        let mut profile = Profile::native("Test");
        profile.pre_registered.push(PreRegistered {
            issuer: None,
            client_id: client_id.to_owned(),
            secret: None,
            method: None,
        });
        let person = Means::Person(Arc::new(Browser::new()));
        let program = authority.connection(profile, person).keep_in(credentials.clone());
        program.login().await.map(drop)
    };
    // the id that it had at the old place is another's at the new one
    let fault = login("client-1").await.unwrap_err();
    assert!(
        fault.to_string().contains("log out first if it is the same"),
        "{fault}"
    );
    login("new").await.unwrap();
}

#[tokio::test]
async fn of_several_authorization_servers_the_one_that_knows_the_program_is_taken() {
    let authority = Authority::start(State {
        tenant: "/two",
        others: vec!["/one"],
        ..State::default()
    });
    let profile = entered(format!("{}/two", authority.site.url));
    let program = authority.connection(profile, Means::Client);
    assert_eq!(called(&program).await.status(), 200);
}

#[tokio::test]
async fn a_server_that_takes_bound_tokens_only_gets_no_others() {
    let required = json!({"dpop_bound_access_tokens_required": true});
    let never = Authority::start(State {
        resource: required.clone(),
        ..State::default()
    });
    // it says that it binds tokens, and does not
    let falsely = Authority::start(State {
        resource: required,
        metadata: json!({"dpop_signing_alg_values_supported": ["ES256"]}),
        ..State::default()
    });
    for authority in [&never, &falsely] {
        let program = authority.program();
        let fault = program.execute(call(&program)).await.unwrap_err();
        assert!(matches!(fault, ConnectionFault::NotBound(_)), "{fault}");
    }
    assert_eq!(never.count("/authorize"), 0, "nobody is asked for nothing");
    assert!(falsely.all("/token")[0].header("dpop").is_some());
}
