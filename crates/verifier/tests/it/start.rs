//! What stops a start.

use std::sync::Arc;

use mcp_gateway_model::{clock::SystemClock, id::KeyId, secret::Secret};
use mcp_gateway_verifier::{SharedKey, StartError, Verifier};

use crate::{
    fake::FakeStore,
    stand::{configured, settings},
};

#[test]
fn a_short_secret_verifies_nothing() {
    for length in [0, 31] {
        let mut settings = settings(configured());
        settings.shared_key = Some(SharedKey {
            kid: KeyId::parse(&"k".repeat(43)).unwrap(),
            secret: Secret::presented("s".repeat(length)),
        });
        let started = Verifier::new(
            settings,
            Arc::new(FakeStore::default()),
            Arc::new(SystemClock),
            &prometheus::Registry::new(),
        );
        assert!(matches!(started, Err(StartError::ShortSecret)));
    }
}

#[test]
fn metrics_are_registered_once() {
    let registry = prometheus::Registry::new();
    let start = || {
        Verifier::new(
            settings(configured()),
            Arc::new(FakeStore::default()),
            Arc::new(SystemClock),
            &registry,
        )
    };
    assert!(start().is_ok());
    assert!(matches!(start(), Err(StartError::Metrics(_))));
}

#[test]
fn debug_text_holds_no_secret() {
    let mut settings = settings(configured());
    settings.shared_key = Some(SharedKey {
        kid: KeyId::parse(&"k".repeat(43)).unwrap(),
        secret: Secret::presented("s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t".into()),
    });
    assert!(!format!("{settings:?}").contains("s3cr3t"));
}
