//! The connections of the authorization server: a pool for each node and each thread that asks. A connection is driven by the
//! runtime of the thread that made it: to ask wakes no other thread up.
//!
//! `deadpool-redis` makes and tries the connections. What is ours is when they are tried, and that none is believed without proof.

use std::{
    collections::HashMap,
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult},
};
use redis::{RedisError, aio::MultiplexedConnection, cmd};

use super::{
    faults::{map, unavailable},
    lease::{Lease, Leases, identify},
    node::{Dialer, Node},
};
use crate::{engine::Answer, verbs::StoreError};

/// After how much rest a connection is tried before it is used: what lies between may have forgotten it.
const RESTED: Duration = Duration::from_millis(20);

/// One connection, in the hands of one question at a time.
pub(super) struct Wire {
    connection: MultiplexedConnection,
    /// How many faults there had been when it was made or last tried.
    tried: u64,
    /// Without one nothing is believed, where a master may have been replaced.
    pub(super) lease: Option<Arc<Lease>>,
    /// The store at the other end has been found to be of our schema.
    pub(super) marked: bool,
}

impl Wire {
    /// What was read on it, if it may still be believed.
    pub(super) fn believed<T>(&self, answer: T) -> Answer<T> {
        match &self.lease {
            Some(lease) if !lease.holds() => Err(unavailable("the answer came too late to be believed")),
            _ => Ok(answer),
        }
    }

    /// Renews the lease, where there is one and it is due.
    pub(super) async fn believe(&mut self) -> Answer<()> {
        match self.lease.clone() {
            Some(lease) => lease.keep(&mut self.connection).await,
            None => Ok(()),
        }
    }
}

impl Deref for Wire {
    type Target = MultiplexedConnection;

    fn deref(&self) -> &MultiplexedConnection {
        &self.connection
    }
}

impl DerefMut for Wire {
    fn deref_mut(&mut self) -> &mut MultiplexedConnection {
        &mut self.connection
    }
}

/// Makes connections to one node.
pub(super) struct Manager {
    connections: deadpool_redis::Manager,
    faults: Arc<AtomicU64>,
    leases: Option<Arc<Leases>>,
}

impl managed::Manager for Manager {
    type Type = Wire;
    type Error = StoreError;

    async fn create(&self) -> Answer<Wire> {
        let tried = self.faults.load(Ordering::Acquire);
        // it is large, and rare
        let created = Box::pin(managed::Manager::create(&self.connections)).await;
        let mut connection = created.map_err(|e| map(&e, ""))?;
        let lease = match &self.leases {
            None => None,
            Some(leases) => Some(leases.of(identify(&mut connection).await?)),
        };
        Ok(Wire {
            connection,
            tried,
            lease,
            marked: false,
        })
    }

    /// A connection that was used a moment ago is good as long as none has failed since, and the other end has not hung up: nobody
    /// waits for an answer, because that would double the trips.
    async fn recycle(&self, wire: &mut Wire, metrics: &Metrics) -> RecycleResult<StoreError> {
        let faults = self.faults.load(Ordering::Acquire);
        if wire.tried == faults && metrics.last_used() < RESTED {
            // it goes out with the question that follows, and fails here where there is nobody to send it to
            let mut unheard = cmd("PING");
            unheard.set_no_response(true);
            let sent = unheard.exec_async(&mut wire.connection).await;
            return sent.map_err(|e| RecycleError::Backend(map(&e, "")));
        }
        let recycled = self.connections.recycle(&mut wire.connection, metrics).await;
        recycled.map_err(unusable)?;
        wire.tried = faults;
        Ok(())
    }
}

/// What a connection that cannot be used again means to us.
fn unusable(fault: RecycleError<RedisError>) -> RecycleError<StoreError> {
    match fault {
        RecycleError::Message(reason) => RecycleError::Message(reason),
        RecycleError::Backend(fault) => RecycleError::Backend(map(&fault, "")),
    }
}

type Pool = managed::Pool<Manager>;

/// A pool for each node that has been asked, and each thread that did.
pub(super) struct Pools {
    dialer: Dialer,
    size: usize,
    leases: Option<Arc<Leases>>,
    faults: Arc<AtomicU64>,
    held: Mutex<HashMap<(ThreadId, Node), Pool>>,
}

impl Pools {
    pub(super) fn new(dialer: Dialer, size: usize, leases: Option<Leases>) -> Self {
        Self {
            dialer,
            size: size.max(1),
            leases: leases.map(Arc::new),
            faults: Arc::default(),
            held: Mutex::default(),
        }
    }

    /// A connection to `node`.
    pub(super) async fn connection(&self, node: &Node) -> Answer<Object<Manager>> {
        let pool = self.of(node)?;
        pool.get().await.map_err(|fault| match fault {
            PoolError::Backend(fault) => fault,
            PoolError::Timeout(_) => unavailable("no connection in time"),
            _ => unavailable("the pool is closed"),
        })
    }

    /// A connection failed: all others are tried before they are used again.
    pub(super) fn doubt(&self) {
        self.faults.fetch_add(1, Ordering::AcqRel);
    }

    /// Gives up the connections to nodes that are no longer asked.
    pub(super) fn keep_only(&self, node: &Node) {
        self.lock().retain(|(_, held), _| held == node);
    }

    fn of(&self, node: &Node) -> Answer<Pool> {
        let mut held = self.lock();
        let ours = (thread::current().id(), node.clone());
        if let Some(pool) = held.get(&ours) {
            return Ok(pool.clone());
        }
        let pool = self.open(node)?;
        held.insert(ours, pool.clone());
        Ok(pool)
    }

    fn open(&self, node: &Node) -> Answer<Pool> {
        let timeout: Duration = self.dialer.timeout();
        let manager = Manager {
            connections: self.dialer.manager(node).map_err(|e| map(&e, ""))?,
            faults: Arc::clone(&self.faults),
            leases: self.leases.clone(),
        };
        managed::Pool::builder(manager)
            .max_size(self.size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(timeout))
            .create_timeout(Some(timeout * 2))
            .recycle_timeout(Some(timeout))
            // the one that was used last has rested least
            .queue_mode(QueueMode::Lifo)
            .build()
            .map_err(|e| StoreError::Misconfigured(format!("the pool of connections: {e}")))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(ThreadId, Node), Pool>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
