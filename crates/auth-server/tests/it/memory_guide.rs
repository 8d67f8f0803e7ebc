//! What the guide of MCP Memory Service says of its endpoints, held against ours: the same paths, the same requests, and
//! answers with the members that it shows.

use mcp_gateway_model::scope::ScopeSet;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    desk::{Answer, Desk, Registered, VERIFIER},
    set::ECHO,
};

/// The request of the guide's API reference.
fn request() -> Value {
    json!({
        "client_name": "My Application",
        "redirect_uris": ["https://myapp.com/callback"],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "scope": "read write"
    })
}

async fn register(desk: &Desk, metadata: &Value) -> Answer {
    desk.send_json(Method::POST, "/oauth/register", &[], metadata)
        .await
}

#[actix_web::test]
async fn a_registration_is_answered_with_the_members_that_the_guide_shows() {
    let desk = Desk::start().await;
    let answer = register(&desk, &request()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let body = answer.json();
    assert!(
        body["client_id"]
            .as_str()
            .unwrap_or_default()
            .starts_with("mcp_client_")
    );
    assert!(body["client_secret"].is_string());
    for (name, value) in [
        ("redirect_uris", json!(["https://myapp.com/callback"])),
        ("grant_types", json!(["authorization_code"])),
        ("response_types", json!(["code"])),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("scope", json!("read write")),
    ] {
        assert_eq!(body[name], value, "{name}");
    }
}

#[actix_web::test]
async fn tokens_are_answered_with_the_members_that_the_guide_shows() {
    let desk = Desk::start_with(|settings| {
        settings.lifetimes.access_token = std::time::Duration::from_secs(3600);
    })
    .await;
    let answer = register(&desk, &request()).await;
    let client = Registered {
        id: answer.member("client_id"),
        secret: Some(answer.member("client_secret")),
        token: answer.member("registration_access_token"),
        body: answer.json(),
    };
    let redirect = "https://myapp.com/callback";
    let code = desk
        .code_with(&client, |grant, code| {
            grant.scopes = ScopeSet::parse("read write").unwrap_or_default();
            if let Ok(uri) = mcp_gateway_model::redirect::RedirectUri::parse(redirect) {
                code.redirect_uri = uri;
            }
        })
        .await;
    let secret = client.secret.as_deref().unwrap_or_default();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", redirect),
        ("code_verifier", VERIFIER),
        ("resource", ECHO),
        ("client_id", &client.id),
        ("client_secret", secret),
    ];
    let answer = desk.form("/oauth/token", &form).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let body = answer.json();
    assert!(answer.member("access_token").starts_with("eyJ"));
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(body["scope"], "read write");
    // authorization_code alone was asked for, so there is nothing to refresh with
    assert_eq!(body.get("refresh_token"), None);
}

#[actix_web::test]
async fn the_registration_of_the_guides_debugging_commands_is_told_which_field_is_missing() {
    let desk = Desk::start().await;
    let answer = register(&desk, &json!({ "client_name": "Test Client" })).await;
    assert_eq!(answer.error(), "400 invalid_redirect_uri");
    let description = answer.member("error_description");
    assert!(description.contains("redirect_uris"), "{description}");
}

#[actix_web::test]
async fn who_asks_for_grants_without_a_redirect_needs_no_redirect_uris() {
    let desk = Desk::start_with(|settings| {
        settings.registration.client_credentials = true;
    })
    .await;
    let for_itself = json!({ "client_name": "Test Client", "grant_types": ["client_credentials"] });
    let answer = register(&desk, &for_itself).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_eq!(answer.json()["redirect_uris"], json!([]));
    let for_both = json!({
        "client_name": "Test Client",
        "grant_types": ["client_credentials", "authorization_code"],
    });
    assert_eq!(
        register(&desk, &for_both).await.error(),
        "400 invalid_redirect_uri"
    );
}

#[actix_web::test]
async fn https_is_required_of_redirects_that_leave_the_machine() {
    let desk = Desk::start().await;
    for (uri, is_fine) in [
        ("https://myapp.com/callback", true),
        ("https://192.0.2.7/callback", true),
        ("http://localhost/callback", true),
        ("http://localhost:3000/callback", true),
        ("http://127.0.0.1:3000/callback", true),
        ("http://[::1]:3000/callback", true),
        ("http://myapp.com/callback", false),
        ("HTTP://myapp.com/callback", false),
        ("http://192.0.2.7/callback", false),
        // an intranet is not this machine
        ("http://192.168.1.10:8080/callback", false),
        ("http://10.0.0.5/callback", false),
        ("http://[fd00::1]/callback", false),
        ("http://host.docker.internal/callback", false),
        ("http://memory.local:8000/callback", false),
        // nor is what merely looks like it
        ("http://localhost.myapp.com/callback", false),
        ("http://127.0.0.1.myapp.com/callback", false),
        ("http://localhost@myapp.com/callback", false),
        ("http://0.0.0.0/callback", false),
        ("ftp://myapp.com/callback", false),
        ("ws://myapp.com/callback", false),
    ] {
        let mut metadata = request();
        metadata["redirect_uris"] = json!([uri]);
        let answer = register(&desk, &metadata).await;
        if is_fine {
            assert_eq!(answer.status, StatusCode::CREATED, "{uri}: {}", answer.text);
            continue;
        }
        assert_eq!(answer.error(), "400 invalid_redirect_uri", "{uri}");
        let description = answer.member("error_description");
        assert!(description.starts_with("redirect_uris "), "{uri}: {description}");
        if uri.to_lowercase().starts_with("http:") && !uri.contains('@') {
            assert!(description.contains("https"), "{uri}: {description}");
        }
    }
}

#[actix_web::test]
async fn both_discovery_documents_of_the_guide_are_the_issuers_own() {
    let desk = Desk::start().await;
    let own = desk.get("/.well-known/oauth-authorization-server").await;
    for path in [
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration/mcp",
    ] {
        let answer = desk.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.text, own.text, "{path}");
        assert_eq!(answer.json()["issuer"], "https://auth.example.com");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
}
