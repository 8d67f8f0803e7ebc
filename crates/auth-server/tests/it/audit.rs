//! What the log keeps of a client's whole life: every act, and not one secret, even at `trace`.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use actix_web::{
    App,
    http::{Method, header},
    test, web,
};
use mcp_gateway_auth_server::{AuthServer, routes};
use mcp_gateway_model::clock::{ManualClock, Timestamp};
use mcp_gateway_store::EmbeddedStore;
use serde_json::{Value, json};
use tracing::Level;

use crate::support::{
    desk::{REDIRECT, START, VERIFIER, put_code},
    set::settings,
};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().map_or(Ok(0), |mut log| log.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[actix_web::test]
async fn every_act_leaves_one_line_and_no_secret_is_in_the_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(START)));
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    let registry = prometheus::Registry::new();
    let auth = AuthServer::start(settings(), store.clone(), clock, &registry)
        .await
        .unwrap();
    let app = test::init_service(App::new().configure(routes::configure(web::Data::new(auth)))).await;

    let mut secrets = Vec::new();
    let mut keep = |value: &Value| {
        let text = value.as_str().unwrap().to_owned();
        secrets.push(text.clone());
        text
    };
    let register = test::TestRequest::post()
        .uri("/register")
        .set_json(json!({ "redirect_uris": [REDIRECT] }));
    let client: Value = test::call_and_read_body_json(&app, register.to_request()).await;
    let (id, secret) = (
        client["client_id"].as_str().unwrap().to_owned(),
        keep(&client["client_secret"]),
    );
    let management = keep(&client["registration_access_token"]);
    let code = put_code(store.as_ref(), &id, Timestamp::from_secs(START), |_, _| {}).await;
    let own = [("client_id", id.as_str()), ("client_secret", &secret)];
    let redemption = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let posted = |path: &str, form: &[(&str, &str)]| {
        let form: Vec<_> = own.iter().chain(form).copied().collect();
        test::TestRequest::post().uri(path).set_form(form).to_request()
    };
    let tokens: Value = test::call_and_read_body_json(&app, posted("/token", &redemption)).await;
    keep(&tokens["access_token"]);
    let refresh = keep(&tokens["refresh_token"]);
    let refreshing = [("grant_type", "refresh_token"), ("refresh_token", &refresh)];
    let tokens: Value = test::call_and_read_body_json(&app, posted("/token", &refreshing)).await;
    let access = keep(&tokens["access_token"]);
    keep(&tokens["refresh_token"]);
    test::call_service(&app, posted("/token", &redemption[1..])).await;
    test::call_service(&app, posted("/introspect", &[("token", &access)])).await;
    test::call_service(&app, posted("/revoke", &[("token", &access)])).await;
    for body in ["{}", "{"] {
        let bad = test::TestRequest::post().uri("/register").set_payload(body);
        test::call_service(&app, bad.to_request()).await;
    }
    let remove = test::TestRequest::with_uri(&format!("/register/{id}"))
        .method(Method::DELETE)
        .insert_header((header::AUTHORIZATION, format!("Bearer {management}")));
    test::call_service(&app, remove.to_request()).await;
    secrets.extend([code, VERIFIER.to_owned()]);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
    }
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let acts: Vec<_> = lines
        .filter(|line| line["target"] == "audit")
        .map(|line| {
            let fields = &line["fields"];
            assert!(fields["request_id"].is_string());
            let reason = fields["reason"].as_str().unwrap_or("-");
            format!("{} {reason}", fields["event"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        acts,
        [
            "client_registered -",
            "token_issued -",
            "token_refreshed -",
            "token_refused parameter_missing",
            "revoked -",
            "registration_refused redirect_missing",
            "registration_refused not_json",
            "client_removed -",
        ]
    );
}
