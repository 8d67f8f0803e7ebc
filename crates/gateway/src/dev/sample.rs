//! The sample MCP server: behind the gateway, or at an address of its own, where it protects itself.

use std::{fmt::Display, net::TcpListener, path::Path, sync::Arc};

use mcp_gateway_auth_server::settings::ResourceServer;
use mcp_gateway_model::{
    clock::SystemClock,
    resource::ResourceUri,
    secret::{Secret, random_text},
};
use mcp_gateway_sandbox::mcp::{Items, Options, Protection, RunningSample, SampleServer};

use super::layout::Place;
use crate::{
    config::{Config, Faults},
    failure::Failure,
    serve,
};

/// The sample MCP server with an address of its own, where it protects itself.
pub(super) struct Alone {
    listener: TcpListener,
    /// What it goes by, and the audience of its tokens.
    pub(super) uri: ResourceUri,
}

impl Alone {
    /// Takes the address.
    ///
    /// # Errors
    /// [`Failure::Runtime`] when the port is taken.
    pub(super) fn bind(place: &Place) -> Result<Self, Failure> {
        let option = "--mcp-port or MCP_SERVER_PORT";
        let listener = serve::bind_for(&place.address.to_string(), place.port, option)?;
        let port = listener.local_addr().map_err(Failure::runtime)?.port();
        let uri = ResourceUri::parse(&place.origin(port)).map_err(Failure::runtime)?;
        Ok(Self { listener, uri })
    }

    /// How it protects itself; the authorization server is told the secret with which it asks about tokens.
    ///
    /// # Errors
    /// [`Failure::Configuration`] for tokens that only who makes them can check.
    pub(super) fn protect(&self, config: &mut Config) -> Result<Protection, Failure> {
        if config.signing.algorithm.is_symmetric() {
            let mut faults = Faults::default();
            faults.add(
                "JWT_ALGORITHM",
                "HS256 works with one process only: a server that checks tokens itself could mint them; use RS256",
            );
            return Err(faults.into());
        }
        let secret = random_text::<32>();
        config.resource_servers.push(ResourceServer {
            resource: self.uri.clone(),
            secret: Secret::presented(secret.clone()),
        });
        Protection::alone(
            config.issuer.clone(),
            self.uri.clone(),
            Secret::presented(secret),
            Arc::new(SystemClock),
        )
        .map_err(Failure::runtime)
    }
}

/// Starts it: at its own address, or at any, for the gateway alone; with its data where the rest of the state is.
///
/// # Errors
/// [`Failure::Runtime`] when its data cannot be opened.
pub(super) fn start(
    protection: Protection,
    alone: Option<Alone>,
    data_dir: Option<&Path>,
) -> Result<RunningSample, Failure> {
    let failed =
        |error: &dyn Display| Failure::Runtime(format!("the sample MCP server cannot start: {error}"));
    let items = data_dir.map(|directory| Items::open(&directory.join("sample")));
    let allowed_hosts = alone
        .as_ref()
        .and_then(|alone| alone.listener.local_addr().ok())
        .map(|address| ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{}", address.port())));
    let sample = SampleServer::new(Options {
        allowed_hosts: allowed_hosts.into_iter().flatten().collect(),
        protection,
        items: items
            .transpose()
            .map_err(|error| failed(&error))?
            .unwrap_or_default(),
        ..Options::default()
    });
    let started = match alone {
        Some(alone) => sample.start_at(alone.listener),
        None => sample.start(),
    };
    started.map_err(|error| failed(&error))
}
