//! What the service remembers: logins under way, registrations, and the tokens of its users.
//!
//! Two engines behind the same verbs: a file for one process, Redis for several. What may happen once is decided by one atomic
//! change; `now` is the judge, and what the engines do by themselves only the broom. Whatever opens something is sealed under
//! the operator's key for the very place where it lies, and lies under names that are digests: a dump of the store tells
//! neither tokens, nor whose they are, nor what for.

mod amounts;
mod claims;
mod embedded;
mod engine;
mod grants;
mod logins;
mod permits;
mod records;
mod redis;
mod registrations;
mod schema;

use std::{path::Path, sync::Arc};

use mcp_gateway_model::{clock::Timestamp, seal::Sealer, secret::Secret};
use serde::{Serialize, de::DeserializeOwned};

use super::settings::RedisSettings;

pub use claims::Claim;
use engine::{Engine, Raw, Value};
pub use grants::Held;
pub use logins::Returned;
pub use records::{ClientAt, Grant, Login, Rate, Registration, UserId};

/// The version of what is written.
const VERSION: &str = "1:";
/// What the sealing keys are derived for.
const LABEL: &str = "mcp-oauth service records 1";

/// Where the service remembers.
pub struct Store {
    engine: Arc<dyn Engine>,
    prefix: String,
    sealer: Sealer,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store(..)")
    }
}

impl Store {
    /// A store in memory: gone with the process.
    ///
    /// # Errors
    /// [`StoreFault`] when the machine has no memory to give.
    pub fn in_memory(secrets: &[Secret]) -> Result<Self, StoreFault> {
        Ok(Self::over(
            Arc::new(embedded::Embedded::in_memory()?),
            "",
            secrets,
        ))
    }

    /// The store in the file at `path`, which is made if it is not there.
    ///
    /// # Errors
    /// [`StoreFault::Misconfigured`] when the file cannot be opened.
    pub fn open(path: &Path, secrets: &[Secret]) -> Result<Self, StoreFault> {
        Ok(Self::over(Arc::new(embedded::Embedded::open(path)?), "", secrets))
    }

    /// The store in Redis. It is first reached when it is needed.
    ///
    /// # Errors
    /// [`StoreFault::Misconfigured`] when the address or the certificates cannot be read.
    pub fn redis(settings: &RedisSettings, secrets: &[Secret]) -> Result<Self, StoreFault> {
        Ok(Self::over(
            Arc::new(redis::Redis::new(settings)?),
            &settings.prefix,
            secrets,
        ))
    }

    fn over(engine: Arc<dyn Engine>, prefix: &str, secrets: &[Secret]) -> Self {
        Self {
            engine,
            prefix: prefix.to_owned(),
            sealer: Sealer::new(secrets, LABEL),
        }
    }

    /// Removes what has ended, and answers how much it was. Redis does so itself.
    ///
    /// # Errors
    /// [`StoreFault::Unavailable`] when the store cannot be written.
    pub async fn sweep(&self, now: Timestamp) -> Result<u64, StoreFault> {
        self.engine.sweep(now).await
    }

    /// Every key is made here: the prefix, what it is, and digests.
    fn key(&self, what: &str, digests: &[&str]) -> String {
        let mut key = format!("{}{what}", self.prefix);
        for digest in digests {
            key.push(':');
            key.push_str(digest);
        }
        key
    }

    async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<(T, Raw)>, StoreFault> {
        let found = self.engine.get(&[key.to_owned()]).await?.pop().flatten();
        found
            .map(|raw| self.opened(key, &raw).map(|record| (record, raw)))
            .transpose()
    }

    fn sealed<T: Serialize>(&self, key: &str, record: &T, ends: Timestamp) -> Result<Value, StoreFault> {
        let text = serde_json::to_vec(record).map_err(|_| StoreFault::Corrupt(key.to_owned()))?;
        let sealed = self.sealer.seal(self.place(key), &text).map_err(|_| {
            StoreFault::Misconfigured("there is no encryption key to seal what is kept".to_owned())
        })?;
        Ok(Value {
            bytes: format!("{VERSION}{sealed}").into_bytes(),
            ends,
        })
    }

    fn opened<T: DeserializeOwned>(&self, key: &str, raw: &[u8]) -> Result<T, StoreFault> {
        let corrupt = || StoreFault::Corrupt(key.to_owned());
        let text = std::str::from_utf8(raw).map_err(|_| corrupt())?;
        let Some(sealed) = text.strip_prefix(VERSION) else {
            let version = text.split_once(':').and_then(|(version, _)| version.parse().ok());
            return Err(version.map_or_else(corrupt, StoreFault::TooNew));
        };
        let opened = self.sealer.open(self.place(key), sealed);
        let opened = opened.map_err(|_| StoreFault::Sealed(key.to_owned()))?;
        serde_json::from_slice(&opened.bytes).map_err(|_| corrupt())
    }

    /// The place that a value is sealed for: its key without the prefix, which an operator may change.
    fn place<'k>(&self, key: &'k str) -> &'k str {
        key.strip_prefix(self.prefix.as_str()).unwrap_or(key)
    }
}

/// The number at the beginning of a value that is not sealed.
fn number(raw: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(raw).ok()?;
    text.split(' ').next()?.parse().ok()
}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// It does not answer.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// It cannot work as it is set up.
    #[error("{0}")]
    Misconfigured(String),
    /// None of the encryption keys opens a record.
    #[error(
        "{0} was sealed under another key: list the old key behind the new one in MCP_CLIENT_ENCRYPTION_KEY"
    )]
    Sealed(String),
    /// A record is damaged.
    #[error("{0} cannot be read")]
    Corrupt(String),
    /// A newer release wrote it.
    #[error("a newer release wrote version {0} of what is kept; this one knows version 1")]
    TooNew(u64),
}
