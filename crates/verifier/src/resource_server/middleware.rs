//! The check as a middleware of actix-web.

use std::{fmt, sync::Arc};

use actix_web::{
    Error, HttpMessage,
    body::{BoxBody, MessageBody},
    dev::{RequestHead, ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};
use mcp_gateway_model::scope::ScopeSet;

use super::ResourceServer;
use crate::{
    cors,
    preflight::{self, ALL_METHODS},
};

type Needs = dyn Fn(&RequestHead, &str) -> ScopeSet + Send + Sync;

/// What stands behind [`protect`]: the server, and what its requests need.
#[derive(Clone)]
pub struct Guarded {
    server: Arc<ResourceServer>,
    needs: Arc<Needs>,
}

impl Guarded {
    /// Requests that need what `needs` says, by their head and their path.
    ///
    /// The path is the one that the application routes by, without percent-encoding: `/mcp/%61dmin` leads to the handler of
    /// `/mcp/admin`, and is `/mcp/admin` here too. The one in the head's URI is as it was sent, so decide nothing by that.
    #[must_use]
    pub fn new(
        server: &Arc<ResourceServer>,
        needs: impl Fn(&RequestHead, &str) -> ScopeSet + Send + Sync + 'static,
    ) -> Self {
        Self {
            server: Arc::clone(server),
            needs: Arc::new(needs),
        }
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Lets through whoever holds a token that allows what the request does; who that is lies in the request's extensions as
/// [`TokenHolder`](crate::TokenHolder). Answers preflights of browsers itself. For `actix_web::middleware::from_fn`, around a scope or a
/// resource with a [`Guarded`] as `app_data`.
///
/// # Errors
/// Those of the service inside.
pub async fn protect<B: MessageBody + 'static>(
    guarded: Data<Guarded>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let server = &guarded.server;
    let cors = &server.settings.cors;
    if let Some(answer) = preflight::answer(request.request(), cors, ALL_METHODS) {
        return Ok(request.into_response(answer));
    }
    let needed = (guarded.needs)(request.head(), request.match_info().as_str());
    match server.admit(request.request(), &needed).await {
        Ok(holder) => {
            request.extensions_mut().insert(holder);
            let mut answer = next.call(request).await?.map_into_boxed_body();
            for (name, value) in cors::headers(cors, answer.request()) {
                answer.headers_mut().insert(name, value);
            }
            Ok(answer)
        }
        Err(denied) => {
            let answer = server.respond(request.request(), &denied);
            Ok(request.into_response(answer))
        }
    }
}
