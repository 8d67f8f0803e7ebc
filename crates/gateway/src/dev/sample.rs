//! The sample MCP server: behind the gateway, or at an address of its own, where it protects itself.

use std::{
    fmt::Display,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    sync::Arc,
};

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

/// Starts it: at its own address, or at any, for the gateway alone, which shows `proof` that it is the gateway; with its data where
/// the rest of the state is.
///
/// # Errors
/// [`Failure::Runtime`] when its data cannot be opened.
pub(super) fn start(
    protection: Protection,
    alone: Option<Alone>,
    proof: &Secret,
    data_dir: Option<&Path>,
) -> Result<RunningSample, Failure> {
    let failed =
        |error: &dyn Display| Failure::Runtime(format!("the sample MCP server cannot start: {error}"));
    let items = data_dir.map(|directory| Items::open(&directory.join("sample")));
    // it answers to the one name that is its resource's: under another of this machine's nobody could log in, and under a foreign one
    // a page could read what it keeps
    let (listener, host, proof) = if let Some(Alone { listener, uri }) = alone {
        (listener, uri.authority().to_owned(), None)
    } else {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        (listener, address.to_string(), Some(proof.digest()))
    };
    let sample = SampleServer::new(Options {
        allowed_hosts: vec![host],
        proof,
        protection,
        items: items
            .transpose()
            .map_err(|error| failed(&error))?
            .unwrap_or_default(),
        ..Options::default()
    });
    sample.start_at(listener).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use reqwest::{Client, StatusCode};

    use super::*;

    #[tokio::test]
    async fn behind_the_gateway_it_believes_the_gateway_and_nobody_else_on_the_machine() {
        let proof = Secret::presented("shown".into());
        let sample = start(Protection::Behind, None, &proof, None).unwrap();
        let url = format!("{}/api/data", sample.url());
        let client = Client::builder().no_proxy().build().unwrap();
        let ask = || {
            let request = client.get(&url).header("x-user-id", "583231");
            request.header("x-auth-scope", "admin")
        };
        let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status();
        assert_eq!(status(ask()).await, StatusCode::FORBIDDEN);
        let shown = || ask().header("x-gateway-proof", "shown");
        assert_eq!(status(shown()).await, StatusCode::OK);
        let rebound = shown().header("host", "rebound.example.com");
        assert_eq!(status(rebound).await, StatusCode::FORBIDDEN);
        sample.stop().await;
    }
}
