//! What the endpoints for clients ask and do: all that one of them needs at a time is one verb, so that it is one trip to a
//! store whose keys lie together.

use std::time::Duration;

use async_trait::async_trait;
use mcp_gateway_model::{
    client::Client,
    clock::Timestamp,
    grant::Grant,
    id::{ClientId, GrantId},
    secret::Digest,
};

use super::{Begun, Presented, Redemption, Rotation, StoreError};
use crate::{contract::HeldGrant, records::Rate};

/// A permit that has to be taken before something is done.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    /// The bucket.
    pub name: Digest,
    /// How often there is one.
    pub rate: Rate,
}

/// What came of something that needs a permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permitted<T> {
    /// It was done.
    Yes(T),
    /// There is no permit for so long, and nothing was done.
    Wait(Duration),
}

impl<T> Permitted<T> {
    /// What was done where no permit was asked for.
    pub(crate) fn without_permit(self) -> Result<T, StoreError> {
        match self {
            Self::Yes(done) => Ok(done),
            Self::Wait(_) => Err(StoreError::Unavailable(
                "the store asked for a permit by itself".into(),
            )),
        }
    }
}

/// What a call looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look<'a> {
    /// The permit of the call, taken first.
    pub permit: Option<Permit>,
    /// The client that calls.
    pub client: Option<&'a ClientId>,
    /// The grant that is used.
    pub grant: Option<&'a GrantId>,
}

/// What a call saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// The client, if there is such a one that has not expired.
    pub client: Option<Client>,
    /// The grant and what goes with it, if one was asked for.
    pub grant: Option<Box<HeldGrant>>,
}

/// What a token request does with a grant.
#[derive(Clone, Copy, Debug)]
pub struct Prolong {
    /// The permit it takes first.
    pub permit: Option<Permit>,
    /// Until when the grant lives at least; never shortened.
    pub until: Timestamp,
}

/// The verbs of the endpoints for clients.
#[async_trait]
pub trait Calls: Send + Sync + 'static {
    /// Takes the permit, and reads.
    async fn look(&self, look: Look<'_>, now: Timestamp) -> Result<Permitted<Seen>, StoreError>;

    /// Takes the permit and adds a client that registered itself, as [`Store::add_client`](super::Store::add_client) does. Of the
    /// clients that nobody uses those that registered first go, until there are `most`: never one that a person allowed
    /// something, or that has a living grant. Answers how many were removed: more than one at a time where `most` is large,
    /// so that few registrations have that to do; 64 at most.
    async fn register_client(
        &self,
        client: &Client,
        permit: Option<Permit>,
        most: u32,
        now: Timestamp,
    ) -> Result<Permitted<u64>, StoreError>;

    /// Uses the code of a grant: of many at once, one gets the grant. The code leaves a tombstone, the grant is prolonged,
    /// and its chain of refresh tokens opened at generation 1 if there is none, all at one moment. The markers of client and
    /// user are read afterwards; if one is there, the grant ends.
    async fn redeem(
        &self,
        held: Box<HeldGrant>,
        code: &Digest,
        prolong: Prolong,
        now: Timestamp,
    ) -> Result<Permitted<Redemption>, StoreError>;

    /// Uses generation `presented.generation` (below: `presented`) of a grant's refresh token, and prolongs the grant. With
    /// `current` the generation that the store knows and `turned` the time at which it became current:
    ///
    /// - `current`, or `current + 1` (the store lost a write): `presented + 1` becomes current: [`Rotation::Turned`];
    /// - `current - 1` within `presented.grace` from `turned`: nothing changes: [`Rotation::Again`] with `current`;
    /// - older: the grant ends: [`Rotation::Replayed`];
    /// - newer, and 0: [`Rotation::Unknown`].
    ///
    /// The markers of client and user are read afterwards; if one is there, the grant ends.
    async fn rotate(
        &self,
        held: Box<HeldGrant>,
        presented: Presented,
        prolong: Prolong,
        now: Timestamp,
    ) -> Result<Permitted<Rotation>, StoreError>;

    /// Takes the permit and begins a grant that has no code: the indexes first, then the record, then the markers of client
    /// and user are read again; if one is there, everything is undone. It lives until `grant.expires_at`.
    async fn begin_own_grant(
        &self,
        grant: &Grant,
        permit: Option<Permit>,
        now: Timestamp,
    ) -> Result<Permitted<Begun>, StoreError>;
}
