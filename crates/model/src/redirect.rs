//! Redirect URIs: what may be registered (RFC 7591, RFC 8252) and when two are the same (RFC 6749 §3.1.2.3, RFC 8252 §7.3).

mod usual;

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use serde::{Deserialize, Serialize, Serializer};
use url::{Host, Url};

/// What an answer adds to the query (RFC 6749 §4.1.2, RFC 9207). A client that finds one of them twice may believe the
/// wrong one.
const ANSWER: [&str; 5] = ["code", "state", "iss", "error", "error_description"];

/// Private-use schemes without a dot that real clients have and nobody else may take for the web.
const KNOWN_SCHEMES: [&str; 9] = [
    "cursor",
    "vscode",
    "vscode-insiders",
    "vscodium",
    "windsurf",
    "warp",
    "zed",
    "claude",
    "goose",
];

/// Where a redirect goes, which decides what the person is told about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectKind {
    /// An https address: the host says who receives the code.
    Https,
    /// A port on the person's own machine (RFC 8252 §7.3).
    Loopback,
    /// A scheme that an application on the person's machine has claimed (RFC 8252 §7.1).
    PrivateUse,
}

/// A redirect URI that may be registered, kept as the client wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RedirectUri {
    text: String,
    kind: RedirectKind,
}

impl RedirectUri {
    /// Reads a redirect URI.
    ///
    /// # Errors
    /// [`BadRedirect`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, BadRedirect> {
        let kind = usual::kind(text).map_or_else(|| Self::take_apart(text), Ok)?;
        Ok(Self {
            text: text.to_owned(),
            kind,
        })
    }

    fn take_apart(text: &str) -> Result<RedirectKind, BadRedirect> {
        if text.len() > 2048 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(BadRedirect::Characters);
        }
        if text.contains('\\') || has_dot_segment(text) {
            return Err(BadRedirect::DotSegments);
        }
        let url = Url::parse(text).map_err(|_| BadRedirect::NotAbsolute)?;
        if url.fragment().is_some() {
            return Err(BadRedirect::Fragment);
        }
        if !url.username().is_empty() || url.password().is_some() || authority_of(text).contains('@') {
            return Err(BadRedirect::UserInformation);
        }
        let kind = kind_of(&url)?;
        match kind {
            RedirectKind::PrivateUse if url.cannot_be_a_base() => return Err(BadRedirect::NoPath),
            RedirectKind::Https | RedirectKind::Loopback if !is_plain(text, &url) => {
                return Err(BadRedirect::NotPlain);
            }
            _ => {}
        }
        if url.query_pairs().any(|(name, _)| ANSWER.contains(&&*name)) {
            return Err(BadRedirect::AnswersParameter);
        }
        Ok(kind)
    }

    /// The URI as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URI in its parts.
    ///
    /// # Panics
    /// Never: only what has parts is read.
    #[must_use]
    pub fn url(&self) -> Url {
        #[expect(
            clippy::expect_used,
            reason = "it was taken apart when it was read, or is plainer than that"
        )]
        Url::parse(&self.text).expect("a redirect URI is a URL")
    }

    /// Where it goes.
    #[must_use]
    pub const fn kind(&self) -> RedirectKind {
        self.kind
    }

    /// What a person is shown: the host, or for a private-use scheme the scheme.
    #[must_use]
    pub fn shown_host(&self) -> String {
        let url = self.url();
        match (self.kind, url.host_str()) {
            (RedirectKind::PrivateUse, _) | (_, None) => format!("{}:", url.scheme()),
            (_, Some(host)) => host.to_owned(),
        }
    }

    /// Whether a request for `self` is allowed by the registered `other`: the same bytes, or on loopback the same but for
    /// the port (RFC 8252 §7.3).
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let on_loopback = [self.kind, other.kind] == [RedirectKind::Loopback; 2];
        if self.text == other.text || !on_loopback {
            return self.text == other.text;
        }
        let (own, other) = (self.url(), other.url());
        own.host() == other.host() && own.path() == other.path() && own.query() == other.query()
    }

    /// The URI with `parameters` added to its query (RFC 6749 §4.1.2).
    #[must_use]
    pub fn with(&self, parameters: &[(&str, &str)]) -> String {
        let mut url = self.url();
        url.query_pairs_mut().extend_pairs(parameters);
        url.into()
    }
}

fn kind_of(url: &Url) -> Result<RedirectKind, BadRedirect> {
    match url.scheme() {
        "https" => Ok(RedirectKind::Https),
        "http" if is_this_machine(url) => Ok(RedirectKind::Loopback),
        "http" => Err(BadRedirect::PlainHttp),
        scheme if scheme.contains('.') || KNOWN_SCHEMES.contains(&scheme) => Ok(RedirectKind::PrivateUse),
        _ => Err(BadRedirect::Scheme),
    }
}

/// The three names that RFC 8252 §7.3 and §8.3 know; other addresses of the loopback network may be somebody else's.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        None => false,
    }
}

/// Whether an http(s) URI says what it means: `scheme://`, the host as every parser reads it (its case apart), and a port
/// that exists. Parsers make a host of much else, and not all of them the same one.
fn is_plain(text: &str, url: &Url) -> bool {
    let after_scheme = text.get(url.scheme().len()..).unwrap_or_default();
    if !after_scheme.starts_with("://") {
        return false;
    }
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return false;
    };
    let written = authority_of(text).to_ascii_lowercase();
    port != 0 && (written == host || written == format!("{host}:{port}"))
}

/// The text between `//` and the path.
fn authority_of(text: &str) -> &str {
    let rest = text.split_once("//").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Whether a path segment is `.` or `..`, percent-encoded or not.
fn has_dot_segment(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let might_be = |segment: &&str| (1..="%2e%2e".len()).contains(&segment.len());
    path.split('/').filter(might_be).any(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    })
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for RedirectUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.text
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = BadRedirect;

    fn try_from(text: String) -> Result<Self, BadRedirect> {
        Self::parse(&text)
    }
}

/// Why a redirect URI is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRedirect {
    /// Too long, or characters that a URI does not have.
    #[error("must be at most 2048 visible ASCII characters")]
    Characters,
    /// RFC 6749 §3.1.2.
    #[error("must be an absolute URI")]
    NotAbsolute,
    /// RFC 6749 §3.1.2.
    #[error("must not have a fragment")]
    Fragment,
    /// Hides the real host from a person.
    #[error("must not have user information")]
    UserInformation,
    /// Means another path than it shows.
    #[error("must not have dot segments or backslashes")]
    DotSegments,
    /// RFC 8252 §7.3, §8.3.
    #[error("must be https; http is for localhost, 127.0.0.1 and [::1] only")]
    PlainHttp,
    /// Another host than it shows, to some parser.
    #[error("must begin with the scheme, ://, the host in its plain ASCII form and perhaps a port above 0")]
    NotPlain,
    /// An answer would have it twice.
    #[error(
        "must not have a parameter of the answer in its query: code, state, iss, error, error_description"
    )]
    AnswersParameter,
    /// Such as `com.example.app:alert(1)`.
    #[error("must have a path that begins with / after a private-use scheme")]
    NoPath,
    /// RFC 8252 §7.1.
    #[error("must be https, http on loopback, or a private-use scheme with a dot such as com.example.app")]
    Scheme,
}

#[cfg(test)]
mod tests;
