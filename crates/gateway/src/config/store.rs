//! Where the state lives.

use std::path::PathBuf;

use mcp_gateway_model::secret::Secret;
use url::Url;

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
    pub(crate) password: Option<Secret>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) wait_replicas: u32,
}

pub(super) fn read(r: &mut Reader<'_>, role: Role) -> StoreConfig {
    let directory = r.text("DATA_DIR").map(PathBuf::from);
    let url = r.parsed("REDIS_URL", redis_url);
    let password = r.secret("REDIS_PASSWORD");
    let ca_file = r.text("REDIS_CA_FILE").map(PathBuf::from);
    let wait_replicas = r.number("REDIS_WAIT_REPLICAS", 0);
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
        (Some(url), _) => StoreConfig::Redis(RedisConfig {
            url,
            password,
            ca_file,
            wait_replicas,
        }),
        (None, Some(directory)) => StoreConfig::Directory(directory),
        (None, None) => StoreConfig::Memory,
    }
}

fn redis_url(text: &str) -> Result<Secret, &'static str> {
    match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "redis" | "rediss" | "valkey" | "valkeys") => {
            Err("must begin with redis:// or rediss://")
        }
        Ok(url) if url.host_str().is_none_or(str::is_empty) => Err("names no host"),
        Ok(_) => Ok(Secret::presented(text.to_owned())),
        Err(_) => Err("must be an address such as redis://redis:6379/0"),
    }
}
