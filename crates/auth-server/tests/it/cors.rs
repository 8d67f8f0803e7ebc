//! Browsers that call JSON endpoints: <https://fetch.spec.whatwg.org/#http-cors-protocol>.

use reqwest::{Method, StatusCode};

use crate::support::desk::Desk;

#[actix_web::test]
async fn browsers_may_call_every_json_endpoint_and_never_with_credentials() {
    let desk = Desk::start().await;
    let origin = [
        ("origin", "https://inspector.example.com"),
        ("access-control-request-method", "POST"),
    ];
    for path in [
        "/token",
        "/oauth/token",
        "/register",
        "/register/mcp_client_x",
        "/revoke",
        "/introspect",
        "/jwks",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
    ] {
        let preflight = desk.send(Method::OPTIONS, path, &origin).await;
        assert_eq!(preflight.status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(preflight.header("access-control-allow-origin"), "*", "{path}");
        assert!(
            preflight
                .header("access-control-allow-headers")
                .contains("authorization")
        );
        assert_eq!(preflight.header("access-control-allow-credentials"), "");
        let answer = desk.send(Method::PATCH, path, &origin).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert!(
            answer
                .header("access-control-expose-headers")
                .contains("WWW-Authenticate")
        );
    }
}
