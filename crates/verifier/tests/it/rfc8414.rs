//! The authorization server's metadata on protected hosts, for clients that know no RFC 9728.

use actix_web::http::{Method, StatusCode};

use crate::stand::{ISSUER, Stand, read};

#[actix_web::test]
async fn protected_hosts_answer_with_the_one_canonical_issuer() {
    let stand = Stand::new();
    let mut bodies = Vec::new();
    for name in ["oauth-authorization-server", "openid-configuration"] {
        for suffix in ["", "/", "/mcp", "/mcp/deeper/"] {
            let url = format!("https://echo.example.com/.well-known/{name}{suffix}");
            let answer = stand.ask(read(&url)).await;
            assert_eq!(answer.status, StatusCode::OK, "{url}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            assert_eq!(answer.json()["issuer"], ISSUER);
            assert_eq!(answer.json()["code_challenge_methods_supported"][0], "S256");
            bodies.push(answer.body);
        }
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[actix_web::test]
async fn it_is_for_reading_only() {
    let url = "https://echo.example.com/.well-known/oauth-authorization-server";
    let answer = Stand::new().ask(read(url).method(Method::POST)).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}
