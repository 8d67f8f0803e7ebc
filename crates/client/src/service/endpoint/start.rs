//! `GET start-authorization`: the address at which a user allows the service to act
//! ([RFC 6749 §4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1), [RFC 7636](https://www.rfc-editor.org/rfc/rfc7636),
//! [RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)).

use actix_web::HttpResponse;
use serde_json::json;
use url::Url;

use super::found;
use crate::{
    authorize::{self, Wanted},
    discover::{self, Challenge, ResourceMetadata, Trail},
    http::Http,
    service::{caller::Caller, client::client_at, fault::Fault, resource::Resource, store::Login},
    words,
};

/// The parameters of an authorization request in the documented order; what a server has in its own address comes first.
const ORDER: [&str; 8] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "resource",
    "state",
    "code_challenge",
    "code_challenge_method",
    "scope",
];

/// Begins a login.
pub(in crate::service) async fn start_authorization(caller: Caller) -> Result<HttpResponse, Fault> {
    let (service, parameters) = (&caller.service, &caller.parameters);
    parameters.target("auth_server_url", &service.http)?;
    let issuer = parameters.require("auth_server_url")?;
    let client_id = parameters.require("client_id")?;
    let resource = Resource::parse(parameters.require("resource")?)?;
    let target = parameters.target("resource", &service.http)?;
    let return_to = parameters.get("return_to").map(|text| {
        let allowed = service.settings.return_to.allow(text).map(Into::into);
        allowed.ok_or_else(|| Fault::request("return_to is none of the addresses that the operator allows."))
    });
    let return_to: Option<String> = return_to.transpose()?;
    let permit = format!("logins {}", caller.user.as_str());
    service
        .keeper
        .permit(&permit, service.settings.limits.logins, caller.now)
        .await?;

    let given = parameters.get("scope").map(checked).transpose()?;
    let ((challenge, metadata), server) = found(service, async {
        let said = said_by(&service.http, &target).await;
        if let Some(metadata) = &said.1 {
            is_named(issuer, metadata)?;
        }
        let server = discover::server(&service.http, issuer, &mut Trail::default()).await?;
        Ok::<_, Fault>((said, server))
    })
    .await?;
    let (client, registration) = client_at(service, &server, (client_id, &caller.user), caller.now).await?;
    let usual = || authorize::initial(challenge.as_ref(), metadata.as_ref(), &server);
    let scope = given
        .or_else(|| usual().map(|scopes| scopes.to_string()))
        .or_else(|| registration?.scope);
    let redirect_uri = service.settings.redirect_uri();
    let wanted = Wanted {
        resource: resource.as_str(),
        // it is sent as it is written
        scopes: None,
        redirect_uri: &redirect_uri,
    };
    let targets = &service.http.settings().targets;
    let (url, pending) = authorize::begin(&server, &client.identity(), wanted, targets, caller.now)?;
    let login = Login {
        user: caller.user.clone(),
        expires_at: caller.now.plus(service.settings.limits.login),
        client,
        pending,
        scope,
        return_to,
    };
    service.keeper.store.begin_login(&login, caller.now).await?;
    let state = login.pending.state.reveal();
    Ok(HttpResponse::Ok()
        .json(json!({ "authorization_url": ordered(&url, login.scope.as_deref()), "state": state })))
}

/// Scopes as a caller writes them ([RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).
fn checked(scope: &str) -> Result<String, Fault> {
    if words::scopes([scope]).iter().count() == scope.split_whitespace().count() {
        return Ok(scope.to_owned());
    }
    Err(Fault::bad(
        "invalid_scope",
        "scope must be words of scopes, each once, separated by spaces.",
    ))
}

/// What a resource says of itself, as far as it does.
async fn said_by(http: &Http, resource: &Url) -> (Option<Challenge>, Option<ResourceMetadata>) {
    let mut trail = Trail::default();
    let challenge = discover::probe(http, resource, &mut trail).await.ok().flatten();
    let found = discover::resource(http, resource, challenge.as_ref(), &mut trail).await;
    (challenge, found.ok().flatten())
}

/// Whether a resource takes this server's tokens: it must be sent no others. That some write its issuer with a slash at the
/// end is theirs to mend, and leads nowhere else.
fn is_named(issuer: &str, metadata: &ResourceMetadata) -> Result<(), Fault> {
    let bare = |text: &str| text.trim_end_matches('/').to_owned();
    let servers = &metadata.authorization_servers;
    if servers.iter().any(|named| bare(named) == bare(issuer)) {
        return Ok(());
    }
    Err(Fault::bad(
        "invalid_target",
        format!(
            "auth_server_url is none of the authorization_servers of {}: {}.",
            words::shown(&metadata.resource),
            words::shown(&servers.join(", "))
        ),
    ))
}

/// The address with its parameters in the documented order: programs and people compare them.
fn ordered(url: &Url, scope: Option<&str>) -> String {
    let place = |name: &str| {
        ORDER
            .iter()
            .position(|known| *known == name)
            .map_or(0, |place| place + 1)
    };
    let mut parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    parameters.extend(scope.map(|scope| ("scope".to_owned(), scope.to_owned())));
    parameters.sort_by_key(|(name, _)| place(name));
    let mut ordered = url.clone();
    ordered.query_pairs_mut().clear().extend_pairs(parameters);
    ordered.into()
}
