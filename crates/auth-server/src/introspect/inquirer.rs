//! Who asks ([RFC 7662 §2.1](https://www.rfc-editor.org/rfc/rfc7662#section-2.1)).

use actix_web::HttpRequest;
use mcp_gateway_model::{
    grant::Grant,
    resource::{ResourceUri, Resources},
};

use crate::{
    client_auth::{AuthenticatedClient, Credentials, bearer, identify, not_authenticated, wrong_secret},
    door::Rejection,
    limit::Due,
    presented::{Caller, Presented},
    request::{Context, Parameters},
    settings::ResourceServer,
};

/// What calls are counted as.
const ENDPOINT: &str = "introspect";

/// Who asks about a token.
pub(super) enum Inquirer {
    /// A client, or whoever holds a live token.
    Caller(Caller),
    /// The server behind this resource.
    Resource(ResourceUri),
}

impl Inquirer {
    /// Reads who it is. A resource server's user name is the URI of its resource, its password the configured secret.
    ///
    /// # Errors
    /// `invalid_client`; for a public client too, which has proved nothing.
    pub(super) async fn read(
        context: &Context,
        request: &HttpRequest,
        form: &mut Parameters,
        due: &Due,
    ) -> Result<Self, Rejection> {
        if bearer(request)?.is_some() {
            due.settle(context).await?;
        }
        if let Some(holder) = Caller::holder(context, ENDPOINT, request, form).await? {
            return Ok(Self::Caller(holder));
        }
        let credentials = Credentials::read(request, form)?;
        let servers = &context.server.settings.resource_servers;
        if let Some(server) = resource_server(servers, &credentials.id) {
            let server = authenticate_server(context, server, &credentials).await?;
            // it asks about each request that comes to it
            due.forgive_address();
            return Ok(server);
        }
        let (AuthenticatedClient(client), _) = identify(context, ENDPOINT, &credentials, None, due).await?;
        if client.is_confidential() {
            Ok(Self::Caller(Caller::Client(Box::new(client))))
        } else {
            Err(not_authenticated("public_client"))
        }
    }

    /// Whether the token is one this inquirer may know about.
    pub(super) fn may_know(&self, resources: &Resources, token: &Presented) -> bool {
        match (self, token) {
            (Self::Caller(caller), token) => caller.owns(token.grant()),
            (Self::Resource(_), Presented::Refresh(_)) => false,
            (Self::Resource(own), Presented::Access(access)) => is_meant(resources, own, &access.0.aud),
            (Self::Resource(_), Presented::Personal(grant)) => !self.audiences(resources, grant).is_empty(),
        }
    }

    /// The audiences of a grant that this inquirer may know about: a resource server its own.
    pub(super) fn audiences(&self, resources: &Resources, grant: &Grant) -> Vec<ResourceUri> {
        let all = grant.audiences.iter();
        match self {
            Self::Caller(_) => all.cloned().collect(),
            Self::Resource(own) => all
                .filter(|audience| is_meant(resources, own, audience.as_str()))
                .cloned()
                .collect(),
        }
    }
}

/// Whether `audience` means the resource `own`.
fn is_meant(resources: &Resources, own: &ResourceUri, audience: &str) -> bool {
    let own = resources.of_audience(own.as_str());
    let meant = resources.of_audience(audience);
    own.zip(meant)
        .is_some_and(|(own, meant)| own.identity == meant.identity)
}

fn resource_server<'a>(servers: &'a [ResourceServer], id: &str) -> Option<&'a ResourceServer> {
    let uri = ResourceUri::parse_allowing_http(id).ok()?;
    servers.iter().find(|server| server.resource == uri)
}

async fn authenticate_server(
    context: &Context,
    server: &ResourceServer,
    credentials: &Credentials,
) -> Result<Inquirer, Rejection> {
    let Some(presented) = credentials.secret() else {
        return Err(not_authenticated("secret_missing"));
    };
    if presented.digest() == server.secret.digest() {
        return Ok(Inquirer::Resource(server.resource.clone()));
    }
    wrong_secret(context, &credentials.id).await?;
    Err(not_authenticated("wrong_secret"))
}
