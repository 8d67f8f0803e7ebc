//! Where the state lives.

use std::path::PathBuf;

use mcp_gateway_model::secret::Secret;
use mcp_gateway_store::RedisKind;

use super::{Role, reader::Reader};

/// Where the state lives.
#[derive(Debug)]
pub(crate) enum StoreConfig {
    /// In Redis or Valkey.
    Redis(RedisConfig),
    /// In a directory of this machine.
    Directory(PathBuf),
    /// In memory, until the process ends.
    Memory,
}

/// How Redis is reached.
#[derive(Debug)]
pub(crate) struct RedisConfig {
    pub(crate) url: Secret,
    pub(crate) kind: RedisKind,
    pub(crate) password: Option<Secret>,
    pub(crate) sentinel_password: Option<Secret>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) wait_replicas: u32,
}

pub(super) fn read(r: &mut Reader<'_>, role: Role) -> StoreConfig {
    let directory = r.text("DATA_DIR").map(PathBuf::from);
    let url = r.parsed("REDIS_URL", redis_url);
    let kind = url.as_ref().map(|(_, kind)| *kind);
    let password = r.secret("REDIS_PASSWORD");
    let sentinel_password = sentinel_password(r, kind);
    let ca_file = r.text("REDIS_CA_FILE").map(PathBuf::from);
    let wait_replicas = wait_replicas(r, kind);
    match (r.has("REDIS_URL"), &directory, role) {
        (true, Some(_), _) => r.faults.add("DATA_DIR", "and REDIS_URL are both set: choose one"),
        (false, None, Role::Serve) => r.faults.add(
            "REDIS_URL",
            "is not set, and neither is DATA_DIR: the gateway needs one of them",
        ),
        (false, _, Role::AuthServer | Role::Verifier) => r.faults.add(
            "REDIS_URL",
            "is not set: as a process of its own this server needs Redis (DATA_DIR works with serve only)",
        ),
        _ => {}
    }
    match (url, directory) {
        (Some((url, kind)), _) => StoreConfig::Redis(RedisConfig {
            url,
            kind,
            password,
            sentinel_password,
            ca_file,
            wait_replicas,
        }),
        (None, Some(directory)) => StoreConfig::Directory(directory),
        (None, None) => StoreConfig::Memory,
    }
}

fn redis_url(text: &str) -> Result<(Secret, RedisKind), &'static str> {
    let kind = RedisKind::of(text)?;
    Ok((Secret::presented(text.to_owned()), kind))
}

fn sentinel_password(r: &mut Reader<'_>, kind: Option<RedisKind>) -> Option<Secret> {
    let password = r.secret("REDIS_SENTINEL_PASSWORD")?;
    if kind.is_some_and(|kind| kind != RedisKind::Sentinel) {
        let problem =
            "is for sentinels, but REDIS_URL does not begin with redis+sentinel:// or rediss+sentinel://";
        r.faults.add("REDIS_SENTINEL_PASSWORD", problem);
    }
    Some(password)
}

/// With Sentinel a replica has to acknowledge writes: that tells the master from one that was replaced.
fn wait_replicas(r: &mut Reader<'_>, kind: Option<RedisKind>) -> u32 {
    let needed = u32::from(kind == Some(RedisKind::Sentinel));
    let replicas = r.number("REDIS_WAIT_REPLICAS", needed);
    if replicas < needed {
        let problem = "must be 1 or more with Sentinel: a master that was replaced cannot be told from the real one otherwise";
        r.faults.add("REDIS_WAIT_REPLICAS", problem);
    }
    replicas
}
