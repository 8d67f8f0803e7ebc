//! One Redis process among several: where it is, and how a connection to it is made.

use std::{fmt, sync::Arc, time::Duration};

use deadpool_redis::Manager;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, ProtocolVersion, PushInfo,
    RedisResult, aio::MultiplexedConnection, cmd,
};

use super::faults::map;
use crate::{engine::Answer, verbs::StoreError};

/// Where a Redis or a sentinel listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) host: Arc<str>,
    pub(super) port: u16,
}

impl Node {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// What `address` names, if it is a host and a port.
    pub(super) fn of(address: &ConnectionAddr) -> Option<Self> {
        match address {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Some(Self::new(host, *port))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Makes connections: the user, the password, the database, the certificates and the time limits are the same at each node.
#[derive(Clone)]
pub(super) struct Dialer {
    template: ConnectionInfo,
    timeout: Duration,
}

impl Dialer {
    pub(super) const fn new(template: ConnectionInfo, timeout: Duration) -> Self {
        Self { template, timeout }
    }

    /// How long a connection, and each answer, may take.
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What leads to `node`.
    fn to(&self, node: &Node) -> ConnectionInfo {
        let (host, port) = (node.host.to_string(), node.port);
        let address = match self.template.addr() {
            ConnectionAddr::TcpTls {
                insecure, tls_params, ..
            } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(host, port),
        };
        self.template.clone().set_addr(address)
    }

    /// A new connection to `node`.
    pub(super) async fn dial(&self, node: &Node) -> RedisResult<MultiplexedConnection> {
        self.dial_with(node, AsyncConnectionConfig::new()).await
    }

    /// A new connection to `node` on which Redis also says what nobody asked.
    pub(super) async fn dial_and_hear(
        &self,
        node: &Node,
        hear: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_push_sender(move |push: PushInfo| {
            hear(push);
            Ok::<(), ()>(())
        });
        self.speaking_resp3().dial_with(node, config).await
    }

    /// Sees to it that Redis wants the password, where there is one without a user. The newer protocol logs in with a user, and a user
    /// without a password takes any.
    pub(super) async fn prove(&self, connection: &mut MultiplexedConnection) -> Answer<()> {
        let login = self.template.redis_settings();
        let (None, Some(password)) = (login.username(), login.password()) else {
            return Ok(());
        };
        let proven = cmd("AUTH").arg(password).exec_async(connection).await;
        proven.map_err(|fault| match fault.kind() {
            ErrorKind::Server(_) => StoreError::Refused(fault.to_string()),
            _ => map(&fault, ""),
        })
    }

    /// What makes the connections of a pool to `node`.
    pub(super) fn manager(&self, node: &Node) -> RedisResult<Manager> {
        Manager::new_with_config(self.to(node), self.limited(AsyncConnectionConfig::new()))
    }

    async fn dial_with(
        &self,
        node: &Node,
        config: AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let client = Client::open(self.to(node))?;
        // it is large, and rare
        Box::pin(client.get_multiplexed_async_connection_with_config(&self.limited(config))).await
    }

    /// `config` with the time limits.
    fn limited(&self, config: AsyncConnectionConfig) -> AsyncConnectionConfig {
        config
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
    }

    /// The same in the newer protocol, in which Redis may speak unasked.
    fn speaking_resp3(&self) -> Self {
        let login = self.template.redis_settings().clone();
        let login = login.set_protocol(ProtocolVersion::RESP3);
        Self::new(self.template.clone().set_redis_settings(login), self.timeout)
    }
}
