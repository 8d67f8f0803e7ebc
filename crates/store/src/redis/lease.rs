//! Proof that the one who answers is still the master.
//!
//! A master that a failover has replaced, and that nobody has told, goes on answering: what it says may be over. It cannot
//! have a write acknowledged by replicas that follow its successor. So a write of our own once a second, acknowledged by
//! as many replicas as every write that ends something waits for, is a lease on what this process says, and without a
//! lease nothing is believed. Whatever was ended on the successor was acknowledged there by a replica that
//! acknowledges nothing to the old master any more: the lease that was running then was the last.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mcp_gateway_model::clock::SystemClock;
use mcp_gateway_watch::Moment;
use redis::{RedisResult, aio::MultiplexedConnection, cmd, pipe};

use super::{
    faults::{map, unavailable},
    turns::Turns,
};
use crate::{engine::Answer, moment};

/// How many milliseconds old a proof may be before the next one is asked for.
const RENEWAL: u64 = 1000;
/// For how many milliseconds a proof holds, counted from when it was asked for: long enough that a renewal may take its
/// time, or fail once.
const LEASE: u64 = 2000;
/// How long replicas have to acknowledge.
const PATIENCE: Duration = Duration::from_millis(500);
/// When the broom takes the key of a process that is gone.
const LIFETIME: Duration = Duration::from_secs(60);

/// What a proof consists of.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// The key that is written: of this process alone.
    pub(super) key: String,
    /// How many replicas have to acknowledge the write.
    pub(super) replicas: u32,
}

/// The lease on what one Redis process says.
#[derive(Debug)]
pub(super) struct Lease {
    terms: Terms,
    proven: Mutex<Option<Moment>>,
    renewing: Turns<Answer<()>>,
}

impl Lease {
    pub(super) const fn new(terms: Terms) -> Self {
        Self {
            terms,
            proven: Mutex::new(None),
            renewing: Turns::new(),
        }
    }

    /// Until when what was read may be believed; nothing was proven yet without it.
    pub(super) fn until(&self) -> Option<Moment> {
        self.proven().map(|at| at.plus_millis(LEASE))
    }

    /// Whether an answer that is here now may be believed.
    pub(super) fn holds(&self) -> bool {
        let now = moment(&SystemClock);
        self.until().is_some_and(|until| !until.has_passed(now))
    }

    fn is_fresh(&self) -> bool {
        let now = moment(&SystemClock);
        self.proven()
            .is_some_and(|at| !at.plus_millis(RENEWAL).has_passed(now))
    }

    fn proven(&self) -> Option<Moment> {
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the lease by a write on `connection`, if it is due. Of many at once, one writes, and the others go on for as long as
    /// the lease runs.
    ///
    /// # Errors
    /// The write was refused, or acknowledged by too few.
    pub(super) async fn keep(&self, connection: &mut MultiplexedConnection) -> Answer<()> {
        if self.is_fresh() || (self.holds() && self.renewing.is_taken()) {
            return Ok(());
        }
        self.renewing.once(|| self.renew(connection)).await
    }

    async fn renew(&self, connection: &mut MultiplexedConnection) -> Answer<()> {
        let asked = moment(&SystemClock);
        let reached = self
            .write(connection)
            .await
            .map_err(|e| map(&e, &self.terms.key))?;
        if reached < self.terms.replicas {
            return Err(unavailable("the master reaches too few replicas to be believed"));
        }
        *self.proven.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        Ok(())
    }

    async fn write(&self, connection: &mut MultiplexedConnection) -> RedisResult<u32> {
        let mut proof = pipe();
        proof
            .cmd("SET")
            .arg(&self.terms.key)
            .arg(1)
            .arg("PX")
            .arg(LIFETIME.as_millis());
        proof.ignore();
        proof
            .cmd("WAIT")
            .arg(self.terms.replicas)
            .arg(PATIENCE.as_millis());
        let (reached,): (u32,) = proof.query_async(connection).await?;
        Ok(reached)
    }
}

/// The leases of one process: each Redis process has its own, whatever its address.
#[derive(Debug)]
pub(super) struct Leases {
    terms: Terms,
    latest: Mutex<Option<(String, Arc<Lease>)>>,
}

impl Leases {
    pub(super) const fn new(terms: Terms) -> Self {
        Self {
            terms,
            latest: Mutex::new(None),
        }
    }

    /// The lease on the process whose `run_id` this is.
    pub(super) fn of(&self, run: String) -> Arc<Lease> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, lease)) = latest.as_ref()
            && *known == run
        {
            return Arc::clone(lease);
        }
        let lease = Arc::new(Lease::new(self.terms.clone()));
        *latest = Some((run, Arc::clone(&lease)));
        lease
    }
}

/// Which process is at the other end, if it is a master.
///
/// # Errors
/// It is none, or does not say.
pub(super) async fn identify(connection: &mut MultiplexedConnection) -> Answer<String> {
    let info: String = cmd("INFO")
        .arg("server")
        .arg("replication")
        .query_async(connection)
        .await
        .map_err(|e| map(&e, ""))?;
    let said = |name: &str| {
        let value = info
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(str::trim)
    };
    match (said("role"), said("run_id")) {
        (Some("master"), Some(run)) => Ok(run.to_owned()),
        _ => Err(unavailable("this Redis is a replica, not a master")),
    }
}
