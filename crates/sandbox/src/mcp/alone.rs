//! Alone: the server checks each token itself, with the verifier's middleware.

use std::sync::Arc;

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderValue},
    web::ServiceConfig,
};
use futures_util::{FutureExt, future::LocalBoxFuture};
use mcp_gateway_model::{
    clock::Clock,
    cors::CorsOrigins,
    issuer::Issuer,
    resource::ResourceUri,
    scope::{Hierarchy, ScopeSet},
    secret::Secret,
};
use mcp_gateway_verifier::{Denied, NoClient, ResourceServer, ResourceServerSettings, TokenHolder};

use super::{
    caller::Caller,
    protection::{Guard, Protection, Refusal},
};

/// Checks tokens against the issuer that gives them out.
#[derive(Clone, Debug)]
struct Tokens(Arc<ResourceServer>);

impl Protection {
    /// The server stands alone: it takes tokens that `issuer` made for `uri`, which is the server's own origin, and asks the
    /// issuer about each of them with `secret`.
    ///
    /// # Errors
    /// [`NoClient`] when no HTTP client can be made.
    pub fn alone(
        issuer: Issuer,
        uri: ResourceUri,
        secret: Secret,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, NoClient> {
        let settings = ResourceServerSettings {
            issuer,
            uri,
            name: Some("Sample MCP server".into()),
            scopes: ScopeSet::usual(),
            hierarchy: Hierarchy::default(),
            secret,
            cors: CorsOrigins::Any,
        };
        let server = Arc::new(ResourceServer::new(settings, clock)?);
        Ok(Self::Alone(Arc::new(Tokens(server))))
    }
}

impl Guard for Tokens {
    fn caller<'r>(&'r self, request: &'r HttpRequest) -> LocalBoxFuture<'r, Result<Option<Caller>, Refusal>> {
        async {
            let holder = self
                .0
                .identify(request)
                .await
                .map_err(|denied| refusal(&denied))?;
            Ok(holder.map(caller))
        }
        .boxed_local()
    }

    fn unauthenticated(&self, request: &HttpRequest, scopes: &[&str]) -> Refusal {
        refusal(&self.0.unauthenticated(request, &set(scopes))).naming(scopes)
    }

    fn insufficient(&self, request: &HttpRequest, scopes: &[&str]) -> Refusal {
        refusal(&self.0.insufficient(request, &set(scopes))).naming(scopes)
    }

    fn resource_metadata(&self) -> Option<String> {
        // that of the whole server: the tool is called at several addresses
        Some(self.0.metadata_url("/"))
    }

    fn configure(&self, routes: &mut ServiceConfig) {
        routes.configure(self.0.configure());
    }
}

/// A person under GitHub's number, or the client that acts for itself.
fn caller(holder: TokenHolder) -> Caller {
    Caller {
        user: holder.subject,
        name: Some(holder.username).filter(|name| !name.is_empty()),
        client: Some(holder.client),
        scopes: holder.scopes,
    }
}

/// What the verifier says, in the words of this server.
fn refusal(denied: &Denied) -> Refusal {
    let mut refusal = Refusal::new(denied.status(), denied.description())
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(challenge) = denied.challenge() {
        refusal = refusal.with(header::WWW_AUTHENTICATE, challenge.clone());
    }
    if let Some(seconds) = denied.retry_after() {
        refusal = refusal.with(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    refusal
}

/// The scopes that this server knows are written as scopes are.
fn set(scopes: &[&str]) -> ScopeSet {
    ScopeSet::parse(&scopes.join(" ")).unwrap_or_default()
}
