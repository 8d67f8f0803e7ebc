//! The verifier's view: one connection to each node that reads, and is replaced when it fails.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

use async_trait::async_trait;
use futures_util::future::{BoxFuture, ready};
use mcp_gateway_model::{clock::Timestamp, grant::Grant, id::GrantId};
use mcp_gateway_watch::Watch;
use redis::{Cmd, FromRedisValue, RedisError, RedisResult, aio::MultiplexedConnection, cmd, pipe};
use tracing::warn;

use super::{
    faults::{map, unavailable},
    home::Home,
    inspect,
    lease::{Leases, identify},
    node::{Dialer, Node},
    options::{Reach, RedisOptions},
    proof::Proof,
    route::{REDIRECTS, Redirect, Route},
    source::Source,
    tracker::Tracker,
    turns::Turns,
};
use crate::{
    contract::{living, published},
    engine::{Answer, Raw},
    keys::Keys,
    records::StoredPublicKey,
    value::check_schema,
    verbs::{GrantReader, Health, StoreError},
};

/// What the verifier asks Redis with: `GET` of grants and public keys, and `TIME`. It needs no right to write, but for the
/// one key with which it finds out whether a master that has replicas is still the master.
///
/// Each thread has connections of its own, which its runtime drives: to ask costs no other thread anything. One is made at the
/// first question, and replaced at the next when it failed. Another one, on which Redis says which grants change, belongs to
/// whoever follows the news.
pub struct RedisReader {
    route: Arc<Route>,
    dialer: Dialer,
    leases: Option<Arc<Leases>>,
    keys: Keys,
    home: Home,
    lines: Mutex<HashMap<(ThreadId, Node), Arc<Slot>>>,
    tracker: OnceLock<Option<Tracker>>,
}

/// The connection to one node, if there is one.
struct Slot {
    line: Mutex<Option<Arc<Line>>>,
    dialing: Turns<Answer<()>>,
}

/// A connection, and whether its store has been found to be of our schema.
struct Line {
    /// Whose it is.
    thread: ThreadId,
    node: Node,
    connection: MultiplexedConnection,
    checked: AtomicBool,
    /// The process at the other end; not looked for in a cluster, of which nothing is remembered.
    run: Option<Arc<str>>,
    proof: Option<Proof>,
}

/// Why there was no answer.
enum Fault {
    /// In the words of the store.
    Ours(StoreError),
    /// In the words of Redis.
    Theirs(RedisError),
}

impl From<StoreError> for Fault {
    fn from(fault: StoreError) -> Self {
        Self::Ours(fault)
    }
}

impl Fault {
    /// Whether the connection was closed while it was not used, as a restart of Redis does.
    fn is_a_closed_connection(&self) -> bool {
        matches!(self, Self::Theirs(fault) if fault.is_connection_dropped() && !fault.is_connection_refusal())
    }

    fn about(self, key: &str) -> StoreError {
        match self {
            Self::Ours(fault) => fault,
            Self::Theirs(fault) => map(&fault, key),
        }
    }
}

impl std::fmt::Debug for RedisReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisReader")
    }
}

impl RedisReader {
    /// Prepares the connection. It will belong to the tokio runtime in which this is called. Nothing is sent yet.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] when the address or the certificate file cannot be understood.
    pub fn connect(options: &RedisOptions) -> Result<Self, StoreError> {
        let keys = Keys::new(options.prefix.clone());
        let Reach { route, dialer } = options.reach()?;
        let leases = options.leases(&route, &keys).map(Arc::new);
        Ok(Self {
            route: Arc::new(route),
            dialer,
            leases,
            keys,
            home: Home::here(),
            lines: Mutex::default(),
            tracker: OnceLock::new(),
        })
    }

    /// The news of grants, where there are any.
    fn tracker(&self) -> Option<&Tracker> {
        let tracker = || {
            if matches!(*self.route, Route::Cluster(_)) {
                warn!("the verifier remembers no grants with Redis Cluster: every request asks it");
                return None;
            }
            let source = Source {
                route: Arc::clone(&self.route),
                dialer: self.dialer.clone(),
                leases: self.leases.clone(),
            };
            Some(Tracker::new(source, &self.keys))
        };
        self.tracker.get_or_init(tracker).as_ref()
    }

    /// Asks a store of our schema; a connection that Redis had closed meanwhile is replaced and asked once more.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd, key: &str) -> Answer<T> {
        let answer = match self.ask_checked(command, key).await {
            Err(fault) if fault.is_a_closed_connection() => self.ask_checked(command, key).await,
            answer => answer,
        };
        answer.map_err(|fault| fault.about(key))
    }

    async fn ask_checked<T: FromRedisValue>(&self, command: &Cmd, key: &str) -> Result<T, Fault> {
        let node = self.node(key).await?;
        let line = self.line(&node).await?;
        self.check(&line).await?;
        self.ask_on(line, command).await
    }

    /// Only the mark of another release is in the way: a store without one is empty. In a cluster the mark lies on one node.
    async fn check(&self, line: &Arc<Line>) -> Result<(), Fault> {
        if line.checked.load(Ordering::Acquire) {
            return Ok(());
        }
        let key = self.keys.schema();
        let holder = match &*self.route {
            Route::Cluster(_) => self.line(&self.node(&key).await?).await?,
            _ => Arc::clone(line),
        };
        let mark: Option<Raw> = self.ask_on(holder, cmd("GET").arg(&key)).await?;
        if let Some(mark) = mark {
            check_schema(&key, &mark)?;
            line.checked.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Asks on `line`, and where that points.
    async fn ask_on<T: FromRedisValue>(&self, mut line: Arc<Line>, command: &Cmd) -> Result<T, Fault> {
        let mut asking = false;
        for _ in 0..=REDIRECTS {
            self.believe(&line).await?;
            let fault = match line.ask(command, asking).await {
                Ok(answer) => return self.believed(&line, answer),
                Err(fault) => fault,
            };
            let Some(redirect) = Redirect::of(&fault, &line.node) else {
                if !is_answer(&fault) {
                    self.hang_up(&line);
                }
                return Err(Fault::Theirs(fault));
            };
            if !redirect.asking {
                self.route.doubt();
            }
            asking = redirect.asking;
            line = self.line(&redirect.node).await?;
        }
        Err(unavailable("the nodes of the cluster point at each other").into())
    }

    /// Renews the lease, if there is one and it is due. Without it nothing is asked.
    async fn believe(&self, line: &Arc<Line>) -> Answer<()> {
        match &line.proof {
            None => Ok(()),
            Some(proof) => proof.keep().await.inspect_err(|_| self.hang_up(line)),
        }
    }

    /// What was read counts only if the lease still runs, and is remembered only if the news come from the same Redis.
    fn believed<T>(&self, line: &Arc<Line>, answer: T) -> Result<T, Fault> {
        if let (Some(Some(tracker)), Some(run)) = (self.tracker.get(), &line.run) {
            tracker.compare(run);
        }
        if line.proof.as_ref().is_none_or(Proof::holds) {
            return Ok(answer);
        }
        self.hang_up(line);
        Err(unavailable("the answer came too late to be believed").into())
    }

    async fn node(&self, key: &str) -> Answer<Node> {
        match &*self.route {
            Route::One(node) => Ok(node.clone()),
            route => self.home.run(route.node(key)).await,
        }
    }

    async fn line(&self, node: &Node) -> Answer<Arc<Line>> {
        let slot = self.slot(node);
        if let Some(line) = slot.line().clone() {
            return Ok(line);
        }
        let dialed = slot.dialing.once(|| async {
            let line = self.dial(node).await?;
            *slot.line() = Some(Arc::new(line));
            Ok(())
        });
        dialed.await.inspect_err(|_| self.route.doubt())?;
        let line = slot.line().clone();
        line.ok_or_else(|| unavailable("the connection failed at once"))
    }

    async fn dial(&self, node: &Node) -> Answer<Line> {
        let mut connection = self.dialer.dial(node).await.map_err(|e| map(&e, ""))?;
        let (run, proof) = match (&self.leases, &*self.route) {
            (None, Route::Cluster(_)) => (None, None),
            (None, _) => (Some(identify(&mut connection).await?.into()), None),
            (Some(leases), _) => {
                let proof = Proof::begin(&self.dialer, node, leases, &mut connection).await?;
                (Some(Arc::clone(&proof.run)), Some(proof))
            }
        };
        Ok(Line {
            thread: thread::current().id(),
            node: node.clone(),
            connection,
            checked: AtomicBool::new(false),
            run,
            proof,
        })
    }

    fn slot(&self, node: &Node) -> Arc<Slot> {
        let mut lines = self.lock();
        let ours = (thread::current().id(), node.clone());
        if let Some(slot) = lines.get(&ours) {
            return Arc::clone(slot);
        }
        if self.route.follows_a_master() {
            lines.retain(|(_, held), _| held == node);
        }
        let slot = Arc::new(Slot {
            line: Mutex::new(None),
            dialing: Turns::new(),
        });
        lines.insert(ours, Arc::clone(&slot));
        slot
    }

    /// Gives up a connection, if nobody has replaced it yet, and has the way looked for again.
    fn hang_up(&self, line: &Arc<Line>) {
        self.route.doubt();
        let slot = self.lock().get(&(line.thread, line.node.clone())).cloned();
        if let Some(slot) = slot {
            let mut held = slot.line();
            if held.as_ref().is_some_and(|current| Arc::ptr_eq(current, line)) {
                *held = None;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(ThreadId, Node), Arc<Slot>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn line(&self) -> MutexGuard<'_, Option<Arc<Line>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    async fn ask<T: FromRedisValue>(&self, command: &Cmd, asking: bool) -> RedisResult<T> {
        let mut connection = self.connection.clone();
        if !asking {
            return command.query_async(&mut connection).await;
        }
        let mut both = pipe();
        both.cmd("ASKING").ignore();
        both.add_command(command.clone());
        let (answer,) = both.query_async(&mut connection).await?;
        Ok(answer)
    }
}

/// Whether Redis understood the question and said no: the connection is good.
fn is_answer(fault: &RedisError) -> bool {
    matches!(
        fault.kind(),
        redis::ErrorKind::Server(redis::ServerErrorKind::NoPerm | redis::ServerErrorKind::ResponseError)
            | redis::ErrorKind::UnexpectedReturnType
    )
}

#[async_trait]
impl GrantReader for RedisReader {
    async fn grant(&self, id: &GrantId, now: Timestamp) -> Answer<Option<Grant>> {
        let key = self.keys.grant(id);
        let found: Option<Raw> = self.ask(cmd("GET").arg(&key), &key).await?;
        living(&key, found.as_ref(), now)
    }

    async fn public_keys(&self) -> Answer<Vec<StoredPublicKey>> {
        let key = self.keys.public_keys();
        let found: Option<Raw> = self.ask(cmd("GET").arg(&key), &key).await?;
        published(&key, found.as_ref())
    }

    async fn health(&self, now: Timestamp) -> Answer<Health> {
        let key = self.keys.schema();
        self.ask::<Option<Raw>>(cmd("GET").arg(&key), &key).await?;
        let time: (u64, u64) = self.ask(&cmd("TIME"), &key).await?;
        Ok(inspect::health(time, now))
    }

    fn watch(&self) -> Option<Arc<Watch>> {
        self.tracker().map(Tracker::watch)
    }

    fn follow(&self) -> BoxFuture<'static, ()> {
        match self.tracker() {
            Some(tracker) => Box::pin(tracker.follow()),
            None => Box::pin(ready(())),
        }
    }
}
