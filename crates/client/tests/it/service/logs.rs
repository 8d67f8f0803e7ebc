//! What is logged: who asked for what, and nothing that opens anything.

use std::{
    io,
    sync::{Arc, Mutex},
};

use reqwest::Method;
use tracing::Level;

use super::{
    authority::{Authority, SECRET},
    stage::{Stage, told},
    steps::{begin, come_back, log_in},
};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[actix_web::test]
async fn no_line_holds_what_opens_anything() {
    let written = Written::default();
    let shared = written.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(Level::TRACE)
        .with_writer(move || shared.clone())
        .init();
    let (stage, authority) = (Stage::start(), Authority::start());
    let (client, _) = log_in(&stage, &authority, "4711").await;
    let (_, begun) = begin(&stage, &authority, "4711", &client).await;
    let back = authority
        .allow(begun["authorization_url"].as_str().unwrap())
        .await;
    assert_eq!(come_back(&stage, "815", &back).await.0, 401);
    assert_eq!(come_back(&stage, "4711", &back).await.0, 200);
    let mcp = format!("{}/mcp", authority.resource.url);
    for token in ["access-1", "not-good-at-all"] {
        let parameters = [("resource_url", mcp.as_str()), ("access_token", token)];
        stage.get("4711", "/access-resource", &parameters).await;
    }
    let parameters = [
        ("refresh_token", "refresh-2"),
        ("auth_server_url", authority.server.url.as_str()),
        ("client_id", &client),
    ];
    assert_eq!(stage.post("4711", "/refresh-token", &parameters).await.0, 200);
    let forged = stage.bare(
        Method::GET,
        "/api/mcp/oauth/callback?code=secret-code&state=secret-state",
    );
    told(forged.bearer_auth("secret-bearer").send().await.unwrap()).await;

    let log = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let line = "path=\"/api/mcp/oauth/callback\" status=401 user=\"815\" error=\"access_denied\"";
    assert!(log.contains(line), "{log}");
    let state = begun["state"].as_str().unwrap();
    for secret in [
        "access-1",
        "access-2",
        "access-3",
        "not-good-at-all",
        "refresh-1",
        "refresh-2",
        "refresh-3",
        "code-1",
        "secret-code",
        "secret-state",
        "secret-bearer",
        SECRET,
        state,
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
