//! Browsers: who may read answers, and preflights as a route of their own.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use mcp_gateway_model::cors::CorsOrigins;

use crate::{
    signer::Signer,
    stand::{ECHO, PROXY, Stand, about, asking, configured, read, settings},
};

const APP: &str = "https://app.example";
const DOCUMENT: &str = "https://echo.example.com/.well-known/oauth-protected-resource/mcp";

fn preflight(path: &str) -> TestRequest {
    asking(path, PROXY)
        .method(Method::OPTIONS)
        .insert_header(("x-forwarded-host", "echo.example.com"))
        .insert_header(("origin", APP))
        .insert_header(("access-control-request-method", "POST"))
        .insert_header(("access-control-request-headers", "authorization, x-evil"))
}

fn only_app() -> Stand {
    let mut settings = settings(configured());
    settings.cors = CorsOrigins::parse(APP).unwrap();
    Stand::with(settings, Signer::ed25519())
}

#[actix_web::test]
async fn a_browser_can_read_the_challenge() {
    let answer = Stand::new().ask(about(ECHO).insert_header(("origin", APP))).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("WWW-Authenticate") && exposed.contains("Mcp-Session-Id"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[actix_web::test]
async fn only_listed_origins_can_read_answers() {
    let stand = only_app();
    for request in [about(ECHO), read(DOCUMENT)] {
        let answer = stand.ask(request.insert_header(("origin", APP))).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
    for origin in ["https://evil.example", "null", "https://app.example.evil.example"] {
        for request in [about(ECHO), read(DOCUMENT), preflight("/mcp")] {
            let answer = stand.ask(request.insert_header(("origin", origin))).await;
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
            assert_eq!(answer.header("vary"), Some("Origin"));
        }
    }
}

#[actix_web::test]
async fn a_preflight_is_answered_on_any_path_and_reflects_nothing() {
    let stand = Stand::new();
    for path in ["/mcp", "/", "/any/thing"] {
        let answer = stand.ask(preflight(path)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(answer.body, "");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(
            answer.header("access-control-allow-methods"),
            Some("GET, HEAD, POST, PUT, PATCH, DELETE")
        );
        let headers = answer.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("mcp-protocol-version") && headers.contains("authorization"));
        assert!(!headers.contains("x-evil"));
        assert_eq!(answer.header("access-control-max-age"), Some("7200"));
    }
}

#[actix_web::test]
async fn a_preflight_at_verify_is_refused_like_any_request_without_a_token() {
    let stand = Stand::new();
    let with_headers = preflight("/verify").insert_header(("x-forwarded-uri", "/mcp"));
    let answer = stand.ask(with_headers).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let claimed = about(ECHO).insert_header(("x-forwarded-method", "OPTIONS"));
    assert_eq!(stand.ask(claimed).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        stand.ask(preflight("/verify")).await.status,
        StatusCode::BAD_REQUEST
    );
}

#[actix_web::test]
async fn a_preflight_of_a_document_is_answered() {
    let stand = Stand::new();
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
    ] {
        let answer = stand.ask(preflight(path)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD"));
    }
}

#[actix_web::test]
async fn what_is_no_preflight_finds_nothing() {
    let stand = Stand::new();
    let options = || asking("/mcp", PROXY).method(Method::OPTIONS);
    for request in [
        options(),
        options().insert_header(("origin", APP)),
        options().insert_header(("access-control-request-method", "POST")),
        preflight("/mcp").method(Method::POST),
        preflight("/mcp").method(Method::GET),
    ] {
        let answer = stand.ask(request).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.json()["error"], "not_found");
    }
}
