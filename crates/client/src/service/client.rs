//! The client that the service is at an authorization server.

use std::time::Duration;

use mcp_gateway_model::clock::Timestamp;
use url::Url;

use super::{
    Service, authority,
    fault::Fault,
    store::{ClientAt, Registration, UserId},
};
use crate::discover::ServerMetadata;

/// How a client of this service can prove itself, the first of what a server lists before the others.
pub(super) const AUTH_METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];
/// After how long a registration that is used is kept anew.
const KEPT_ANEW: Duration = Duration::from_secs(86_400);

/// A client at an authorization server: with its secret, if it was registered there through the service. A server that names
/// another one's registration endpoint as its own gets no secret of it. Where it is not known which server a client is of, its
/// secret is for the user alone who had it registered.
///
/// # Errors
/// A [`Fault`] when the server has no token endpoint, or the store does not answer.
pub(super) async fn client_at(
    service: &Service,
    server: &ServerMetadata,
    (client_id, user): (&str, &UserId),
    now: Timestamp,
) -> Result<(ClientAt, Option<Registration>), Fault> {
    let lacks = || Fault::bad_gateway(format!("{} publishes no token_endpoint.", server.issuer));
    let token_endpoint = server.token_endpoint.as_ref().ok_or_else(lacks)?;
    authority::bounded(&server.issuer, "token_endpoint", Some(token_endpoint.as_str()))?;
    let store = &service.keeper.store;
    let found = match &server.registration_endpoint {
        None => Vec::new(),
        Some(endpoint) => {
            let (named, whose) = ((endpoint.as_str(), client_id), (user, server.issuer.as_str()));
            store.clients(named, whose, now).await?
        }
    };
    let registration = found.into_iter().find(|one| is_of(one, server));
    if let Some(registration) = &registration {
        keep(service, registration, user, now).await?;
    }
    let known = registration.as_ref();
    let client = ClientAt {
        issuer: server.issuer.clone(),
        token_endpoint: token_endpoint.as_str().to_owned(),
        client_id: client_id.to_owned(),
        client_secret: known.and_then(|one| one.client_secret.clone()),
        auth_method: known.and_then(|one| one.auth_method.clone().or_else(|| usual(server))),
        registration: known.map(|one| one.request),
    };
    Ok((client, registration))
}

/// Keeps a registration that a user uses.
///
/// # Errors
/// A [`Fault`] when the store does not answer.
pub(super) async fn keep(
    service: &Service,
    registration: &Registration,
    user: &UserId,
    now: Timestamp,
) -> Result<(), Fault> {
    if !registration.kept_at.plus(KEPT_ANEW).has_passed(now) {
        return Ok(());
    }
    let registration = Registration {
        kept_at: now,
        ..registration.clone()
    };
    let ends = now.plus(service.settings.limits.unused_registration);
    let store = &service.keeper.store;
    store.put_registration(&registration, ends, now).await?;
    Ok(store.put_client(user, &registration, ends, now).await?)
}

fn is_of(registration: &Registration, server: &ServerMetadata) -> bool {
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
    if let Some(issuer) = &registration.issuer {
        return *issuer == server.issuer;
    }
    let ours = origin(&registration.endpoint);
    let token_endpoint = server.token_endpoint.as_ref().map(Url::origin);
    ours.is_some() && ours == origin(&server.issuer) && ours == token_endpoint
}

/// How a client proves itself where neither its registration nor the answer to that says so ([RFC 8414
/// §2](https://www.rfc-editor.org/rfc/rfc8414#section-2)).
fn usual(server: &ServerMetadata) -> Option<String> {
    let listed = server.token_endpoint_auth_methods_supported.as_ref()?;
    let is_listed = |method: &&str| listed.iter().any(|one| one == method);
    AUTH_METHODS.into_iter().find(is_listed).map(ToOwned::to_owned)
}
