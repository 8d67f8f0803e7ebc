//! What a flood of requests leaves in the log.

use std::sync::Arc;

use actix_web::{App, http::StatusCode, test, web};
use mcp_gateway_auth_server::{AuthServer, Limits, routes};
use mcp_gateway_model::clock::{ManualClock, Timestamp};
use mcp_gateway_store::{EmbeddedStore, Rate};

use crate::support::{desk::START, log::Log, set::settings};

#[actix_web::test]
async fn a_flood_of_requests_does_not_drive_out_the_audit_log() {
    let (log, _guard) = Log::listen();
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(START)));
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    let registry = prometheus::Registry::new();
    let mut settings = settings();
    let two = Rate {
        count: 2,
        burst: 2,
        ..Limits::default().token
    };
    (
        settings.limits.register,
        settings.limits.token,
        settings.limits.manage,
    ) = (two, two, two);
    let auth = AuthServer::start(settings, store, clock, &registry)
        .await
        .unwrap();
    let app = test::init_service(App::new().configure(routes::configure(web::Data::new(auth)))).await;
    let mut limited = 0;
    for _ in 0..20 {
        for path in ["/register", "/token"] {
            let request = test::TestRequest::post().uri(path).set_payload("{}");
            let answer = test::call_service(&app, request.to_request()).await;
            limited += usize::from(answer.status() == StatusCode::TOO_MANY_REQUESTS);
        }
        let request = test::TestRequest::delete().uri("/register/nobody");
        let answer = test::call_service(&app, request.to_request()).await;
        limited += usize::from(answer.status() == StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(limited, 3 * 18);
    let lines = log.audit();
    assert!((4..=6).contains(&lines.len()), "{lines:?}");
    assert!(
        lines.iter().all(|line| line["reason"] != "rate_limited"),
        "{lines:?}"
    );
    let counted: f64 = registry
        .gather()
        .iter()
        .filter(|family| family.name() == "mcp_gateway_rejections_total")
        .flat_map(|family| family.get_metric().to_vec())
        .filter(|metric| metric.get_label().iter().any(|l| l.value() == "rate_limited"))
        .map(|metric| metric.get_counter().get_value())
        .sum();
    assert!((counted - 54.0).abs() < 0.1, "{counted}");
}
