//! Calls of a protected server: the login, its token, refreshing it, and needing more.

mod issuers;
mod logout;
mod refresh;
mod registrations;
mod scopes;

use std::sync::Arc;

use actix_web::HttpResponse;
use mcp_gateway_client::{
    connection::{Connection, ConnectionFault, Means},
    credentials::{Credentials, MemoryKeep},
    http::{Http, HttpFault, Settings},
    identity::{PreRegistered, Profile},
};
use mcp_gateway_model::secret::Secret;
use serde_json::{Value, json};
use url::Url;

use crate::support::{
    authority::{Authority, State, call, called},
    browser::REDIRECT,
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

/// A program that the authorization server knows by its secret.
pub(crate) fn entered(issuer: String) -> Profile {
    let mut profile = Profile::native("Test");
    profile.pre_registered.push(PreRegistered {
        issuer: Some(issuer),
        client_id: "a b".into(),
        secret: Some(Secret::presented("s:%".into())),
        method: None,
    });
    profile
}

#[tokio::test]
async fn a_client_acts_for_itself_with_its_secret() {
    let authority = Authority::start(State::default());
    let program = authority.connection(entered(authority.site.url.clone()), Means::Client);
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

#[tokio::test]
async fn what_a_server_of_the_internet_leads_to_is_not_asked_inside_of_a_network() {
    let authority = Authority::start(State::default());
    let outside = Url::parse("https://1.1.1.1/mcp").unwrap();
    let http = Http::new(Settings::default())
        .unwrap()
        .for_documents_of(&outside)
        .await;
    for address in [
        authority.site.at("/register"),
        Url::parse("https://localhost/x").unwrap(),
    ] {
        let fault = http.get(&address).await.unwrap_err();
        assert!(matches!(fault, HttpFault::Refused(_)), "{address}: {fault}");
    }
    assert_eq!(authority.site.lines(), Vec::<String>::new());
    // a server of this machine leads to others there
    let http = http.for_documents_of(&authority.mcp()).await;
    assert!(http.get(&authority.site.at("/")).await.is_ok());
}
