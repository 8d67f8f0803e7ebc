//! The verifier's view: one connection that reads, and comes back by itself.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mcp_gateway_model::{clock::Timestamp, grant::Grant, id::GrantId};
use mcp_gateway_watch::Watch;
use redis::{
    Client, Cmd, FromRedisValue, ProtocolVersion,
    aio::{ConnectionManager, ConnectionManagerConfig},
    cmd,
};
use tracing::warn;

use super::{faults, home::Home, inspect, options::RedisOptions, tracker::Tracker};
use crate::{
    contract::{living, published},
    engine::{Answer, Raw},
    keys::Keys,
    records::StoredPublicKey,
    value::check_schema,
    verbs::{GrantReader, Health, StoreError},
};

/// What the verifier asks Redis with: `GET` of grants and public keys, and `TIME`. It needs no right to write.
///
/// The connection is made at the first question. One that failed is replaced at the next. Another one, on which Redis says
/// which grants change, is made when somebody first asks for the watch.
pub struct RedisReader {
    client: Client,
    config: ConnectionManagerConfig,
    keys: Keys,
    home: Home,
    timeout: Duration,
    line: Mutex<Option<Arc<Line>>>,
    tracker: OnceLock<Option<Tracker>>,
}

/// A connection, and whether its store has been found to be of our schema.
struct Line {
    manager: ConnectionManager,
    checked: AtomicBool,
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
        let client = Client::open(options.address()?).map_err(|_| super::options::misunderstood())?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(options.timeout))
            .set_response_timeout(Some(options.timeout))
            .set_number_of_retries(0);
        Ok(Self {
            client,
            config,
            keys: Keys::new(options.prefix.clone()),
            home: Home::here(),
            timeout: options.timeout,
            line: Mutex::new(None),
            tracker: OnceLock::new(),
        })
    }

    /// Begins to follow the news of grants, for which Redis has to speak RESP3.
    fn follow(&self) -> Option<Tracker> {
        let info = self.client.get_connection_info().clone();
        let login = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let tracker = Client::open(info.set_redis_settings(login))
            .map_err(std::io::Error::other)
            .and_then(|client| Tracker::begin(client, &self.keys, self.timeout));
        match tracker {
            Ok(tracker) => Some(tracker),
            Err(fault) => {
                warn!(reason = %fault, "the news of grants cannot be followed: every request asks Redis");
                None
            }
        }
    }

    /// Asks; a connection that Redis had closed meanwhile is replaced and asked once more.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd, key: &str) -> Answer<T> {
        let line = self.line().await?;
        match self.ask_on(&line, command).await {
            Err(fault) if fault.is_connection_dropped() && !fault.is_connection_refusal() => {
                let line = self.line().await?;
                self.ask_on(&line, command).await
            }
            answer => answer,
        }
        .map_err(|e| faults::map(&e, key))
    }

    async fn ask_on<T: FromRedisValue>(&self, line: &Arc<Line>, command: &Cmd) -> redis::RedisResult<T> {
        let mut manager = line.manager.clone();
        let answer = self.home.run(command.query_async(&mut manager)).await;
        if let Err(fault) = &answer
            && !is_answer(fault)
        {
            self.hang_up(line);
        }
        answer
    }

    /// The connection, once its store has been found to be of our schema. Only the mark of another release is in the way:
    /// a store without one is empty.
    async fn line(&self) -> Answer<Arc<Line>> {
        let line = self.dial()?;
        if line.checked.load(Ordering::Acquire) {
            return Ok(line);
        }
        let key = self.keys.schema();
        let mark: Option<Raw> = self
            .ask_on(&line, cmd("GET").arg(&key))
            .await
            .map_err(|e| faults::map(&e, &key))?;
        if let Some(mark) = mark {
            check_schema(&key, &mark)?;
            line.checked.store(true, Ordering::Release);
        }
        Ok(line)
    }

    fn dial(&self) -> Answer<Arc<Line>> {
        let mut held = self.held();
        if let Some(line) = held.as_ref() {
            return Ok(Arc::clone(line));
        }
        let _home = self.home.enter();
        let manager = ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone())
            .map_err(|e| faults::map(&e, ""))?;
        let line = Arc::new(Line {
            manager,
            checked: AtomicBool::new(false),
        });
        *held = Some(Arc::clone(&line));
        Ok(line)
    }

    /// Gives up a connection, if nobody has replaced it yet.
    fn hang_up(&self, line: &Arc<Line>) {
        let mut held = self.held();
        if held.as_ref().is_some_and(|current| Arc::ptr_eq(current, line)) {
            *held = None;
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<Arc<Line>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether Redis understood the question and said no: the connection is good.
fn is_answer(fault: &redis::RedisError) -> bool {
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
        let time: (u64, u64) = self.ask(&cmd("TIME"), "").await?;
        Ok(inspect::health(time, now))
    }

    fn watch(&self) -> Option<Arc<Watch>> {
        let tracker = self.tracker.get_or_init(|| self.follow());
        tracker.as_ref().map(Tracker::watch)
    }
}
