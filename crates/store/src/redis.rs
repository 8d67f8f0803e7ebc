//! The shared engine: Redis or Valkey.

mod faults;
mod home;
mod inspect;
mod options;
mod reader;
mod replication;
mod scripts;
mod tracker;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ::redis::{Cmd, FromRedisValue, Pipeline, ScriptInvocation, aio::MultiplexedConnection, cmd, pipe};
use deadpool_redis::{Connection, Hook, HookError, Manager, Pool, PoolError, Runtime};
use mcp_gateway_model::clock::Timestamp;
use mcp_gateway_watch::Watch;

use crate::{
    engine::{Answer, Engine, INDEX_SLACK, Raw, SLACK, Swap, Value},
    keys::Keys,
    limits::Bucket,
    value::{SCHEMA, check_schema},
    verbs::{Health, StoreError, Warning},
};
use faults::{map, unavailable};
use home::Home;
pub use options::RedisOptions;
pub use reader::RedisReader;

/// How many values are asked for at once.
const CHUNK: usize = 500;

/// The engine for several processes: Redis ≥ 7 or Valkey.
///
/// Connections are made when they are needed: a store that cannot be reached answers [`StoreError::Unavailable`] until it
/// can be.
pub struct RedisStore {
    pool: Pool,
    home: Home,
    keys: Keys,
    replicas: u32,
    timeout: Duration,
    /// The schema that a connection found, if it is not ours.
    found: Arc<AtomicU32>,
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisStore")
    }
}

impl RedisStore {
    /// Prepares the pool. Connections will belong to the tokio runtime in which this is called. Nothing is sent yet; [`crate::GrantReader::health`] tells whether the store can be asked, and
    /// whether a newer release has written it.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] when the address or the certificate file cannot be understood.
    pub fn connect(options: &RedisOptions) -> Result<Self, StoreError> {
        let keys = Keys::new(options.prefix.clone());
        let found = Arc::new(AtomicU32::new(0));
        let manager = Manager::new_with_config(options.address()?, options.connection())
            .map_err(|_| options::misunderstood())?;
        let timeout = options.timeout;
        let pool = Pool::builder(manager)
            .max_size(options.pool_size.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(timeout))
            .create_timeout(Some(timeout * 2))
            .recycle_timeout(Some(timeout))
            .post_create(mark_schema(keys.schema(), Arc::clone(&found)))
            .build()
            .map_err(|e| StoreError::Misconfigured(format!("the pool of connections: {e}")))?;
        Ok(Self {
            pool,
            home: Home::here(),
            keys,
            replicas: options.wait_replicas,
            timeout,
            found,
        })
    }

    async fn connection(&self) -> Answer<Connection> {
        self.home.run(self.pool.get()).await.map_err(|fault| match fault {
            PoolError::Backend(fault) | PoolError::PostCreateHook(HookError::Backend(fault)) => {
                map(&fault, "")
            }
            PoolError::PostCreateHook(HookError::Message(text)) => match self.found.load(Ordering::SeqCst) {
                found if found > SCHEMA => StoreError::TooNew { found, known: SCHEMA },
                _ => StoreError::Corrupt {
                    key: self.keys.schema(),
                    reason: text.into_owned(),
                },
            },
            PoolError::Timeout(_) => unavailable("no connection in time"),
            PoolError::Closed | PoolError::NoRuntimeSpecified => unavailable("the pool is closed"),
        })
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd, key: &str) -> Answer<T> {
        let mut connection = self.connection().await?;
        command
            .query_async(&mut connection)
            .await
            .map_err(|e| map(&e, key))
    }

    /// Sends a write, and waits for the replicas it is to reach.
    async fn write<T: FromRedisValue>(&self, command: &Cmd, key: &str) -> Answer<T> {
        let mut connection = self.connection().await?;
        let answer = command
            .query_async(&mut connection)
            .await
            .map_err(|e| map(&e, key))?;
        self.replicated(&mut connection).await?;
        Ok(answer)
    }

    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>, key: &str) -> Answer<T> {
        let mut connection = self.connection().await?;
        let answer = script
            .invoke_async(&mut connection)
            .await
            .map_err(|e| map(&e, key))?;
        self.replicated(&mut connection).await?;
        Ok(answer)
    }

    async fn send(&self, pipeline: &Pipeline, key: &str) -> Answer<()> {
        let mut connection = self.connection().await?;
        pipeline
            .exec_async(&mut connection)
            .await
            .map_err(|e| map(&e, key))
    }

    /// What no replica has seen may be lost with the master: it does not count as done.
    async fn replicated(&self, connection: &mut MultiplexedConnection) -> Answer<()> {
        if self.replicas == 0 {
            return Ok(());
        }
        let millis = u64::try_from(self.timeout.as_millis() / 2).unwrap_or(500);
        let reached: u32 = cmd("WAIT")
            .arg(self.replicas)
            .arg(millis)
            .query_async(connection)
            .await
            .map_err(|e| map(&e, ""))?;
        if reached < self.replicas {
            return Err(unavailable("too few replicas acknowledged the write"));
        }
        Ok(())
    }
}

/// Marks a store that has no mark with our schema, and refuses one with another. Each new connection looks, so that a
/// store that came back empty is marked again.
fn mark_schema(key: String, found: Arc<AtomicU32>) -> Hook {
    Hook::async_fn(move |connection: &mut MultiplexedConnection, _| {
        let (key, found) = (key.clone(), Arc::clone(&found));
        Box::pin(async move {
            let held: Option<Raw> = cmd("SET")
                .arg(&key)
                .arg(SCHEMA)
                .arg("NX")
                .arg("GET")
                .query_async(connection)
                .await
                .map_err(HookError::Backend)?;
            match held.map(|mark| check_schema(&key, &mark)) {
                None | Some(Ok(())) => Ok(()),
                Some(Err(fault)) => {
                    if let StoreError::TooNew { found: newer, .. } = fault {
                        found.store(newer, Ordering::SeqCst);
                    }
                    Err(HookError::message(fault.to_string()))
                }
            }
        })
    })
}

/// How long the broom leaves alone what ends at `ends`, in milliseconds: counted from `now`, whatever Redis' clock says.
fn lifetime(ends: Timestamp, slack: Duration, now: Timestamp) -> u64 {
    u64::try_from((now.until(ends) + slack).as_millis())
        .unwrap_or(u64::MAX)
        .min(1 << 50)
}

fn set(key: &str, value: &Value, now: Timestamp) -> Cmd {
    let mut set = cmd("SET");
    set.arg(key).arg(value.bytes.as_slice());
    if let Some(ends) = value.ends {
        set.arg("PX").arg(lifetime(ends, SLACK, now));
    }
    set
}

impl Engine for RedisStore {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The authorization server remembers nothing: [`RedisReader`] has one.
    fn watch(&self) -> Option<Arc<Watch>> {
        None
    }

    async fn get(&self, keys: &[String]) -> Answer<Vec<Option<Raw>>> {
        let key = keys.first().map_or("", String::as_str);
        self.ask(cmd("MGET").arg(keys), key).await
    }

    async fn get_scattered(&self, keys: &[String]) -> Answer<Vec<Option<Raw>>> {
        let mut found = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(CHUNK) {
            let mut gets = pipe();
            for key in chunk {
                gets.get(key);
            }
            let mut connection = self.connection().await?;
            let values: Vec<Option<Raw>> = gets
                .query_async(&mut connection)
                .await
                .map_err(|e| map(&e, &chunk[0]))?;
            found.extend(values);
        }
        Ok(found)
    }

    async fn put(&self, key: String, value: Value, now: Timestamp) -> Answer<()> {
        self.write(&set(&key, &value, now), &key).await
    }

    async fn put_new(&self, key: String, bytes: Raw) -> Answer<Option<Raw>> {
        self.write(cmd("SET").arg(&key).arg(bytes).arg("NX").arg("GET"), &key)
            .await
    }

    async fn take(&self, key: String) -> Answer<Option<Raw>> {
        self.write(cmd("GETDEL").arg(&key), &key).await
    }

    async fn remove(&self, keys: Vec<String>) -> Answer<()> {
        let key = keys.first().map_or("", String::as_str);
        self.write::<u64>(cmd("DEL").arg(&keys), key).await.map(drop)
    }

    async fn swap(&self, swaps: Vec<Swap>, now: Timestamp) -> Answer<bool> {
        let key = swaps.first().map_or("", |swap| swap.key.as_str());
        self.run(&scripts::swap(&swaps, now), key).await
    }

    async fn index(&self, key: String, member: &str, ends: Timestamp, now: Timestamp) -> Answer<()> {
        let stays = ends.plus(INDEX_SLACK).millis();
        let life = lifetime(ends, INDEX_SLACK, now);
        let mut add = pipe();
        add.atomic();
        add.cmd("ZADD").arg(&key).arg("GT").arg(stays).arg(member);
        add.cmd("ZREMRANGEBYSCORE")
            .arg(&key)
            .arg("-inf")
            .arg(format!("({}", now.millis()));
        add.cmd("PEXPIRE").arg(&key).arg(life).arg("NX");
        add.cmd("PEXPIRE").arg(&key).arg(life).arg("GT");
        self.send(&add, &key).await
    }

    async fn unindex(&self, key: String, member: &str) -> Answer<()> {
        self.ask::<u64>(cmd("ZREM").arg(&key).arg(member), &key)
            .await
            .map(drop)
    }

    async fn members(&self, key: &str) -> Answer<Vec<String>> {
        self.ask(cmd("ZRANGE").arg(key).arg(0).arg(-1), key).await
    }

    async fn soonest(&self, key: &str, most: u32, at_once: u32, now: Timestamp) -> Answer<Vec<String>> {
        let mut count = cmd("ZCOUNT");
        count.arg(key).arg(now.millis()).arg("+inf");
        let living: u64 = self.ask(&count, key).await?;
        let too_many = living.saturating_sub(most.into()).min(at_once.into());
        if too_many == 0 {
            return Ok(Vec::new());
        }
        let mut first = cmd("ZRANGE");
        first.arg(key).arg(now.millis()).arg("+inf").arg("BYSCORE");
        first.arg("LIMIT").arg(0).arg(too_many);
        self.ask(&first, key).await
    }

    async fn take_permit(&self, key: String, bucket: Bucket, now: Timestamp) -> Answer<Option<Duration>> {
        let mut connection = self.connection().await?;
        let wait: u64 = scripts::take_permit(&key, bucket, now)
            .invoke_async(&mut connection)
            .await
            .map_err(|e| map(&e, &key))?;
        Ok((wait > 0).then(|| Duration::from_micros(wait)))
    }

    async fn health(&self, now: Timestamp) -> Answer<Health> {
        let time: (u64, u64) = self.ask(&cmd("TIME"), "").await?;
        Ok(inspect::health(time, now))
    }

    async fn inspect(&self, now: Timestamp) -> Answer<Vec<Warning>> {
        let mut connection = self.connection().await?;
        inspect::inspect(&mut connection, now).await
    }
}
