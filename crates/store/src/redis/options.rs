//! How Redis is reached.

use std::{fmt, fs, path::PathBuf, time::Duration};

use mcp_gateway_model::secret::Secret;
use redis::{Client, ConnectionInfo, RedisConnectionInfo, TlsCertificates};

use super::{
    address::{Address, Place, RedisKind},
    cluster::Cluster,
    lease::{Leases, Terms},
    node::Dialer,
    route::Route,
    sentinel::Sentinels,
};
use crate::{keys::Keys, verbs::StoreError};

/// How Redis is reached. It has no `Debug` text beyond its name: the address may hold a password.
pub struct RedisOptions {
    /// `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS;
    /// `redis+sentinel://[user[:password]@]host[:port],.../master[/database]` names the sentinels that know the master, and
    /// `redis+cluster://[user[:password]@]host[:port],...` some nodes of a cluster, both with `rediss` for TLS.
    pub url: String,
    /// The password, if it does not stand in the address.
    pub password: Option<Secret>,
    /// The password of the sentinels themselves, if they want one.
    pub sentinel_password: Option<Secret>,
    /// What every key begins with.
    pub prefix: String,
    /// A PEM file of certificate authorities to trust, instead of the system's.
    pub tls_ca_file: Option<PathBuf>,
    /// How many connections each thread of the authorization server may have to a node; where one Redis has all keys and no
    /// write waits for replicas, it has one.
    pub pool_size: usize,
    /// How many replicas have to acknowledge a write; 0 for a single Redis. Where it is not 0, and outside a cluster, what a
    /// master answers is believed only while that many acknowledge a small write of this process.
    pub wait_replicas: u32,
    /// How long a connection, and each answer, may take.
    pub timeout: Duration,
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisOptions(..)")
    }
}

impl RedisOptions {
    /// The usual options for the Redis at `url`: prefix `mcpgw:`, at most 16 connections to a node, answers within a second; with
    /// Sentinel one replica has to acknowledge a write.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let url = url.into();
        let wait_replicas = u32::from(RedisKind::of(&url) == Ok(RedisKind::Sentinel));
        Self {
            url,
            password: None,
            sentinel_password: None,
            prefix: "mcpgw:".into(),
            tls_ca_file: None,
            pool_size: 16,
            wait_replicas,
            timeout: Duration::from_secs(1),
        }
    }

    /// The way there.
    pub(super) fn reach(&self) -> Result<Reach, StoreError> {
        let Address { place, template } = Address::parse(&self.url).map_err(misunderstood)?;
        let template = self.with_tls(self.with_login(template)?)?;
        let dialer = Dialer::new(template.clone(), self.timeout);
        let route = match place {
            Place::One(node) => Route::One(node),
            Place::Sentinels { asked, master } => {
                if self.wait_replicas == 0 {
                    return Err(StoreError::Misconfigured(NO_REPLICAS.into()));
                }
                Route::Sentinels(Sentinels::new(self.sentinel_dialer(template), asked, master))
            }
            Place::Cluster { seeds } => Route::Cluster(Cluster::new(dialer.clone(), seeds)),
        };
        Ok(Reach { route, dialer })
    }

    /// The address of a single Redis, with the password and the certificates in it.
    #[cfg(feature = "testing")]
    pub(crate) fn address(&self) -> Result<ConnectionInfo, StoreError> {
        let template = Address::parse(&self.url).map_err(misunderstood)?.template;
        self.with_tls(self.with_login(template)?)
    }

    /// The leases on what a master says that replicas may have replaced. A cluster has its own way to tell one that is cut off,
    /// by `cluster-node-timeout`, and nothing is remembered of it.
    pub(super) fn leases(&self, route: &Route, keys: &Keys) -> Option<Leases> {
        let is_needed = self.wait_replicas > 0 && !matches!(route, Route::Cluster(_));
        is_needed.then(|| {
            Leases::new(Terms {
                key: keys.lease(),
                replicas: self.wait_replicas,
            })
        })
    }

    fn with_login(&self, info: ConnectionInfo) -> Result<ConnectionInfo, StoreError> {
        let mut login = info.redis_settings().clone().set_skip_set_lib_name();
        if let Some(password) = &self.password {
            if login.password().is_some_and(|other| other != password.reveal()) {
                return Err(StoreError::Misconfigured(
                    "REDIS_PASSWORD and the password in REDIS_URL differ; leave one of them out".into(),
                ));
            }
            login = login.set_password(password.reveal());
        }
        Ok(info.set_redis_settings(login))
    }

    /// Sentinels are reached like Redis itself, but with a password of their own.
    fn sentinel_dialer(&self, template: ConnectionInfo) -> Dialer {
        let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(password) = &self.sentinel_password {
            login = login.set_password(password.reveal());
        }
        Dialer::new(template.set_redis_settings(login), self.timeout / 2)
    }

    fn with_tls(&self, info: ConnectionInfo) -> Result<ConnectionInfo, StoreError> {
        let redis::ConnectionAddr::TcpTls { insecure, .. } = info.addr() else {
            return if self.tls_ca_file.is_some() {
                Err(StoreError::Misconfigured(
                    "a certificate file for Redis needs an address that begins with rediss://".into(),
                ))
            } else {
                Ok(info)
            };
        };
        if *insecure {
            return Err(StoreError::Misconfigured(
                "the certificate of Redis is always checked; remove #insecure from REDIS_URL".into(),
            ));
        }
        // a process that has chosen its provider keeps it
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let root_cert = match &self.tls_ca_file {
            None => return Ok(info),
            Some(path) => fs::read(path).map_err(|e| {
                StoreError::Misconfigured(format!(
                    "the certificate file {} cannot be read: {e}",
                    path.display()
                ))
            })?,
        };
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(root_cert),
        };
        Client::build_with_tls(info, certificates)
            .map(|client| client.get_connection_info().clone())
            .map_err(|_| {
                StoreError::Misconfigured("the certificate file for Redis holds no certificate".into())
            })
    }
}

/// Which Redis to ask, and how connections are made.
pub(super) struct Reach {
    pub(super) route: Route,
    pub(super) dialer: Dialer,
}

const NO_REPLICAS: &str = "with Sentinel at least one replica has to acknowledge a write: otherwise a master that was \
                           replaced cannot be told from the real one; set REDIS_WAIT_REPLICAS to 1 or more";

/// What is wrong with an address; never what it is.
fn misunderstood(fault: &'static str) -> StoreError {
    StoreError::Misconfigured(format!("REDIS_URL {fault}"))
}
