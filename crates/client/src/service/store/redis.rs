//! The Redis engine: for several processes at once. Every verb works on one key, so any single Redis or Valkey will do.

mod inspect;

use std::{sync::LazyLock, time::Duration};

use async_trait::async_trait;
use mcp_gateway_model::clock::Timestamp;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError, Script,
    ServerErrorKind, TlsCertificates, aio::MultiplexedConnection, cmd,
};
use tokio::sync::Mutex;

use super::{
    StoreFault,
    engine::{Answer, Engine, Raw, Value},
};
use crate::service::settings::RedisSettings;

/// How long a connection, and each answer, may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// If `ARGV[1]` says so, a value is held: exactly `ARGV[2]`. Then it is replaced by `ARGV[3]` for `ARGV[4]` milliseconds, or
/// removed if that is 0.
static SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local held = redis.call('GET', KEYS[1])
        if ARGV[1] == '1' then
            if held ~= ARGV[2] then return 0 end
        elseif held then
            return 0
        end
        if ARGV[4] == '0' then
            redis.call('DEL', KEYS[1])
        else
            redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
        end
        return 1",
    )
});

/// The engine for several processes.
pub(super) struct Redis {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Redis {
    /// A store that is first reached when it is needed.
    pub(super) fn new(settings: &RedisSettings) -> Answer<Self> {
        let misread = |_| {
            StoreFault::Misconfigured(
                "the address of Redis must look like redis://host:6379/0 or rediss://host:6379/0".to_owned(),
            )
        };
        let mut info = settings.url.reveal().into_connection_info().map_err(misread)?;
        if let Some(password) = &settings.password {
            let login = info.redis_settings().clone().set_password(password.reveal());
            info = info.set_redis_settings(login);
        }
        let is_tls = matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        let client = match settings.ca.clone().filter(|_| is_tls) {
            None => Client::open(info).map_err(misread)?,
            Some(ca) => {
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert: Some(ca),
                };
                Client::build_with_tls(info, certificates).map_err(|_| {
                    StoreFault::Misconfigured("the certificates for Redis cannot be read".to_owned())
                })?
            }
        };
        Ok(Self {
            client,
            connection: Mutex::new(None),
        })
    }

    /// The connection that all share.
    async fn connection(&self) -> Answer<MultiplexedConnection> {
        let mut shared = self.connection.lock().await;
        if let Some(connection) = &*shared {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        // it is large, and rare
        let made = Box::pin(self.client.get_multiplexed_async_connection_with_config(&config)).await;
        let made = made.map_err(|error| fault(&error))?;
        *shared = Some(made.clone());
        Ok(made)
    }

    /// What an error means; the next call makes a new connection unless Redis itself said no.
    async fn failed(&self, error: RedisError) -> StoreFault {
        if error.code().is_none() {
            *self.connection.lock().await = None;
        }
        fault(&error)
    }
}

#[async_trait]
impl Engine for Redis {
    async fn get(&self, keys: &[String]) -> Answer<Vec<Option<Raw>>> {
        let mut connection = self.connection().await?;
        match cmd("MGET").arg(keys).query_async(&mut connection).await {
            Ok(found) => Ok(found),
            Err(error) => Err(self.failed(error).await),
        }
    }

    async fn put(&self, key: &str, value: Value, now: Timestamp) -> Answer<()> {
        let mut connection = self.connection().await?;
        let mut set = cmd("SET");
        set.arg(key).arg(value.bytes).arg("PX").arg(life(value.ends, now));
        match set.query_async(&mut connection).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failed(error).await),
        }
    }

    async fn swap(&self, key: &str, held: Option<Raw>, then: Option<Value>, now: Timestamp) -> Answer<bool> {
        let mut connection = self.connection().await?;
        let mut call = SWAP.prepare_invoke();
        call.key(key)
            .arg(u8::from(held.is_some()))
            .arg(held.unwrap_or_default());
        match then {
            Some(value) => call.arg(value.bytes).arg(life(value.ends, now)),
            None => call.arg("").arg(0),
        };
        match call.invoke_async(&mut connection).await {
            Ok(done) => Ok(done),
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// Redis sweeps itself.
    async fn sweep(&self, _: Timestamp) -> Answer<u64> {
        Ok(0)
    }

    async fn inspect(&self, now: Timestamp) -> Answer<Vec<String>> {
        let mut connection = self.connection().await?;
        match inspect::inspect(&mut connection, now).await {
            Ok(warnings) => Ok(warnings),
            Err(error) => Err(self.failed(error).await),
        }
    }
}

/// How long Redis keeps what may go at `ends`, in milliseconds.
fn life(ends: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.until(ends).as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

/// What an error means. Redis names commands, users and reasons, never a password.
fn fault(error: &RedisError) -> StoreFault {
    let is_refusal = matches!(
        error.kind(),
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm)
    ) || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
    if is_refusal {
        StoreFault::Misconfigured(format!("Redis refuses: {error}"))
    } else {
        StoreFault::Unavailable(error.to_string())
    }
}
