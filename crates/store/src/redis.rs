//! The shared engine: Redis or Valkey.

mod address;
mod cluster;
mod faults;
mod home;
mod inspect;
mod lease;
mod lines;
mod majority;
mod node;
mod options;
mod pool;
mod proof;
mod reader;
mod replication;
mod route;
mod scripts;
mod sentinel;
mod source;
mod tracker;
mod turns;
mod wires;

use std::{sync::Arc, time::Duration};

use ::redis::{Cmd, Value as Reply, cmd, pipe};
use mcp_gateway_model::clock::Timestamp;
use mcp_gateway_watch::Watch;

use crate::{
    engine::{Answer, Answers, Bound, Done, Engine, Raw, SLACK, Step, Swap, Value, one_by_one},
    keys::Keys,
    limits::Bucket,
    verbs::{Health, StoreError, Warning},
};
pub use address::RedisKind;
pub use options::RedisOptions;
pub use reader::RedisReader;
use wires::{Call, Wires};

/// The engine for several processes: Redis ≥ 7 or Valkey, alone, watched by sentinels, or as a cluster.
///
/// Connections are made when they are needed: a store that cannot be reached answers [`StoreError::Unavailable`] until it
/// can be.
pub struct RedisStore {
    wires: Wires,
    keys: Keys,
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisStore")
    }
}

impl RedisStore {
    /// Prepares the pools. What is asked of sentinels and of a cluster's map will belong to the tokio runtime in which this is called,
    /// the connections to those that ask. Nothing is sent yet; [`crate::GrantReader::health`] tells whether the store can be asked,
    /// and whether a newer release has written it.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] when the address or the certificate file cannot be understood.
    pub fn connect(options: &RedisOptions) -> Result<Self, StoreError> {
        let keys = Keys::new(options.prefix.clone());
        let wires = Wires::new(options, &keys)?;
        Ok(Self { wires, keys })
    }

    /// Does steps in one trip, and waits for the replicas that a swap is to reach.
    async fn script(&self, steps: &[Step], now: Timestamp) -> Answer<Vec<Done>> {
        let key = steps.first().map_or("", Step::key);
        let script = scripts::steps(steps, now);
        let has_written = |replies: &Vec<Reply>| scripts::has_written(steps, replies);
        let replies = self.wires.call(Call::Script(&script), key, has_written).await?;
        scripts::done(steps, replies).map_err(|e| faults::map(&e.into(), key))
    }
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
        self.wires.ask(Call::Command(cmd("MGET").arg(keys)), key).await
    }

    async fn get_scattered(&self, keys: &[String]) -> Answer<Vec<Option<Raw>>> {
        self.wires.get_scattered(keys).await
    }

    async fn put(&self, key: String, value: Value, now: Timestamp) -> Answer<()> {
        self.wires
            .write(Call::Command(&set(&key, &value, now)), &key)
            .await
    }

    async fn put_new(&self, key: String, bytes: Raw) -> Answer<Option<Raw>> {
        let mut set = cmd("SET");
        set.arg(&key).arg(bytes).arg("NX").arg("GET");
        self.wires.write(Call::Command(&set), &key).await
    }

    async fn take(&self, key: String) -> Answer<Option<Raw>> {
        self.wires
            .write(Call::Command(cmd("GETDEL").arg(&key)), &key)
            .await
    }

    async fn remove(&self, keys: Vec<String>) -> Answer<()> {
        let key = keys.first().map_or("", String::as_str);
        self.wires
            .write::<u64>(Call::Command(cmd("DEL").arg(&keys)), key)
            .await
            .map(drop)
    }

    async fn swap(&self, swaps: Vec<Swap>, now: Timestamp) -> Answer<bool> {
        Answers::new(self.script(&[Step::Swap(swaps)], now).await?).swapped()
    }

    async fn index(&self, key: String, member: &str, ends: Timestamp, now: Timestamp) -> Answer<()> {
        let member = member.to_owned();
        Answers::new(self.script(&[Step::Index { key, member, ends }], now).await?).indexed()
    }

    async fn unindex(&self, key: String, member: &str) -> Answer<()> {
        self.wires
            .ask::<u64>(Call::Command(cmd("ZREM").arg(&key).arg(member)), &key)
            .await
            .map(drop)
    }

    async fn members(&self, key: &str) -> Answer<Vec<String>> {
        self.wires
            .ask(Call::Command(cmd("ZRANGE").arg(key).arg(0).arg(-1)), key)
            .await
    }

    async fn soonest(&self, key: &str, bound: Bound, now: Timestamp) -> Answer<Vec<String>> {
        let key = key.to_owned();
        Answers::new(self.script(&[Step::Soonest { key, bound }], now).await?).members()
    }

    async fn take_permit(&self, key: String, bucket: Bucket, now: Timestamp) -> Answer<Option<Duration>> {
        Answers::new(self.script(&[Step::Permit { key, bucket }], now).await?).wait()
    }

    /// One Redis holds all keys, so that one call of the script does everything. In a cluster each step goes to the node that has
    /// its slot.
    async fn steps(&self, steps: Vec<Step>, now: Timestamp) -> Answer<Vec<Done>> {
        if self.wires.is_cluster() {
            return one_by_one(self, steps, now).await;
        }
        self.script(&steps, now).await
    }

    async fn health(&self, now: Timestamp) -> Answer<Health> {
        let key = self.keys.schema();
        let mut questions = pipe();
        questions.cmd("EXISTS").arg(&key).ignore();
        questions.cmd("TIME");
        let (time,): ((u64, u64),) = self.wires.ask(Call::Pipeline(&questions), &key).await?;
        Ok(inspect::health(time, now))
    }

    async fn inspect(&self, now: Timestamp) -> Answer<Vec<Warning>> {
        let mut all = Vec::new();
        for node in self.wires.nodes().await? {
            let mut wire = self.wires.connection(&node).await?;
            for warning in inspect::inspect(wire.connection(), self.wires.acknowledging(), now).await? {
                if !all.contains(&warning) {
                    all.push(warning);
                }
            }
        }
        Ok(all)
    }
}
