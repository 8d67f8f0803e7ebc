//! Resolves names where strangers name them: once, within bounds, every address judged before one is asked.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    ResolverBuilder, TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
};
use mcp_gateway_model::internet::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{BadSettings, PublicOnly, fault::BadName};

/// How long one question to one name server may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// The most addresses of one name that are looked at.
const MOST: usize = 64;

/// The name servers.
#[derive(Clone)]
pub(super) struct Names(TokioResolver);

impl Names {
    /// Asks `servers`, or without any those of the system.
    pub(super) fn new(servers: &[SocketAddr]) -> Result<Self, BadSettings> {
        let bad = |error: hickory_resolver::net::NetError| BadSettings::Names(error.to_string());
        if servers.is_empty() {
            return bounded(TokioResolver::builder_tokio().map_err(bad)?).map(Self);
        }
        let servers = servers.iter().copied().map(server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        bounded(builder).map(Self)
    }

    /// All addresses of `name`, of both families. The name is taken as it stands: nothing is appended to it.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, BadName> {
        let whole = format!("{}.", name.trim_end_matches('.'));
        let found = self.0.lookup_ip(whole).await.map_err(|_| BadName::Unresolved)?;
        let addresses: Vec<_> = found.iter().take(MOST + 1).collect();
        if addresses.is_empty() || addresses.len() > MOST {
            return Err(BadName::Unresolved);
        }
        Ok(addresses)
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

fn bounded(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<TokioResolver, BadSettings> {
    let options = builder.options_mut();
    options.timeout = PATIENCE;
    options.attempts = 2;
    // Each look-up is judged by itself.
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.case_randomization = true;
    builder
        .build()
        .map_err(|error| BadSettings::Names(error.to_string()))
}

/// Resolves a name, and answers with its addresses only if every one of them may be asked.
pub(super) struct CheckedNames {
    names: Names,
    only: PublicOnly,
    only_allowed: bool,
}

impl CheckedNames {
    /// Lets pass what is public or allowed; if `only_allowed`, what is allowed.
    pub(super) fn new(names: Names, only: &PublicOnly, only_allowed: bool) -> Self {
        Self {
            names,
            only: only.clone(),
            only_allowed,
        }
    }
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, only, only_allowed) = (self.names.clone(), self.only.clone(), self.only_allowed);
        Box::pin(async move {
            let addresses = names.resolve(name.as_str()).await?;
            let may_be_asked =
                |address: &IpAddr| only.allows(*address) || (!only_allowed && is_public(*address));
            if !addresses.iter().all(may_be_asked) {
                return Err(BadName::NotPublic.into());
            }
            let addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
