//! The company's identity provider says who the person is.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_client::{
    connection::{Assertions, UserAgentFault},
    extensions::{assertion::AssertionKey, enterprise::Enterprise},
    http::{Http, Settings},
    identity::{Identity, IdentityOrigin},
};
use mcp_gateway_model::{client::AuthMethod, clock::Timestamp, secret::Secret};
use serde_json::json;

use crate::support::site::{self, Site};

/// Gives another ID token each time.
#[derive(Default)]
struct Signed(AtomicU32);

#[async_trait]
impl Assertions for Signed {
    async fn assertion(&self, issuer: &str) -> Result<Secret, UserAgentFault> {
        assert_eq!(issuer, "https://idp.example");
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Secret::presented(format!("id-token-{count}")))
    }
}

fn key() -> AssertionKey {
    let document =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let body = STANDARD.encode(document.as_ref());
    let (one, two) = body.split_at(64);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{one}\n{two}\n-----END PRIVATE KEY-----\n");
    AssertionKey::parse(&Secret::presented(pem), "ES256", None).unwrap()
}

#[tokio::test]
async fn a_fresh_id_token_is_taken_each_time_and_the_program_may_prove_itself_by_a_key() {
    let provider = Site::start(|_, _| {
        site::json(
            200,
            &json!({
                "access_token": "the-assertion", "token_type": "N_A",
                "issued_token_type": "urn:ietf:params:oauth:token-type:id-jag",
            }),
        )
    });
    let enterprise = Enterprise {
        issuer: "https://idp.example".to_owned(),
        token_endpoint: provider.at("/token"),
        identity: Identity {
            issuer: "https://idp.example".to_owned(),
            client_id: "the-program".to_owned(),
            method: AuthMethod::PrivateKeyJwt,
            secret: None,
            secret_expires_at: None,
            origin: IdentityOrigin::PreRegistered,
            redirect_uris: Vec::new(),
            management: None,
        },
        key: Some(key()),
        id_token: Arc::new(Signed::default()),
    };
    let http = Http::new(Settings::default()).unwrap();
    let about = ("https://mcp.example/mcp", None);
    for _ in 0..2 {
        let now = Timestamp::from_secs(1_000_000);
        let assertion = enterprise
            .assertion(&http, "https://as.example", about, now)
            .await
            .unwrap();
        assert_eq!(assertion.reveal(), "the-assertion");
    }
    let asked = provider.asked();
    for (asked, id_token) in asked.iter().zip(["id-token-0", "id-token-1"]) {
        assert_eq!(asked.field("subject_token").as_deref(), Some(id_token));
        assert!(asked.field("client_assertion").is_some());
    }
    assert_eq!(asked.len(), 2);
}
