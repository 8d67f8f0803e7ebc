//! `discover-resource`, `discover-auth-server`: fallbacks, and documents that must not be used.

use actix_web::HttpResponse;
use serde_json::json;

use super::stage::Stage;
use crate::support::site::{Site, empty, json as answer, page};

#[actix_web::test]
async fn a_resource_is_found_where_its_challenge_says() {
    let stage = Stage::start();
    let site = Site::start(|base, asked| match asked.path.as_str() {
        "/mcp" => HttpResponse::Unauthorized()
            .insert_header((
                "www-authenticate",
                format!("Bearer resource_metadata=\"{base}/elsewhere\""),
            ))
            .finish(),
        "/elsewhere" => answer(
            200,
            &json!({
                "resource": format!("{base}/mcp"),
                "authorization_servers": ["https://auth.example.com"],
                "a_member_of_its_own": [1],
            }),
        ),
        _ => empty(404),
    });
    let url = site.at("/mcp").to_string();
    let expected = json!({
        "resource": url,
        "authorization_servers": ["https://auth.example.com"],
        "a_member_of_its_own": [1],
    });
    assert_eq!(
        stage
            .get("1", "/discover-resource", &[("resource_url", &url)])
            .await,
        (200, expected)
    );
}

#[actix_web::test]
async fn a_server_of_the_first_revision_is_its_own_authorization_server() {
    let stage = Stage::start();
    let site = Site::start(|base, asked| match asked.path.as_str() {
        "/.well-known/oauth-authorization-server" => answer(200, &json!({ "issuer": base })),
        "/mcp" => empty(401),
        _ => page(404),
    });
    let url = site.at("/mcp").to_string();
    let expected = json!({ "authorization_servers": [site.url], "resource": url });
    assert_eq!(
        stage
            .get("1", "/discover-resource", &[("resource_url", &url)])
            .await,
        (200, expected)
    );
}

#[actix_web::test]
async fn documents_about_something_else_and_servers_without_any_are_the_other_servers_fault() {
    let stage = Stage::start();
    let wrong = Site::start(|_, asked| match asked.path.as_str() {
        "/.well-known/oauth-protected-resource" => answer(
            200,
            &json!({ "resource": "https://evil.com", "authorization_servers": ["https://evil.com"] }),
        ),
        "/.well-known/oauth-authorization-server" => answer(200, &json!({ "issuer": "https://evil.com" })),
        _ => empty(404),
    });
    let nothing = Site::start(|_, _| page(200));
    for site in [&wrong, &nothing] {
        let found = stage
            .get("1", "/discover-resource", &[("resource_url", &site.url)])
            .await;
        assert_eq!(
            (found.0, &found.1["error"]),
            (502, &json!("bad_gateway")),
            "{found:?}"
        );
        let found = stage
            .get("1", "/discover-auth-server", &[("auth_server_url", &site.url)])
            .await;
        assert_eq!(
            (found.0, &found.1["error"]),
            (502, &json!("bad_gateway")),
            "{found:?}"
        );
    }
}

#[actix_web::test]
async fn the_path_of_an_issuer_counts() {
    let stage = Stage::start();
    let site = Site::start(|base, asked| match asked.path.as_str() {
        "/.well-known/oauth-authorization-server/tenant" => {
            answer(200, &json!({ "issuer": format!("{base}/tenant") }))
        }
        _ => empty(404),
    });
    let issuer = format!("{}/tenant", site.url);
    let found = stage
        .get("1", "/discover-auth-server", &[("auth_server_url", &issuer)])
        .await;
    assert_eq!(found, (200, json!({ "issuer": issuer })));
    let slash = format!("{issuer}/");
    let found = stage
        .get("1", "/discover-auth-server", &[("auth_server_url", &slash)])
        .await;
    assert_eq!(found.0, 502, "issuers are compared byte for byte");
}
