//! Resolves names: once, within bounds, without a thread that waits.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    ResolverBuilder, TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
};

use super::{BadFetcher, FetchFault, fault::NameFault};

/// How long one question to one name server may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most addresses of one name that are looked at.
const MOST: usize = 64;

/// The name servers.
#[derive(Clone)]
pub(super) struct Names(Option<TokioResolver>);

impl Names {
    /// Asks `servers`, or without any those of the system; a system that has none resolves nothing.
    pub(super) fn new(servers: &[SocketAddr]) -> Result<Self, BadFetcher> {
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio()
        } else {
            let servers = servers.iter().copied().map(server).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            builder.options_mut().use_hosts_file = ResolveHosts::Never;
            Ok(builder)
        };
        match builder {
            Ok(builder) => bounded(builder).map(Some).map(Self),
            Err(error) => {
                tracing::warn!(%error, "no name server is configured: set FETCH_DNS_SERVERS");
                Ok(Self(None))
            }
        }
    }

    /// All addresses of `name`, of both families. The name is taken as it stands: nothing is appended to it.
    pub(super) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, FetchFault> {
        const NO_ADDRESS: FetchFault = FetchFault::Name(NameFault::Unresolved);
        let resolver = self.0.as_ref().ok_or(NO_ADDRESS)?;
        let whole = format!("{}.", name.trim_end_matches('.'));
        let found = resolver.lookup_ip(whole).await.map_err(|_| NO_ADDRESS)?;
        let addresses: Vec<_> = found.iter().take(MOST + 1).collect();
        if addresses.is_empty() || addresses.len() > MOST {
            return Err(NO_ADDRESS);
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

fn bounded(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<TokioResolver, BadFetcher> {
    let options = builder.options_mut();
    options.timeout = PATIENCE;
    options.attempts = 2;
    // Each look-up is judged by itself.
    options.cache_size = 0;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.case_randomization = true;
    builder
        .build()
        .map_err(|error| BadFetcher::Names(error.to_string()))
}
