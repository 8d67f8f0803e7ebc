//! Devices without a browser that ask.

use std::time::Duration;

use mcp_gateway_model::{
    clock::Timestamp,
    id::{ClientId, GrantId},
    resource::ResourceUri,
    scope::ScopeSet,
    secret::Digest,
};
use serde::{Deserialize, Serialize};

/// A device that asks ([RFC 8628 §3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.1)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// The SHA-256 of the device code.
    pub digest: Digest,
    /// The client that asked.
    pub client: ClientId,
    /// What the token will be for.
    pub audience: ResourceUri,
    /// What the person is asked to allow.
    pub scopes: ScopeSet,
    /// How far it has come.
    pub stage: DeviceStage,
    /// How long the device has to wait between two questions.
    pub interval: Duration,
    /// When it last asked.
    pub polled_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// How far the request of a device has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceStage {
    /// Nobody has decided yet.
    Waiting,
    /// The person said no.
    Denied,
    /// The person allowed it: this grant waits for the device.
    Granted(GrantId),
    /// The device has its tokens.
    Redeemed(GrantId),
}
