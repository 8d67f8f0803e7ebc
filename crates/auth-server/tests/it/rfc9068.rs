//! Access tokens: <https://www.rfc-editor.org/rfc/rfc9068>.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, Validation};
use mcp_gateway_model::{
    key::{Algorithm, shared_key_id},
    secret::Secret,
    token::AccessClaims,
};
use serde_json::Value;

use crate::support::{desk::Desk, set::ECHO};

const SHARED: &str = "a shared secret of thirty-two bytes";

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[actix_web::test]
async fn an_access_token_has_the_claims_of_the_profile() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (access, _) = desk.tokens(&client).await;
    let claims = part(&access, 1);
    assert_eq!(claims["client_id"], client.id);
    insta::assert_json_snapshot!(claims, {
        ".client_id" => "[id]",
        ".jti" => "[jti]",
        ".grant" => "[grant]",
    }, @r#"
    {
      "aud": "https://echo.example.com/mcp",
      "client_id": "[id]",
      "exp": 1800001800,
      "grant": "[grant]",
      "iat": 1800000000,
      "iss": "https://auth.example.com",
      "jti": "[jti]",
      "scope": "read write",
      "sub": "583231",
      "username": "OctoCat"
    }
    "#);
    let (other, _) = desk.tokens(&client).await;
    assert_ne!(part(&other, 1)["jti"], claims["jti"]);
}

#[actix_web::test]
async fn the_published_key_named_in_the_header_verifies_whatever_the_algorithm() {
    for (algorithm, expected) in [
        (Algorithm::Rs256, jsonwebtoken::Algorithm::RS256),
        (Algorithm::Es256, jsonwebtoken::Algorithm::ES256),
        (Algorithm::EdDsa, jsonwebtoken::Algorithm::EdDSA),
    ] {
        let desk = Desk::start_with(|settings| settings.signing.algorithm = algorithm).await;
        let client = desk.confidential_client().await;
        let (access, _) = desk.tokens(&client).await;
        let header = part(&access, 0);
        assert_eq!(header["typ"], "at+jwt");
        assert_eq!(header["alg"], algorithm.as_str());
        let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_value(desk.get("/jwks").await.json()).unwrap();
        let jwk = jwks.find(header["kid"].as_str().unwrap()).unwrap();
        let mut validation = Validation::new(expected);
        validation.set_audience(&[ECHO]);
        let key = DecodingKey::from_jwk(jwk).unwrap();
        let decoded = jsonwebtoken::decode::<AccessClaims>(&access, &key, &validation);
        assert!(decoded.is_ok(), "{algorithm} {decoded:?}");
        assert_eq!(desk.introspect(&client, &access).await["active"], true);
    }
}

#[actix_web::test]
async fn hs256_signs_with_the_shared_secret_and_publishes_nothing() {
    let desk = Desk::start_with(|settings| {
        settings.signing.algorithm = Algorithm::Hs256;
        settings.signing.shared_secret = Some(Secret::presented(SHARED.into()));
    })
    .await;
    let client = desk.confidential_client().await;
    let (access, _) = desk.tokens(&client).await;
    let header = part(&access, 0);
    assert_eq!(header["alg"], "HS256");
    let kid = shared_key_id(&Secret::presented(SHARED.into()));
    assert_eq!(header["kid"], kid.as_str());
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_audience(&[ECHO]);
    let key = DecodingKey::from_secret(SHARED.as_bytes());
    jsonwebtoken::decode::<AccessClaims>(&access, &key, &validation).unwrap();
    assert_eq!(desk.get("/jwks").await.json()["keys"], serde_json::json!([]));
    assert_eq!(desk.introspect(&client, &access).await["active"], true);
}

#[actix_web::test]
async fn other_algorithms_none_and_hs256_with_the_public_key_are_not_believed() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (access, _) = desk.tokens(&client).await;
    let mut header = part(&access, 0);
    let payload = access.split('.').nth(1).unwrap();
    let jwk = desk.get("/jwks").await.json()["keys"][0].clone();
    let public = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
    header["alg"] = "HS256".into();
    let message = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()));
    let secrets = [public, jwk.to_string().into_bytes(), Vec::new()];
    let mut forged: Vec<_> = secrets
        .iter()
        .map(|secret| {
            let key = jsonwebtoken::EncodingKey::from_secret(secret);
            let algorithm = jsonwebtoken::Algorithm::HS256;
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
            format!("{message}.{signature}")
        })
        .collect();
    header["alg"] = "none".into();
    forged.push(format!(
        "{}.{payload}.",
        URL_SAFE_NO_PAD.encode(header.to_string())
    ));
    for token in forged {
        assert_eq!(desk.introspect(&client, &token).await["active"], false, "{token}");
    }
}
