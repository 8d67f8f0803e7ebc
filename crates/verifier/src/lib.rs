#![doc = include_str!("../README.md")]

mod access;
mod answer;
mod bearer;
mod body;
mod challenge;
mod cors;
mod discovery;
mod fingerprint;
mod forwarded;
mod holder;
mod identity;
mod keys;
mod memory;
mod metrics;
mod mirrored;
mod operation;
mod preflight;
mod quick;
mod reason;
mod resource_server;
mod routes;
mod settings;
mod site;
mod token;
mod turns;
mod verifier;
mod verify;
mod worker;

pub use quick::{Admitted, Quick};
pub use resource_server::{
    Denied, Guarded, NoClient, ResourceServer, ResourceServerSettings, TokenHolder, protect,
};
pub use routes::{
    configure_discovery_for_protected_hosts, configure_preflight, configure_resource_metadata,
    configure_verify,
};
pub use settings::{ApiKey, CacheSettings, PassToken, Settings, SharedKey};
pub use verifier::{StartError, Verifier};
