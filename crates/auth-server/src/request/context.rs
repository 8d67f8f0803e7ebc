//! The circumstances of a request: when, from where, under which name.

use std::{
    future::{Ready, ready},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, dev::Payload, error::ErrorInternalServerError, http::header, web,
};
use mcp_gateway_model::{clock::Timestamp, id::RequestId};

use crate::state::AuthServer;

/// The circumstances of a request, read once.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The server.
    pub(crate) server: Arc<AuthServer>,
    /// When it came.
    pub(crate) now: Timestamp,
    /// The address of the client, through trusted proxies.
    pub(crate) address: IpAddr,
    /// Its name.
    pub(crate) request_id: RequestId,
}

impl FromRequest for Context {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(read(request))
    }
}

fn read(request: &HttpRequest) -> Result<Context, actix_web::Error> {
    let server = request
        .app_data::<web::Data<AuthServer>>()
        .ok_or_else(|| ErrorInternalServerError("the authorization server is not mounted"))?;
    let server = Arc::clone(server);
    let forwarded: Vec<_> = request
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|v| v.to_str().ok())
        .collect();
    let peer = request
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let address = server
        .settings
        .trusted_proxies
        .client_address(peer, &forwarded.join(","));
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .cloned()
        .unwrap_or_else(RequestId::generate);
    Ok(Context {
        now: server.clock.now(),
        address,
        request_id,
        server,
    })
}

impl Context {
    /// The value of the `Origin` header, if there is one.
    pub(crate) fn origin(request: &HttpRequest) -> Option<&str> {
        request
            .headers()
            .get(header::ORIGIN)
            .and_then(|v| v.to_str().ok())
    }
}
