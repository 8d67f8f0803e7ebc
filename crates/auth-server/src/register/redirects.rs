//! Which of the redirect URIs that a client names are registered.

use mcp_gateway_model::{
    client::AuthMethod,
    error::ErrorCode,
    issuer::{Issuer, is_loopback},
    redirect::{RedirectKind, RedirectUri},
};

use super::metadata::Rules;
use crate::door::Rejection;

/// The most redirect URIs a client may have.
const MOST: usize = 20;

/// The acceptable ones, in the client's order. Real clients name several at once, of which some are not for us.
///
/// # Errors
/// `invalid_redirect_uri` when there is none, with the reason for the first.
pub(super) fn acceptable(
    named: Option<Vec<String>>,
    auth_method: AuthMethod,
    rules: &Rules<'_>,
) -> Result<Vec<RedirectUri>, Rejection> {
    let named = named.unwrap_or_default();
    if named.is_empty() {
        return Err(rejected(
            "redirect_uris must name at least one redirect URI".to_owned(),
            "redirect_missing",
        ));
    }
    if named.len() > MOST {
        return Err(rejected(
            format!("redirect_uris must name at most {MOST} redirect URIs"),
            "too_many_redirects",
        ));
    }
    let mut accepted: Vec<RedirectUri> = Vec::new();
    let mut first_fault = None;
    for text in named {
        match judge(&text, auth_method, rules) {
            Ok(uri) if accepted.contains(&uri) => {}
            Ok(uri) => accepted.push(uri),
            Err(why) => first_fault = first_fault.or(Some(why)),
        }
    }
    match (accepted.is_empty(), first_fault) {
        (true, Some(why)) => Err(rejected(
            format!("redirect_uris has no acceptable redirect URI; the first {why}"),
            "redirect_refused",
        )),
        _ => Ok(accepted),
    }
}

fn judge(text: &str, auth_method: AuthMethod, rules: &Rules<'_>) -> Result<RedirectUri, String> {
    let uri = RedirectUri::parse(text).map_err(|bad| bad.to_string())?;
    if uri.kind() == RedirectKind::PrivateUse && auth_method != AuthMethod::None {
        return Err(
            "has a private-use scheme: those are for clients with token_endpoint_auth_method none".to_owned(),
        );
    }
    if !rules.allow_redirect(&uri) {
        return Err("is at a place that the operator of this server does not allow".to_owned());
    }
    if is_ours(&uri, rules.issuer) {
        return Err("is an address of this server: no client can receive an answer there".to_owned());
    }
    Ok(uri)
}

/// Whether an answer sent there would come back to us. On loopback a port has one server, whatever the host is called.
fn is_ours(uri: &RedirectUri, issuer: &Issuer) -> bool {
    let (uri, ours) = (&uri.url(), issuer.url());
    let same_port = uri.port_or_known_default() == ours.port_or_known_default();
    same_port && (uri.host() == ours.host() || (is_loopback(uri) && is_loopback(ours)))
}

fn rejected(description: String, reason: &'static str) -> Rejection {
    Rejection::new(ErrorCode::InvalidRedirectUri, description, reason)
}
