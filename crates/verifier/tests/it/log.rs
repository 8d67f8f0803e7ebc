//! What the log is told: a reason code and the request's name, never a token.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::stand::{ECHO, NOW, Stand, about};

/// Keeps what is logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().map_err(|_| io::ErrorKind::Other)?;
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    pub(crate) fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines_with(&self, text: &str) -> usize {
        self.text().lines().filter(|l| l.contains(text)).count()
    }

    pub(crate) fn text(&self) -> String {
        let log = self.0.lock().map(|l| l.clone()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

#[actix_web::test]
async fn each_refusal_is_one_line_with_its_code_and_the_requests_name() {
    let (log, _guard) = Log::start();
    let stand = Stand::new();
    stand.verify(&stand.token_where("exp", json!(NOW))).await;
    assert_eq!(log.lines_with(r#"code="expired""#), 1);
    assert_eq!(log.lines_with("request_id=request-0001"), 1);
    stand.ask(about(ECHO)).await;
    assert_eq!(log.lines_with(r#"code="no_token""#), 1);
    stand.store.fail(true);
    stand.verify(&stand.token()).await;
    assert_eq!(log.lines_with(r#"code="store_unavailable""#), 1);
    assert_eq!(log.lines_with("connection refused at 10.0.0.9"), 1);
}

#[actix_web::test]
async fn no_token_is_logged_at_any_level() {
    let (log, _guard) = Log::start();
    let stand = Stand::new();
    let (good, expired) = (stand.token(), stand.token_where("exp", json!(NOW)));
    let refresh = format!("mcp_rt_{}.1.{}", stand.grant.id, "A".repeat(43));
    for token in [&good, &expired, &refresh] {
        stand.verify(token).await;
        stand.ask(about(&format!("{ECHO}?access_token={token}"))).await;
    }
    assert!(log.lines_with("not verified") > 0);
    for token in [&good, &expired, &refresh] {
        let signature = token.rsplit('.').next().unwrap();
        assert_eq!(log.lines_with(signature), 0);
    }
}

#[actix_web::test]
async fn an_operator_is_told_once_in_a_while_which_host_is_not_protected() {
    let (log, _guard) = Log::start();
    let stand = Stand::new();
    for _ in 0..5 {
        stand.ask(about("https://forgotten.example.com/mcp")).await;
    }
    assert_eq!(log.lines_with("WARN"), 1);
    assert_eq!(log.lines_with("no configured resource covers"), 1);
    assert_eq!(log.lines_with("forgotten.example.com"), 5);
    stand.clock.advance(std::time::Duration::from_secs(10));
    stand.ask(about("https://forgotten.example.com/mcp")).await;
    assert_eq!(log.lines_with("WARN"), 2);
}
