//! Who asks: the user whom the gateway in front names, or whom one of its access tokens does.

mod token;

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap, HeaderName},
};
use mcp_gateway_model::{clock::Timestamp, proxy::TrustedProxies};

use super::{fault::Fault, store::UserId};
pub(super) use token::Tokens;

/// The header in which the gateway names the user of an admitted request.
static USER: HeaderName = HeaderName::from_static("x-user-id");

/// Finds out who asks.
pub(super) struct Users {
    proxies: TrustedProxies,
    tokens: Option<Tokens>,
}

impl Users {
    /// Believes the header of `proxies`, and `tokens`.
    pub(super) const fn new(proxies: TrustedProxies, tokens: Option<Tokens>) -> Self {
        Self { proxies, tokens }
    }

    /// The user who sends `request`. A header counts only if a trusted proxy sends it, and one that it sends decides: what
    /// such a proxy lets through without a user is nobody's. Else an access token counts.
    ///
    /// # Errors
    /// A [`Fault`] with status 401 when it is nobody, or 502 or 504 when the gateway's keys cannot be read.
    pub(super) async fn of(&self, request: &HttpRequest, now: Timestamp) -> Result<UserId, Fault> {
        let is_trusted = request
            .peer_addr()
            .is_some_and(|peer| self.proxies.trusts(peer.ip()));
        if is_trusted && let Some(user) = named(request.headers())? {
            return Ok(user);
        }
        let token = bearer(request.headers())?;
        match (&self.tokens, token) {
            (Some(tokens), Some(token)) => tokens.user(token, now).await,
            (Some(_), None) => Err(nobody(
                "Send an access token of the gateway as \"Authorization: Bearer\".",
            )),
            (None, _) => Err(nobody(
                "Only requests that come through the gateway are answered.",
            )),
        }
    }

    /// The address that a request comes from.
    pub(super) fn address(&self, request: &HttpRequest) -> String {
        let Some(peer) = request.peer_addr() else {
            return "unknown".to_owned();
        };
        let fields = request.headers().get_all("x-forwarded-for");
        let forwarded: Vec<_> = fields.filter_map(|field| field.to_str().ok()).collect();
        let address = self.proxies.client_address(peer.ip(), &forwarded.join(","));
        match address {
            std::net::IpAddr::V4(address) => address.to_string(),
            // the /64 that one customer has
            std::net::IpAddr::V6(address) => format!("{:x}/64", address.to_bits() >> 64),
        }
    }
}

/// The user whom a trusted proxy names. An empty header is what the gateway sends for nobody.
fn named(headers: &HeaderMap) -> Result<Option<UserId>, Fault> {
    let mut fields = headers.get_all(&USER);
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return if headers.contains_key(&USER) {
            Err(nobody("The request names several users."))
        } else {
            Ok(None)
        };
    };
    if field.is_empty() {
        return Ok(None);
    }
    let user = field.to_str().ok().and_then(UserId::parse);
    user.map(Some)
        .ok_or_else(|| nobody("The request names no user that can be read."))
}

/// The token in `Authorization: Bearer` ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let mut fields = headers.get_all(header::AUTHORIZATION);
    let (Some(field), next) = (fields.next(), fields.next()) else {
        return Ok(None);
    };
    let text = field.to_str().ok().filter(|_| next.is_none());
    let text = text.ok_or_else(|| nobody("There must be one Authorization header."))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    Ok(scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty()))
}

fn nobody(description: &str) -> Fault {
    Fault::unauthorized("unauthorized", description)
}
