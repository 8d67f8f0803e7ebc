//! The one canonical issuer (RFC 8414 §2) and the addresses below it.

use std::fmt;

use serde::Serialize;
use url::{Host, Url};

/// The issuer: an origin, written without a trailing slash, the same bytes wherever it appears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
    authority: String,
    https: bool,
}

impl Issuer {
    /// Reads an issuer; one trailing slash is dropped.
    ///
    /// # Errors
    /// [`BadIssuer`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, BadIssuer> {
        let url = Url::parse(text.trim()).map_err(|_| BadIssuer::NotAUrl)?;
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(BadIssuer::NotAnOrigin);
        }
        if url.path() != "/" {
            return Err(BadIssuer::NotAnOrigin);
        }
        let https = match url.scheme() {
            "https" => true,
            "http" if is_loopback(&url) => false,
            "http" => return Err(BadIssuer::PlainHttp),
            _ => return Err(BadIssuer::NotAUrl),
        };
        let authority = authority(&url).ok_or(BadIssuer::NotAUrl)?;
        Ok(Self {
            text: format!("{}://{authority}", url.scheme()),
            authority,
            https,
            url,
        })
    }

    /// The issuer as it stands in metadata, claims and `iss` parameters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The issuer in its parts.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The address of `path` (which starts with a slash) at the issuer.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Host, and port if it is not the scheme's own, as a `Host` header carries them.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether the issuer is reached over TLS; if not it is on loopback.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// The port if it is not the scheme's own.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.url.port()
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Issuer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// What is wrong with an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIssuer {
    /// Not an http(s) URL.
    #[error("must be a URL such as https://auth.example.com")]
    NotAUrl,
    /// Path, query, fragment or user information.
    #[error("must be an origin: no path, query, fragment or user information")]
    NotAnOrigin,
    /// http outside loopback.
    #[error("must be https; http is for loopback only")]
    PlainHttp,
}

/// Whether the URL's host is this machine: `localhost`, 127.0.0.0/8 or `::1`.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Host in lower case, and the port if it is not the scheme's own.
#[must_use]
pub(crate) fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_written_one_way() {
        let issuer = Issuer::parse("HTTPS://Auth.Example.com:443/").unwrap();
        assert_eq!(issuer.as_str(), "https://auth.example.com");
        assert_eq!(issuer.endpoint("/token"), "https://auth.example.com/token");
        assert_eq!(
            Issuer::parse("http://127.0.0.1:8000").unwrap().authority(),
            "127.0.0.1:8000"
        );
    }

    #[test]
    fn what_is_not_an_origin_or_not_safe_is_refused() {
        assert_eq!(
            Issuer::parse("http://auth.example.com"),
            Err(BadIssuer::PlainHttp)
        );
        assert_eq!(
            Issuer::parse("http://localhost.evil.com"),
            Err(BadIssuer::PlainHttp)
        );
        assert_eq!(
            Issuer::parse("https://example.com/auth"),
            Err(BadIssuer::NotAnOrigin)
        );
        assert_eq!(
            Issuer::parse("https://u@example.com"),
            Err(BadIssuer::NotAnOrigin)
        );
        assert_eq!(Issuer::parse("auth.example.com"), Err(BadIssuer::NotAUrl));
    }
}
