//! Authorization server metadata and keys: <https://www.rfc-editor.org/rfc/rfc8414>, <https://www.rfc-editor.org/rfc/rfc7517>.

use mcp_gateway_model::cors::CorsOrigins;
use reqwest::{Method, StatusCode};

use crate::support::desk::Desk;

#[actix_web::test]
async fn the_metadata_lists_what_works() {
    let desk = Desk::start().await;
    let answer = desk.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header("cache-control").contains("max-age"));
    insta::assert_json_snapshot!(answer.json(), @r#"
    {
      "authorization_endpoint": "https://auth.example.com/authorize",
      "authorization_response_iss_parameter_supported": true,
      "code_challenge_methods_supported": [
        "S256"
      ],
      "grant_types_supported": [
        "authorization_code",
        "refresh_token",
        "client_credentials"
      ],
      "introspection_endpoint": "https://auth.example.com/introspect",
      "introspection_endpoint_auth_methods_supported": [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt"
      ],
      "introspection_endpoint_auth_signing_alg_values_supported": [
        "RS256",
        "PS256",
        "ES256",
        "EdDSA"
      ],
      "issuer": "https://auth.example.com",
      "jwks_uri": "https://auth.example.com/jwks",
      "registration_endpoint": "https://auth.example.com/register",
      "response_modes_supported": [
        "query"
      ],
      "response_types_supported": [
        "code"
      ],
      "revocation_endpoint": "https://auth.example.com/revoke",
      "revocation_endpoint_auth_methods_supported": [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt"
      ],
      "revocation_endpoint_auth_signing_alg_values_supported": [
        "RS256",
        "PS256",
        "ES256",
        "EdDSA"
      ],
      "scopes_supported": [
        "read",
        "write",
        "offline_access"
      ],
      "token_endpoint": "https://auth.example.com/token",
      "token_endpoint_auth_methods_supported": [
        "none",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt"
      ],
      "token_endpoint_auth_signing_alg_values_supported": [
        "RS256",
        "PS256",
        "ES256",
        "EdDSA"
      ]
    }
    "#);
}

#[actix_web::test]
async fn the_metadata_is_the_same_under_every_name_suffix_and_host() {
    let desk = Desk::start().await;
    let reference = desk.get("/.well-known/oauth-authorization-server").await.text;
    for path in [
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/oauth-authorization-server/a/b",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
    ] {
        let answer = desk
            .send(Method::GET, path, &[("host", "evil.example.net")])
            .await;
        assert_eq!(answer.text, reference, "{path}");
        let head = desk.send(Method::HEAD, path, &[]).await;
        assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""), "{path}");
    }
    assert!(!reference.contains("openid"), "there are no ID tokens yet");
}

#[actix_web::test]
async fn the_keys_are_public_under_both_paths() {
    let desk = Desk::start().await;
    let answer = desk.get("/jwks").await;
    assert_eq!(answer.text, desk.get("/.well-known/jwks.json").await.text);
    let key = answer.json()["keys"][0].clone();
    assert_eq!(
        (key["kty"].as_str(), key["use"].as_str()),
        (Some("OKP"), Some("sig"))
    );
    assert_eq!(key.get("d"), None);
}

#[actix_web::test]
async fn only_listed_origins_may_read_when_origins_are_listed() {
    let desk = Desk::start_with(|settings| {
        settings.cors = CorsOrigins::parse("https://app.example.com").unwrap();
    })
    .await;
    let allowed = async |origin: &str| {
        let answer = desk.send(Method::GET, "/jwks", &[("origin", origin)]).await;
        assert_eq!(answer.header("vary"), "Origin");
        answer.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(
        allowed("https://app.example.com").await,
        "https://app.example.com"
    );
    assert_eq!(allowed("https://evil.example.com").await, "");
}
