//! A lease, and the way to keep it.

use redis::aio::MultiplexedConnection;
use std::sync::Arc;

use mcp_gateway_watch::Moment;

use super::{
    faults::{map, unavailable},
    lease::{Lease, Leases, identify},
    node::{Dialer, Node},
};
use crate::engine::Answer;

/// What one Redis process says may be believed. It is proven on a connection of its own: waiting for replicas holds up nothing
/// else.
pub(super) struct Proof {
    /// Which process it is about.
    pub(super) run: Arc<str>,
    lease: Arc<Lease>,
    connection: MultiplexedConnection,
}

impl Proof {
    /// What proves that the process at the other end of `about`, a connection to `node`, is a master. Nothing is proven yet.
    ///
    /// Two connections to one address may end at two processes: what one of them proves says nothing about the other.
    pub(super) async fn begin(
        dialer: &Dialer,
        node: &Node,
        leases: &Leases,
        about: &mut MultiplexedConnection,
    ) -> Answer<Self> {
        let run = identify(about).await?;
        let mut connection = dialer.dial(node).await.map_err(|e| map(&e, ""))?;
        if identify(&mut connection).await? != run {
            return Err(unavailable("two Redis processes answer at this address"));
        }
        Ok(Self {
            run: run.as_str().into(),
            lease: leases.of(run),
            connection,
        })
    }

    /// Renews the lease if it is due.
    pub(super) async fn keep(&self) -> Answer<()> {
        self.lease.keep(&mut self.connection.clone()).await
    }

    /// Whether an answer that is here now may be believed.
    pub(super) fn holds(&self) -> bool {
        self.lease.holds()
    }

    /// Until when what was read may be believed; nothing was proven yet without it.
    pub(super) fn until(&self) -> Option<Moment> {
        self.lease.until()
    }
}
