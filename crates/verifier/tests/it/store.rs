//! With a real store in place of the fake one.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::sync::Arc;

use actix_web::http::StatusCode;
use mcp_gateway_model::{
    clock::Timestamp,
    grant::Code,
    pkce::CodeChallenge,
    redirect::RedirectUri,
    secret::{Secret, SecretKind},
};
use mcp_gateway_store::{Begun, EmbeddedStore, KeyRing, RingKey, Store, Swapped};
use mcp_gateway_verifier::Verifier;

use crate::{
    signer::Signer,
    stand::{NOW, Stand, configured, settings},
};

fn code(stand: &Stand) -> Code {
    Code {
        grant: stand.grant.id.clone(),
        digest: Secret::generate(SecretKind::Code).digest(),
        client: stand.grant.client.clone(),
        redirect_uri: RedirectUri::parse("https://client.example/callback").unwrap(),
        redirect_uri_was_sent: true,
        challenge: CodeChallenge::of(&"v".repeat(43)),
        nonce: None,
        expires_at: Timestamp::from_secs(NOW + 60),
    }
}

fn ring(signer: &Signer) -> KeyRing {
    let public = signer.public().unwrap();
    KeyRing {
        revision: 1,
        signing: Some(public.kid.clone()),
        keys: vec![RingKey {
            public,
            private: None,
            created_at: Timestamp::from_secs(NOW),
            replaced_at: None,
        }],
    }
}

#[actix_web::test]
async fn a_grant_that_ends_in_the_store_ends_its_tokens_at_once() {
    let now = Timestamp::from_secs(NOW);
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    let mut stand = Stand::new();
    let registry = prometheus::Registry::new();
    let verifier = Verifier::new(
        settings(configured()),
        store.clone(),
        stand.clock.clone(),
        &registry,
    );
    stand.verifier = Arc::new(verifier.unwrap());
    assert_eq!(
        store.replace_key_ring(&ring(&stand.signer)).await.unwrap(),
        Swapped::Done
    );
    let token = stand.token();
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);

    let begun = store
        .begin_grant(&stand.grant, &code(&stand), stand.grant.expires_at, now)
        .await;
    assert_eq!(begun.unwrap(), Begun::Yes);
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);

    assert!(store.end_grant(&stand.grant.id, now).await.unwrap());
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
}
