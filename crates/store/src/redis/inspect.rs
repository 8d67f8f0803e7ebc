//! What an operator should know about this Redis.

use std::{collections::HashMap, time::Duration};

use mcp_gateway_model::clock::Timestamp;
use redis::{aio::MultiplexedConnection, cmd};

use super::faults::map;
use crate::{
    engine::Answer,
    verbs::{Health, StoreError, Warning},
};

/// More than this between the clocks is worth a warning.
const SKEW: Duration = Duration::from_secs(5);

/// The health of a Redis whose `TIME` is `(seconds, microseconds)`.
pub(super) fn health((secs, micros): (u64, u64), now: Timestamp) -> Health {
    let theirs = Timestamp::from_secs(secs).plus(Duration::from_micros(micros));
    Health {
        clock_skew: now.until(theirs).max(theirs.until(now)),
    }
}

/// Settings by name; those that could not be read are missing.
#[derive(Default)]
struct Settings(HashMap<String, String>);

impl Settings {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

/// Replicas whose acknowledgement proves that a master is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledging {
    /// So many have to acknowledge.
    pub(super) waited_for: u32,
    /// So many are known beside those that Redis itself names.
    pub(super) known: u32,
}

pub(super) async fn inspect(
    connection: &mut MultiplexedConnection,
    acknowledging: Option<Acknowledging>,
    now: Timestamp,
) -> Answer<Vec<Warning>> {
    let time = cmd("TIME")
        .query_async(connection)
        .await
        .map_err(|e| map(&e, ""))?;
    let skew = health(time, now).clock_skew;
    let config = config(connection).await?;
    let info = info(connection).await?;
    let mut warnings = Vec::new();
    if skew > SKEW {
        warnings.push(format!("Redis' clock is {} seconds off", skew.as_secs()));
    }
    check_version(&info, &mut warnings);
    check_durability(&config, &info, &mut warnings);
    check_replication(&config, &info, &mut warnings);
    warnings.extend(acknowledging.and_then(|acknowledging| check_majority(acknowledging, &info)));
    Ok(warnings.into_iter().map(Warning).collect())
}

fn check_version(info: &Settings, warnings: &mut Vec<String>) {
    let Some(version) = info.get("redis_version") else {
        return;
    };
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < 7) {
        warnings.push(format!("Redis is version {version}; 7 or newer is needed"));
    }
}

fn check_durability(config: &Settings, info: &Settings, warnings: &mut Vec<String>) {
    match config.get("maxmemory-policy").or_else(|| info.get("maxmemory_policy")) {
        Some("noeviction") => {}
        Some(policy) => warnings.push(format!(
            "Redis may evict grants and clients when its memory is full (maxmemory-policy is {policy}, not noeviction)"
        )),
        None => warnings.push(unchecked("maxmemory-policy", "noeviction")),
    }
    if config.number("maxmemory") == Some(0) {
        warnings.push(
            "Redis may use all of the machine's memory, and is killed when that is full (maxmemory is 0)"
                .into(),
        );
    }
    let append = config.get("appendonly").map(|value| value == "yes");
    match append.or_else(|| info.number("aof_enabled").map(|value| value == 1)) {
        Some(true) => match config.get("appendfsync") {
            Some("always") => {}
            Some(policy) => warnings.push(format!(
                "Redis forgets the last moments when it crashes (appendfsync is {policy}, not always)"
            )),
            None => warnings.push(unchecked("appendfsync", "always")),
        },
        Some(false) => {
            warnings
                .push("Redis forgets what was written when it restarts (appendonly is no, not yes)".into());
        }
        None => warnings.push(unchecked("appendonly", "yes")),
    }
}

fn check_replication(config: &Settings, info: &Settings, warnings: &mut Vec<String>) {
    if info.get("role").is_some_and(|role| role != "master") {
        warnings.push("Redis is a replica here: it takes no writes".into());
    }
    if info.number("connected_slaves").unwrap_or(0) == 0 {
        return;
    }
    match config.number("min-replicas-to-write") {
        Some(0) => warnings.push(
            "Redis has replicas and answers before any of them has a write (min-replicas-to-write is 0, not 1)".into(),
        ),
        Some(_) => {}
        None => warnings.push(unchecked("min-replicas-to-write", "1")),
    }
}

/// Fewer than half of the replicas could acknowledge to a master that was replaced while others do to the new one.
fn check_majority(Acknowledging { waited_for, known }: Acknowledging, info: &Settings) -> Option<String> {
    let connected = info.number("connected_slaves").unwrap_or(0);
    let replicas = connected.max(u64::from(known));
    let half = replicas.div_ceil(2);
    (u64::from(waited_for) < half).then(|| {
        format!(
            "two masters could be believed at once: the gateway waits for {waited_for} of {replicas} replicas \
             (set REDIS_WAIT_REPLICAS to {half})"
        )
    })
}

fn unchecked(name: &str, wanted: &str) -> String {
    format!("Redis does not let this user read {name}; make sure that it is {wanted}")
}

/// What `CONFIG GET` says; nothing if this user may not ask.
async fn config(connection: &mut MultiplexedConnection) -> Answer<Settings> {
    let answer = cmd("CONFIG")
        .arg("GET")
        .arg(&[
            "maxmemory",
            "maxmemory-policy",
            "appendonly",
            "appendfsync",
            "min-replicas-to-write",
        ])
        .query_async(connection)
        .await;
    permitted(answer.map(Settings))
}

/// What `INFO` says; nothing if this user may not ask.
async fn info(connection: &mut MultiplexedConnection) -> Answer<Settings> {
    let answer = cmd("INFO").query_async::<String>(connection).await;
    permitted(answer.map(|text| {
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        Settings(
            pairs
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        )
    }))
}

fn permitted(answer: redis::RedisResult<Settings>) -> Answer<Settings> {
    match answer.map_err(|e| map(&e, "")) {
        Err(StoreError::Refused(_)) => Ok(Settings::default()),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_that_only_the_sentinels_know_of_count_as_well() {
        let info = Settings([("connected_slaves".to_owned(), "2".to_owned())].into());
        let warned_of =
            |waited_for, known| check_majority(Acknowledging { waited_for, known }, &info).is_some();
        assert!(!warned_of(1, 0));
        assert!(!warned_of(1, 2));
        assert!(warned_of(1, 3));
        assert!(!warned_of(2, 4));
        assert!(warned_of(2, 5));
    }
}
