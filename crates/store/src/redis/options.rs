//! How Redis is reached.

use std::{fmt, fs, path::PathBuf, time::Duration};

use mcp_gateway_model::secret::Secret;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, TlsCertificates};

use crate::verbs::StoreError;

/// How Redis is reached. It has no `Debug` text beyond its name: the address may hold a password.
pub struct RedisOptions {
    /// `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS.
    pub url: String,
    /// The password, if it does not stand in the address.
    pub password: Option<Secret>,
    /// What every key begins with.
    pub prefix: String,
    /// A PEM file of certificate authorities to trust, instead of the system's.
    pub tls_ca_file: Option<PathBuf>,
    /// How many connections the authorization server may have.
    pub pool_size: usize,
    /// How many replicas have to acknowledge a write; 0 for a single Redis.
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
    /// The usual options for the Redis at `url`: prefix `mcpgw:`, 16 connections, answers within a second.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            prefix: "mcpgw:".into(),
            tls_ca_file: None,
            pool_size: 16,
            wait_replicas: 0,
            timeout: Duration::from_secs(1),
        }
    }

    /// The address, with the password and the certificates in it.
    pub(crate) fn address(&self) -> Result<ConnectionInfo, StoreError> {
        let info = self
            .url
            .as_str()
            .into_connection_info()
            .map_err(|_| misunderstood())?;
        let mut login = info.redis_settings().clone().set_skip_set_lib_name();
        if let Some(password) = &self.password {
            if login.password().is_some_and(|other| other != password.reveal()) {
                return Err(StoreError::Misconfigured(
                    "REDIS_PASSWORD and the password in REDIS_URL differ; leave one of them out".into(),
                ));
            }
            login = login.set_password(password.reveal());
        }
        self.with_tls(info.set_redis_settings(login))
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

    /// Answers may take twice as long on the wire as Redis may wait for replicas.
    pub(super) fn connection(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
    }
}

/// Whatever is wrong with an address: what it should look like, never what it is.
pub(super) fn misunderstood() -> StoreError {
    StoreError::Misconfigured(
        "REDIS_URL cannot be understood; it looks like redis://[user:password@]host[:port][/database], or rediss:// \
         for TLS"
            .into(),
    )
}
