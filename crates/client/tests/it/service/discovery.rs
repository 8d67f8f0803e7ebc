//! `discover-resource`, `discover-auth-server`: fallbacks, and documents that must not be used.

use std::time::Duration;

use actix_web::{HttpResponse, web::Bytes};
use futures_util::stream;
use serde_json::json;

use super::{
    authority::Authority,
    stage::Stage,
    steps::{begin, register},
};
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

#[actix_web::test]
async fn a_login_begins_only_at_a_server_that_the_resource_names() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let other = Authority::start();
    let client = register(&stage, &other, "1").await;
    let resource = authority.resource.url.as_str();
    for scope in ["", "read"] {
        let parameters = [
            ("auth_server_url", other.server.url.as_str()),
            ("client_id", client.as_str()),
            ("resource", resource),
            ("scope", scope),
        ];
        let (status, fault) = stage.get("1", "/start-authorization", &parameters).await;
        assert_eq!(
            (status, &fault["error"]),
            (400, &json!("invalid_target")),
            "{fault}"
        );
        let said = fault["error_description"].as_str().unwrap();
        assert!(said.contains(&authority.server.url), "{said}");
    }
    // what says nothing of itself cannot be asked whom it trusts
    let silent = Site::start(|_, _| empty(404));
    let parameters = [
        ("auth_server_url", other.server.url.as_str()),
        ("client_id", client.as_str()),
        ("resource", silent.url.as_str()),
    ];
    assert_eq!(stage.get("1", "/start-authorization", &parameters).await.0, 200);
    assert_eq!(begin(&stage, &other, "1", &client).await.0, 200);
}

#[actix_web::test]
async fn a_search_that_takes_too_long_is_given_up_as_a_whole() {
    let stage = Stage::tuned(|settings| settings.limits.discovery = Duration::from_millis(300));
    let site =
        Site::start(|_, _| HttpResponse::Ok().streaming(stream::pending::<Result<Bytes, std::io::Error>>()));
    for (path, name) in [
        ("/discover-resource", "resource_url"),
        ("/discover-auth-server", "auth_server_url"),
    ] {
        let (status, fault) = stage.get("1", path, &[(name, site.url.as_str())]).await;
        assert_eq!(
            (status, &fault["error"]),
            (504, &json!("gateway_timeout")),
            "{path}"
        );
    }
}
