//! Calls of a protected server: the login, its token, refreshing it, and needing more.

use std::{sync::Arc, time::Duration};

use actix_web::HttpResponse;
use mcp_gateway_client::{
    authorize::AuthorizeFault,
    connection::{Connection, ConnectionFault, Means},
    credentials::{Credentials, FileKeep, MemoryKeep},
    http::{Http, HttpFault, Settings},
    identity::{IdentityFault, PreRegistered, Profile},
    token::TokenFault,
};
use mcp_gateway_model::secret::Secret;
use serde_json::{Value, json};
use url::Url;

use crate::support::{
    authority::{Authority, Browser, REDIRECT, State, call, called},
    site::Site,
};

/// A program that asks nobody.
fn kept(server: &Url) -> Connection {
    let http = Http::new(Settings::default()).unwrap();
    Connection::new(
        server.clone(),
        http,
        Arc::new(Profile::native("Test")),
        Means::Kept,
    )
}

fn memory() -> Credentials {
    Credentials::new(Arc::new(MemoryKeep::default()))
}

#[tokio::test]
async fn the_first_call_registers_logs_in_and_is_made_again() {
    let authority = Authority::start(State::default());
    let program = authority.program();
    let response = called(&program).await;
    assert_eq!(response.json::<Value>().await.unwrap(), json!({"answer": 42}));

    let registered: Value = serde_json::from_str(&authority.all("/register")[0].body).unwrap();
    assert_eq!(registered["application_type"], "native");
    assert_eq!(registered["redirect_uris"], json!([REDIRECT]));
    assert_eq!(registered["token_endpoint_auth_method"], "none");
    assert_eq!(
        registered["grant_types"],
        json!(["authorization_code", "refresh_token"])
    );
    let authorize = &authority.all("/authorize")[0];
    assert_eq!(authorize.parameter("response_type").as_deref(), Some("code"));
    assert_eq!(
        authorize.parameter("code_challenge_method").as_deref(),
        Some("S256")
    );
    assert_eq!(authorize.parameter("resource"), Some(authority.mcp().into()));
    assert_eq!(authorize.parameter("scope").as_deref(), Some("read"));
    assert_eq!(
        authority.grants("authorization_code")[0]
            .field("client_id")
            .as_deref(),
        Some("client-1")
    );

    assert_eq!(called(&program).await.status(), 200);
    assert_eq!((authority.count("/authorize"), authority.count("/mcp")), (1, 3));
}

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
    authority.set(|state| state.good = None);
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
        state.good = None;
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
        state.good = None;
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
        state.good = None;
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
        state.good = None;
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
async fn a_client_acts_for_itself_with_its_secret() {
    let authority = Authority::start(State::default());
    let mut profile = Profile::native("Test");
    profile.pre_registered.push(PreRegistered {
        issuer: Some(authority.site.url.clone()),
        client_id: "a b".into(),
        secret: Some(Secret::presented("s:%".into())),
        method: None,
    });
    let program = authority.connection(profile, Means::Client);
    assert_eq!(called(&program).await.status(), 200);
    // RFC 6749 §2.3.1: each part is form-encoded first
    let asked = &authority.grants("client_credentials")[0];
    assert_eq!(asked.header("authorization"), Some("Basic YStiOnMlM0ElMjU="));
}

#[tokio::test]
async fn a_token_goes_nowhere_else() {
    let authority = Authority::start(State::default());
    let program = authority.program();
    called(&program).await;
    let other = Site::start(|_, _| HttpResponse::Ok().finish());
    let request = program
        .http()
        .request(reqwest::Method::GET, other.at("/mcp"))
        .build()
        .unwrap();
    let fault = program.execute(request).await.unwrap_err();
    assert!(matches!(fault, ConnectionFault::Elsewhere(_)), "{fault}");
    assert_eq!(other.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn a_redirect_of_the_server_is_not_followed() {
    let other = Site::start(|_, _| HttpResponse::Ok().finish());
    let to = other.at("/mcp");
    let site = Site::start(move |_, _| {
        HttpResponse::TemporaryRedirect()
            .append_header(("Location", to.as_str()))
            .finish()
    });
    let program = kept(&site.at("/mcp"));
    assert_eq!(called(&program).await.status(), 307);
    assert_eq!(other.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn without_anybody_to_ask_a_login_is_said_to_be_needed() {
    let authority = Authority::start(State::default());
    let credentials = memory();
    let kept = authority
        .connection(Profile::native("Test"), Means::Kept)
        .keep_in(credentials.clone());
    let fault = kept.execute(call(&kept)).await.unwrap_err();
    assert!(matches!(fault, ConnectionFault::LoginNeeded(_)), "{fault}");
    assert!(kept.access_token().await.unwrap().is_none());
    authority.keeping(&credentials).login().await.unwrap();
    assert_eq!(called(&kept).await.status(), 200);
    assert_eq!(kept.access_token().await.unwrap().unwrap().token.reveal(), "at-1");
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
async fn logging_out_ends_the_tokens_and_then_the_registration() {
    let authority = Authority::start(State::default());
    let credentials = memory();
    let program = authority.keeping(&credentials);
    called(&program).await;
    let out = program.logout().await.unwrap().unwrap();
    assert!(out.revoked.unwrap() && out.unregistered.unwrap());
    let revoked = &authority.all("/revoke")[0];
    assert_eq!(revoked.field("token").as_deref(), Some("rt-1"));
    assert_eq!(revoked.field("client_id").as_deref(), Some("client-1"));
    let ended = &authority.all("/manage")[0];
    assert_eq!(
        (ended.method.as_str(), ended.header("authorization")),
        ("DELETE", Some("Bearer rat"))
    );
    assert!(credentials.grants().await.unwrap().is_empty());
    assert!(credentials.identity(&authority.site.url).await.unwrap().is_none());
    assert!(program.logout().await.unwrap().is_none());
}

#[tokio::test]
async fn a_registration_that_another_server_needs_outlives_a_logout() {
    let authority = Authority::start(State::default());
    let credentials = memory();
    let program = authority.keeping(&credentials);
    called(&program).await;
    let mut other = credentials.grants().await.unwrap().remove(0);
    other.server = Url::parse("https://other.example/mcp").unwrap();
    credentials.save_grant(&other).await.unwrap();
    let out = program.logout().await.unwrap().unwrap();
    assert!(!out.unregistered.unwrap());
    assert_eq!(authority.count("/manage"), 0);
    assert!(credentials.identity(&authority.site.url).await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = Url::parse(&format!("http://{}/mcp", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let program = kept(&gone);
    let fault = program.execute(call(&program)).await.unwrap_err();
    assert!(
        matches!(fault, ConnectionFault::Unreachable(HttpFault::Unreachable(_))),
        "{fault}"
    );
}
