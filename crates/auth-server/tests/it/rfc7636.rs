//! PKCE at the authorization endpoint: <https://www.rfc-editor.org/rfc/rfc7636#section-4.3>.

use mcp_gateway_model::{clock::Clock, pkce::CodeChallenge};
use mcp_gateway_store::Store;

use crate::support::login::{Browser, CHALLENGE, REDIRECT, Site};

#[actix_web::test]
async fn pkce_is_neither_optional_nor_plain() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    for (changes, text) in [
        (
            vec![("code_challenge", None), ("code_challenge_method", None)],
            "code_challenge is missing: PKCE is required of every client",
        ),
        (
            vec![("code_challenge_method", Some("plain"))],
            "code_challenge_method must be S256",
        ),
        (
            vec![("code_challenge_method", None)],
            "code_challenge_method must be S256",
        ),
        (
            vec![("code_challenge", Some("short"))],
            "code_challenge must be the base64url-encoded SHA-256 of the verifier, 43 characters without padding",
        ),
    ] {
        let got = Browser::new(&site).get(&site.request(&client, &changes)).await;
        assert_eq!(got.parameter("error").as_deref(), Some("invalid_request"));
        assert_eq!(got.parameter("error_description").as_deref(), Some(text));
        assert_eq!(got.parameter("state").as_deref(), Some("s-1"));
    }
}

#[actix_web::test]
async fn the_code_remembers_the_challenge_of_its_request() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let got = Browser::new(&site).log_in(&site.request(&client, &[])).await;
    let text = got.parameter("code").unwrap();
    let grants = site
        .store
        .grants_of_client(&client, site.clock.now())
        .await
        .unwrap();
    let digest = mcp_gateway_model::secret::Digest::of(text.as_bytes());
    let code = site
        .store
        .code(&grants[0].id, &digest, site.clock.now())
        .await
        .unwrap()
        .unwrap();
    let challenge = CodeChallenge::parse(Some(CHALLENGE), Some("S256"));
    assert_eq!(Ok(code.challenge), challenge);
    assert!(code.redirect_uri_was_sent);
}
