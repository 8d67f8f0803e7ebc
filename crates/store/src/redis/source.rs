//! Where the news of grants come from.

use std::{sync::Arc, time::Duration};

use redis::{PushInfo, RedisError, aio::MultiplexedConnection, cmd};
use tokio::time;

use super::{
    lease::{Leases, identify},
    node::{Dialer, Node},
    proof::Proof,
    replication::Role,
    route::Route,
};
use crate::verbs::StoreError;

/// How often it is asked whether the Redis still is the one that is written to.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often the lease is looked at; it is renewed once a second.
const PROOF_INTERVAL: Duration = Duration::from_millis(250);

/// Which Redis to hear.
pub(super) struct Source {
    pub(super) route: Arc<Route>,
    pub(super) dialer: Dialer,
    /// Where replicas may take the place of a master that does not know it.
    pub(super) leases: Option<Arc<Leases>>,
}

/// Why no news come.
pub(super) enum Fault {
    /// Redis is not there; it may be again.
    Away(String),
    /// Redis is there and will not send news that can be relied on.
    Refused(String),
}

/// A connection on which news come, once they are asked for.
pub(super) struct Heard {
    pub(super) connection: MultiplexedConnection,
    node: Node,
    /// Which process it leads to.
    pub(super) run: Arc<str>,
    /// That the Redis is the one that is written to.
    pub(super) proof: Option<Arc<Proof>>,
}

impl Source {
    /// Connects to the Redis that is written to.
    pub(super) async fn open(&self, hear: impl Fn(PushInfo) + Send + Sync + 'static) -> Result<Heard, Fault> {
        let opened = self.try_open(hear).await;
        if opened.is_err() {
            self.route.doubt();
        }
        opened
    }

    async fn try_open(&self, hear: impl Fn(PushInfo) + Send + Sync + 'static) -> Result<Heard, Fault> {
        let node = self.route.node("").await?;
        let mut connection = self.dialer.dial_and_hear(&node, hear).await?;
        let (run, proof) = match &self.leases {
            None => {
                check_role(&mut connection).await?;
                (identify(&mut connection).await?.into(), None)
            }
            Some(leases) => {
                let proof = Proof::begin(&self.dialer, &node, leases, &mut connection).await?;
                proof.keep().await?;
                (Arc::clone(&proof.run), Some(Arc::new(proof)))
            }
        };
        Ok(Heard {
            connection,
            node,
            run,
            proof,
        })
    }

    /// Sees to it that the Redis is the one that is written to, until it no longer is.
    pub(super) async fn guard(&self, heard: &Heard) -> Fault {
        let mut connection = heard.connection.clone();
        loop {
            let still = match &heard.proof {
                None => {
                    time::sleep(INTERVAL).await;
                    check_role(&mut connection).await
                }
                Some(proof) => {
                    time::sleep(PROOF_INTERVAL).await;
                    self.prove(proof, &heard.node).await
                }
            };
            if let Err(fault) = still {
                self.route.doubt();
                return fault;
            }
        }
    }

    async fn prove(&self, proof: &Proof, node: &Node) -> Result<(), Fault> {
        proof.keep().await?;
        if self.route.node("").await? == *node {
            Ok(())
        } else {
            Err(Fault::Away("another Redis has become the master".into()))
        }
    }
}

/// Whether this Redis is the only one: one that has replicas could have been replaced by one of them and not know it.
async fn check_role(connection: &mut MultiplexedConnection) -> Result<(), Fault> {
    let mut info = cmd("INFO");
    info.arg("replication");
    let text: String = info.query_async(connection).await?;
    let refused = |reason: &str| Err(Fault::Refused(reason.into()));
    match Role::read(&text) {
        Some(Role::Master { replicas: 0 }) => Ok(()),
        Some(Role::Master { .. }) => refused("it has replicas, and REDIS_WAIT_REPLICAS is 0"),
        Some(Role::Replica) => refused("it is a replica"),
        None => refused("it does not say whether it is a replica"),
    }
}

impl From<RedisError> for Fault {
    /// What an error means here: an answer that says no, but for one that will soon say yes, is a refusal.
    fn from(fault: RedisError) -> Self {
        let soon = [
            "LOADING",
            "MASTERDOWN",
            "BUSY",
            "TRYAGAIN",
            "CLUSTERDOWN",
            "READONLY",
        ];
        match fault.code() {
            Some(code) if !soon.contains(&code) => Self::Refused(fault.to_string()),
            _ => Self::Away(fault.to_string()),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(fault: StoreError) -> Self {
        match fault {
            StoreError::Refused(reason) => Self::Refused(reason),
            fault => Self::Away(fault.to_string()),
        }
    }
}
