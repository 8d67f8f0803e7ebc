//! What an operator should know about this Redis.

use std::{collections::HashMap, time::Duration};

use mcp_gateway_model::clock::Timestamp;
use redis::{RedisResult, aio::MultiplexedConnection, cmd};

/// More than this between the clocks is worth a warning: what ends is judged by one, and swept by the other.
const SKEW: Duration = Duration::from_secs(5);

/// What there is to warn of.
///
/// # Errors
/// Those of Redis; that this user may not ask is none.
pub(super) async fn inspect(
    connection: &mut MultiplexedConnection,
    now: Timestamp,
) -> RedisResult<Vec<String>> {
    let (seconds, micros): (u64, u64) = cmd("TIME").query_async(connection).await?;
    let theirs = Timestamp::from_secs(seconds).plus(Duration::from_micros(micros));
    let skew = now.until(theirs).max(theirs.until(now));
    let mut warnings = Vec::new();
    if skew > SKEW {
        warnings.push(format!("Redis' clock is {} seconds off", skew.as_secs()));
    }
    match cmd("INFO").query_async::<String>(connection).await {
        Ok(text) => judge(&text, &mut warnings),
        Err(error) if error.code() == Some("NOPERM") => warnings.push(
            "Redis does not let this user ask INFO; make sure that appendonly is yes, and maxmemory-policy noeviction"
                .to_owned(),
        ),
        Err(error) => return Err(error),
    }
    Ok(warnings)
}

fn judge(info: &str, warnings: &mut Vec<String>) {
    let said: HashMap<&str, &str> = info
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    if said.get("aof_enabled").is_some_and(|enabled| *enabled != "1") {
        warnings
            .push("Redis forgets what was written when it restarts (appendonly is no, not yes)".to_owned());
    }
    if let Some(policy) = said
        .get("maxmemory_policy")
        .filter(|policy| **policy != "noeviction")
    {
        warnings.push(format!(
            "Redis may evict users' tokens when its memory is full (maxmemory-policy is {policy}, not noeviction)"
        ));
    }
    if said.get("role").is_some_and(|role| *role != "master") {
        warnings.push("Redis is a replica here: it takes no writes".to_owned());
    }
    if said.get("cluster_enabled").is_some_and(|enabled| *enabled == "1") {
        warnings.push("Redis is a node of a cluster here: keys of other nodes are not reached".to_owned());
    }
    if said.get("connected_slaves").is_some_and(|count| *count != "0") {
        warnings.push(
            "Redis answers before its replicas have a write: after a failover a login can be ended twice, and a used \
             refresh token comes back (docs/client.md says what to do)"
                .to_owned(),
        );
    }
}
