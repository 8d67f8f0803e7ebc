//! What the log keeps of what was refused or replayed: who, which client, which resource, why.

use std::sync::Arc;

use actix_web::{
    App,
    http::{Method, header},
    test::{self, TestRequest},
    web,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_auth_server::{AuthServer, routes};
use mcp_gateway_model::clock::{ManualClock, Timestamp};
use mcp_gateway_store::EmbeddedStore;
use serde_json::{Value, json};

use crate::support::{
    desk::{REDIRECT, START, VERIFIER, put_code},
    log::Log,
    set::{ECHO, settings},
};

/// A server on this thread, where the log is listened to; with it its store.
macro_rules! server {
    () => {{
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(START)));
        let store = Arc::new(EmbeddedStore::in_memory().unwrap());
        let registry = prometheus::Registry::new();
        let auth = AuthServer::start(settings(), store.clone(), clock, &registry)
            .await
            .unwrap();
        let app = App::new().configure(routes::configure(web::Data::new(auth)));
        (test::init_service(app).await, store)
    }};
}

/// The body of the answer to a request, as JSON if it is.
macro_rules! call {
    ($app:expr, $request:expr) => {{
        let body = test::call_and_read_body($app, $request.to_request()).await;
        serde_json::from_slice::<Value>(&body).unwrap_or_default()
    }};
}

/// The id of a public client that registered.
macro_rules! register {
    ($app:expr) => {{
        let register = TestRequest::post()
            .uri("/register")
            .set_json(json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none" }));
        let client = call!($app, register);
        client["client_id"].as_str().unwrap().to_owned()
    }};
}

fn at_token(form: &[(&str, &str)]) -> TestRequest {
    TestRequest::post().uri("/token").set_form(form)
}

/// What the lines of this event say: user, login, client, resource, reason.
fn lines_of(log: &Log, event: &str) -> Vec<[Value; 5]> {
    log.audit()
        .iter()
        .filter(|line| line["event"] == event)
        .map(|line| ["user", "login", "client", "resource", "reason"].map(|name| line[name].clone()))
        .collect()
}

#[actix_web::test]
async fn replays_name_the_user_the_client_and_the_resource() {
    let (log, _guard) = Log::listen();
    let (app, store) = server!();
    let id = register!(&app);
    let redeemed = async || {
        let code = put_code(store.as_ref(), &id, Timestamp::from_secs(START), |_, _| {}).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &id),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        let tokens = call!(&app, at_token(&form));
        (tokens["refresh_token"].as_str().unwrap().to_owned(), code)
    };
    let (_, code) = redeemed().await;
    let again = [
        ("grant_type", "authorization_code"),
        ("client_id", &id),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(call!(&app, at_token(&again))["error"], "invalid_grant");
    let (first, _) = redeemed().await;
    let refresh = |token: &str| {
        at_token(&[
            ("grant_type", "refresh_token"),
            ("client_id", &id),
            ("refresh_token", token),
        ])
    };
    let second = call!(&app, refresh(&first));
    let second = second["refresh_token"].as_str().unwrap();
    call!(&app, refresh(second));
    assert_eq!(call!(&app, refresh(&first))["error"], "invalid_grant");
    let line = |reason: &str| {
        [
            json!(583_231),
            json!("octocat"),
            json!(id),
            json!(ECHO),
            json!(reason),
        ]
    };
    assert_eq!(
        lines_of(&log, "replayed"),
        [line("code_replayed"), line("refresh_token_replayed")]
    );
}

#[actix_web::test]
async fn a_refused_client_is_named_whichever_way_it_came() {
    let (log, _guard) = Log::listen();
    let (app, _) = server!();
    let basic = format!("Basic {}", STANDARD.encode("mcp_client_basic:hunter2"));
    let request = at_token(&[("grant_type", "refresh_token")]).insert_header((header::AUTHORIZATION, basic));
    assert_eq!(call!(&app, request)["error"], "invalid_client");
    let form = [("client_id", "mcp_client_form"), ("client_secret", "hunter2")];
    assert_eq!(call!(&app, at_token(&form))["error"], "invalid_client");
    assert_eq!(call!(&app, at_token(&[]))["error"], "invalid_client");
    let named: Vec<_> = lines_of(&log, "token_refused")
        .into_iter()
        .map(|[_, _, client, _, reason]| (client, reason))
        .collect();
    assert_eq!(
        named,
        [
            (json!("mcp_client_basic"), json!("unknown_client")),
            (json!("mcp_client_form"), json!("unknown_client")),
            (Value::Null, json!("client_id_missing")),
        ]
    );
    assert!(!log.text().contains("hunter2"));
}

#[actix_web::test]
async fn refused_management_calls_leave_a_line_each() {
    let (log, _guard) = Log::listen();
    let (app, _) = server!();
    let id = register!(&app);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let request = TestRequest::with_uri(&format!("/register/{id}"))
            .method(method)
            .insert_header((header::AUTHORIZATION, "Bearer hunter2"))
            .set_json(json!({}));
        assert_eq!(call!(&app, request)["error"], "invalid_token");
    }
    let nobody = TestRequest::get().uri("/register/nobody");
    call!(&app, nobody);
    let line = |client: &str, reason: &str| {
        [
            Value::Null,
            Value::Null,
            json!(client),
            Value::Null,
            json!(reason),
        ]
    };
    let wrong = line(&id, "wrong_registration_token");
    assert_eq!(
        lines_of(&log, "management_refused"),
        [
            wrong.clone(),
            wrong.clone(),
            wrong,
            line("nobody", "registration_token_missing"),
        ]
    );
    assert!(!log.text().contains("hunter2"));
}
