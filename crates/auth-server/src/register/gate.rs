//! Who may register, and what for ([RFC 7591 §3](https://www.rfc-editor.org/rfc/rfc7591#section-3), "initial access token").

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderValue},
};
use mcp_gateway_model::{
    client::ClientOrigin,
    error::ErrorCode,
    issuer::is_loopback,
    redirect::{RedirectKind, RedirectUri},
    secret::Secret,
};

use crate::{client_auth::bearer, door::Rejection};

/// Who may register, and what registered clients may do.
#[derive(Debug)]
pub struct RegistrationSettings {
    /// Who may register at all (`REGISTRATION`).
    pub gate: Gate,
    /// Where clients that register without a token may be redirected to (`REGISTRATION_REDIRECT_HOSTS`); `None` for anywhere.
    pub redirect_hosts: Option<RedirectHosts>,
    /// Initial access tokens (`REGISTRATION_TOKEN`): each is good.
    pub tokens: Vec<Secret>,
    /// Whether clients that register without a token may act for themselves (`REGISTRATION_CLIENT_CREDENTIALS`).
    pub client_credentials: bool,
    /// How many clients there may be that no person ever allowed anything (`REGISTRATION_UNUSED_LIMIT`): above, those go first
    /// that registered first.
    pub unused_limit: u32,
}

impl Default for RegistrationSettings {
    fn default() -> Self {
        Self {
            gate: Gate::Open,
            redirect_hosts: None,
            tokens: Vec::new(),
            client_credentials: false,
            unused_limit: 10_000,
        }
    }
}

/// Who may register at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// Everybody.
    #[default]
    Open,
    /// Who has an initial access token.
    Token,
    /// Nobody.
    Off,
}

/// Where clients may be redirected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectHosts(Vec<Place>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Loopback,
    Host(String),
    /// With the leading dot.
    Below(String),
    Scheme(String),
}

/// An entry that is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is neither a host such as claude.ai or *.example.com, nor loopback, nor a scheme such as cursor:"
)]
pub struct BadPlace(String);

impl RedirectHosts {
    /// Reads a list separated by commas: hosts (`claude.ai`, `*.example.com`), `loopback`, and private-use schemes
    /// (`cursor:`).
    ///
    /// # Errors
    /// [`BadPlace`] names the entry that is none.
    pub fn parse(text: &str) -> Result<Self, BadPlace> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| place(entry).ok_or_else(|| BadPlace(entry.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn allows(&self, uri: &RedirectUri) -> bool {
        let url = uri.url();
        self.0.iter().any(|place| match place {
            Place::Scheme(scheme) => uri.kind() == RedirectKind::PrivateUse && url.scheme() == scheme,
            Place::Loopback => uri.kind() != RedirectKind::PrivateUse && is_loopback(&url),
            Place::Host(host) => is_web(uri) && url.host_str() == Some(host),
            Place::Below(suffix) => {
                is_web(uri)
                    && url
                        .host_str()
                        .and_then(|host| host.strip_suffix(suffix))
                        .is_some_and(|rest| !rest.is_empty())
            }
        })
    }
}

/// Whether the host of this URI is a place: that of a private-use scheme is none.
fn is_web(uri: &RedirectUri) -> bool {
    uri.kind() != RedirectKind::PrivateUse
}

fn place(entry: &str) -> Option<Place> {
    let entry = entry.to_ascii_lowercase();
    if entry == "loopback" {
        return Some(Place::Loopback);
    }
    if let Some(scheme) = entry.strip_suffix(':') {
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
            && !["http", "https"].contains(&scheme);
        return is_scheme.then(|| Place::Scheme(scheme.to_owned()));
    }
    let host = entry.strip_prefix("*.").unwrap_or(&entry);
    let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !host.split('.').all(label) {
        return None;
    }
    Some(if host == entry {
        Place::Host(host.to_owned())
    } else {
        Place::Below(format!(".{host}"))
    })
}

impl RegistrationSettings {
    /// How whoever sends `request` may register.
    ///
    /// # Errors
    /// 403 when nobody may, 401 for who has no token and needs one, or has a wrong one.
    pub(super) fn admit(&self, request: &HttpRequest) -> Result<ClientOrigin, Rejection> {
        if self.gate == Gate::Off {
            return Err(Rejection::new(
                ErrorCode::AccessDenied,
                "clients cannot register themselves here: ask the operator of this server to enter the client",
                "registration_off",
            ));
        }
        let presented = bearer(request)?.filter(|_| !self.tokens.is_empty());
        match presented.map(|token| Secret::presented(token.to_owned()).digest()) {
            Some(presented) if self.tokens.iter().any(|token| token.digest() == presented) => {
                Ok(ClientOrigin::RegisteredWithToken)
            }
            Some(_) => Err(refused(
                "registration_token_wrong",
                HeaderValue::from_static("Bearer realm=\"registration\", error=\"invalid_token\""),
            )),
            None if self.gate == Gate::Token => Err(refused(
                "registration_token_missing",
                HeaderValue::from_static("Bearer realm=\"registration\""),
            )),
            None => Ok(ClientOrigin::Registered),
        }
    }

    /// Whether a client that came in this way may be redirected there.
    pub(super) fn allows_redirect(&self, origin: ClientOrigin, uri: &RedirectUri) -> bool {
        let hosts = self
            .redirect_hosts
            .as_ref()
            .filter(|_| origin == ClientOrigin::Registered);
        hosts.is_none_or(|hosts| hosts.allows(uri))
    }

    /// Whether a client that came in this way may act for itself.
    pub(crate) fn may_act_for_itself(&self, origin: ClientOrigin) -> bool {
        match origin {
            ClientOrigin::RegisteredWithToken | ClientOrigin::PreRegistered => true,
            ClientOrigin::Registered => self.client_credentials,
            ClientOrigin::MetadataDocument => false,
        }
    }
}

fn refused(reason: &'static str, challenge: HeaderValue) -> Rejection {
    Rejection::new(
        ErrorCode::InvalidToken,
        "clients register here with an initial access token: get one from the operator of this server and send it as a bearer token",
        reason,
    )
    .with_header(header::WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_hosts_loopback_and_schemes() {
        let hosts = RedirectHosts::parse("claude.ai, *.Example.com ,loopback,cursor:").unwrap();
        let allows = |uri: &str| hosts.allows(&RedirectUri::parse(uri).unwrap());
        for uri in [
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.ai:8443/cb",
            "https://a.example.com/cb",
            "https://a.b.example.com/cb",
            "http://127.0.0.1:33418/",
            "http://localhost/callback",
            "http://[::1]/callback",
            "cursor://anysphere.cursor-mcp/oauth/callback",
        ] {
            assert!(allows(uri), "{uri}");
        }
        for uri in [
            "https://evil.claude.ai/cb",
            "https://claude.ai.evil.example/cb",
            "https://example.com/cb",
            "https://notexample.com/cb",
            "https://localhost.evil.example/cb",
            "vscode://claude.ai/cb",
            "com.example.app:/cb",
        ] {
            assert!(!allows(uri), "{uri}");
        }
    }

    #[test]
    fn what_is_no_place_is_named() {
        for entry in [
            "https://claude.ai",
            "claude.ai/cb",
            "a..b",
            "*",
            "*.",
            ":",
            "1x:",
            "https:",
            "a b",
        ] {
            let bad = RedirectHosts::parse(&format!("claude.ai,{entry}")).unwrap_err();
            assert_eq!(bad, BadPlace(entry.to_owned()));
        }
    }
}
