//! The verbs about devices that ask ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)), and what they answer.

use std::time::Duration;

use async_trait::async_trait;
use mcp_gateway_model::{
    clock::Timestamp,
    id::{ClientId, GrantId},
    secret::Digest,
};

use super::StoreError;
use crate::records::DeviceRequest;

/// What the authorization server asks and does about devices.
#[async_trait]
pub trait Devices: Send + Sync + 'static {
    /// Keeps the request of a device, and the code that a person types for it. A code leads to one living request at most.
    async fn ask_by_device(
        &self,
        user_code: &Digest,
        device: &DeviceRequest,
        now: Timestamp,
    ) -> Result<DeviceAsked, StoreError>;

    /// The request that waits for the person who typed this code.
    async fn device_of_user_code(
        &self,
        user_code: &Digest,
        now: Timestamp,
    ) -> Result<Option<DeviceRequest>, StoreError>;

    /// What the person decided: `grant` is what they allowed, none means no. Of many at once, one stands.
    async fn decide_device(
        &self,
        device: &Digest,
        grant: Option<&GrantId>,
        now: Timestamp,
    ) -> Result<Decided, StoreError>;

    /// The device of `client` asks whether somebody has decided. While nobody has, its questions are timed: one that
    /// comes too soon makes it wait 5 seconds longer from then on.
    async fn poll_device(
        &self,
        device: &Digest,
        client: &ClientId,
        now: Timestamp,
    ) -> Result<Polled, StoreError>;

    /// Hands the grant to its device: of many at once, one gets it. The request leaves a tombstone.
    async fn redeem_device(&self, device: &Digest, now: Timestamp) -> Result<DeviceRedemption, StoreError>;
}

/// Whether the request of a device was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceAsked {
    /// It was.
    Kept,
    /// The code leads to another device: make a new one.
    CodeTaken,
}

/// Whether a decision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It does.
    Done,
    /// The request has ended, or was decided before.
    TooLate,
}

/// What a device learns that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// Nobody has decided yet.
    Waiting,
    /// Nobody has decided yet, and it asked too soon: it has to wait this long from now on.
    TooSoon(Duration),
    /// The person said no.
    Denied,
    /// The person allowed it; whether the grant was handed out already [`Devices::redeem_device`] tells.
    Granted(Box<DeviceRequest>),
    /// Nobody decided in time.
    Ended,
    /// No such request, or it is another client's.
    Unknown,
}

/// What handing a grant to its device gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceRedemption {
    /// The first use: this grant, if it still lives.
    Granted(GrantId),
    /// It was handed out before. The caller ends the grant.
    Replayed(GrantId),
    /// Nothing waits there.
    Unknown,
}
