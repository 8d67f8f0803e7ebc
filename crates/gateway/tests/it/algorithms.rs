//! Whatever signs, the tokens work, and so do keys that the command line made.

use reqwest::StatusCode;

use crate::support::{
    agent::{Agent, header_of},
    run::{SECRET, run},
    server::{client, free_port},
    stage::{RESOURCE, Stage, issuer, verify},
};

async fn signs(algorithm: &str, more: &[(&str, &str)], public_keys: usize) {
    let stage = Stage::new();
    let port = free_port();
    let server = stage
        .serve_at(port, &[&[("JWT_ALGORITHM", algorithm)], more].concat())
        .await;
    let mut agent = Agent::register(&issuer(port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    let header = header_of(&tokens.access);
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&algorithm.into(), &"at+jwt".into())
    );
    let verified = verify(&server, &tokens.access).await;
    assert_eq!(verified.status(), StatusCode::OK);
    assert_eq!(verified.headers()["x-user-name"], "octocat");
    let jwks: serde_json::Value = client()
        .get(server.at("/jwks"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), public_keys, "{jwks}");
    assert!(
        keys.iter()
            .all(|key| key["kid"] == header["kid"] && key.get("d").is_none()),
        "{jwks}"
    );
}

async fn signs_with_a_key_of_ours(algorithm: &str) {
    let key = run(&["keys", "generate", "--algorithm", algorithm]).await.stdout;
    signs(algorithm, &[("JWT_PRIVATE_KEY_B64", key.trim_end())], 1).await;
}

#[tokio::test]
async fn rs256_with_a_generated_key() {
    signs("RS256", &[], 1).await;
}

#[tokio::test]
async fn es256_with_a_generated_key() {
    signs("ES256", &[], 1).await;
}

#[tokio::test]
async fn eddsa_with_a_generated_key() {
    signs("EdDSA", &[], 1).await;
}

#[tokio::test]
async fn hs256_with_the_secret_and_no_public_key() {
    signs("HS256", &[("JWT_SECRET", SECRET)], 0).await;
}

#[tokio::test]
async fn rs256_with_a_configured_key() {
    signs_with_a_key_of_ours("RS256").await;
}

#[tokio::test]
async fn es256_with_a_configured_key() {
    signs_with_a_key_of_ours("ES256").await;
}

#[tokio::test]
async fn eddsa_with_a_configured_key() {
    signs_with_a_key_of_ours("EdDSA").await;
}
