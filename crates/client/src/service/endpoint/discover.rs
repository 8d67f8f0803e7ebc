//! `GET discover-resource`, `GET discover-auth-server`: the documents as their servers publish them, once they are checked.

use actix_web::HttpResponse;
use serde_json::{Value, json};
use url::Url;

use super::found;
use crate::{
    discover::{self, Question, Trail},
    http::HttpFault,
    service::{caller::Caller, fault::Fault},
};

/// Protected resource metadata ([RFC 9728](https://www.rfc-editor.org/rfc/rfc9728)): where the server's challenge says, else
/// at the well-known addresses. A server of revision 2025-03-26 has none, and is its own authorization server.
pub(in crate::service) async fn discover_resource(caller: Caller) -> Result<HttpResponse, Fault> {
    let url = caller.parameters.target("resource_url", &caller.service.http)?;
    found(&caller.service, resource_of(&caller, url)).await
}

async fn resource_of(caller: &Caller, url: Url) -> Result<HttpResponse, Fault> {
    let http = &caller.service.http;
    let mut trail = Trail::default();
    let challenge = match discover::probe(http, &url, &mut trail).await {
        Err(fault @ HttpFault::Refused(_)) => return Err(Fault::of_call(url.as_str(), &fault)),
        // its metadata may be there all the same
        Err(_) => None,
        Ok(challenge) => challenge,
    };
    if discover::resource(http, &url, challenge.as_ref(), &mut trail)
        .await?
        .is_some()
    {
        return published(&trail, |question| matches!(question, Question::Resource(_)));
    }
    let mut origin = url.clone();
    origin.set_path("/");
    origin.set_query(None);
    match discover::legacy(http, &origin, &mut trail).await? {
        (server, true) => Ok(HttpResponse::Ok().json(json!({
            "authorization_servers": [server.issuer],
            "resource": caller.parameters.require("resource_url")?,
        }))),
        _ => Err(Fault::bad_gateway(format!(
            "{url} publishes no protected resource metadata (RFC 9728), and its origin is no authorization server."
        ))),
    }
}

/// Authorization server metadata ([RFC 8414](https://www.rfc-editor.org/rfc/rfc8414)) of an issuer, which is compared byte
/// for byte.
pub(in crate::service) async fn discover_auth_server(caller: Caller) -> Result<HttpResponse, Fault> {
    let http = &caller.service.http;
    caller.parameters.target("auth_server_url", http)?;
    let issuer = caller.parameters.require("auth_server_url")?;
    let mut trail = Trail::default();
    found(&caller.service, discover::server(http, issuer, &mut trail)).await?;
    published(&trail, |question| matches!(question, Question::Server(_)))
}

/// The document that was used, with all its members.
fn published(trail: &Trail, is_meant: impl Fn(Question) -> bool) -> Result<HttpResponse, Fault> {
    let answer = trail.used(is_meant).and_then(|step| step.answer.as_ref());
    let document = answer.and_then(|answer| answer.json::<Value>().ok());
    let document = document.ok_or_else(|| Fault::server("a document that was used is gone"))?;
    Ok(HttpResponse::Ok().json(document))
}
