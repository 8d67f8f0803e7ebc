//! Which request the proxy asks about. Only a trusted proxy is believed, and only one value of each header.

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap},
};
use mcp_gateway_model::proxy::TrustedProxies;

use crate::reason::Reason;

const HOST: &str = "x-forwarded-host";
const URI: &str = "x-forwarded-uri";
const METHOD: &str = "x-forwarded-method";

/// The request that the proxy asks about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Host in lower case, and port if there is one.
    pub(crate) authority: String,
    /// The path without the query, as the client sent it.
    pub(crate) path: String,
}

impl Asked {
    /// Reads `X-Forwarded-Host` and `X-Forwarded-Uri`.
    pub(crate) fn read(request: &HttpRequest, proxies: &TrustedProxies) -> Result<Self, Reason> {
        if !comes_from(request, proxies) {
            return Err(Reason::UntrustedPeer);
        }
        let headers = request.headers();
        let authority = only(headers, HOST).and_then(authority);
        let path = only(headers, URI).and_then(path);
        match (authority, path) {
            (Some(authority), Some(path)) => Ok(Self { authority, path }),
            _ => Err(Reason::ForwardedHeaders),
        }
    }
}

/// The host that a request for metadata is for: what a trusted proxy forwards, else the `Host` header.
pub(crate) fn host(request: &HttpRequest, proxies: &TrustedProxies) -> Option<String> {
    let headers = request.headers();
    let name = if comes_from(request, proxies) && headers.contains_key(HOST) {
        HOST
    } else {
        header::HOST.as_str()
    };
    only(headers, name).and_then(authority)
}

/// The method of the request that a trusted proxy asks about; the question itself may have another.
pub(crate) fn method(headers: &HeaderMap) -> Option<&str> {
    let method = str::from_utf8(only(headers, METHOD)?).ok()?;
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (!method.is_empty() && method.bytes().all(is_token)).then_some(method)
}

fn comes_from(request: &HttpRequest, proxies: &TrustedProxies) -> bool {
    request.peer_addr().is_some_and(|peer| proxies.trusts(peer.ip()))
}

/// The value of a header that stands there exactly once.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

/// `host` or `host:port` (RFC 3986 §3.2) without user information; a list of hosts is none.
fn authority(value: &[u8]) -> Option<String> {
    let text = str::from_utf8(value).ok().filter(|t| t.len() <= 261)?;
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            let port = if after.is_empty() {
                None
            } else {
                Some(after.strip_prefix(':')?)
            };
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (address, port)
        }
        None => text.split_once(':').map_or((text, None), |(h, p)| (h, Some(p))),
    };
    let is_ipv6 = text.starts_with('[');
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if host.is_empty() || !(is_ipv6 || host.bytes().all(is_name)) {
        return None;
    }
    let port_fits = port.is_none_or(|p| p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok());
    port_fits.then(|| text.to_ascii_lowercase())
}

/// The path of a request target in origin form (RFC 9112 §3.2.1): visible ASCII, no fragment.
fn path(value: &[u8]) -> Option<String> {
    let path = value.split(|b| *b == b'?').next()?;
    let fits = path.first() == Some(&b'/') && path.iter().all(|b| b.is_ascii_graphic() && *b != b'#');
    fits.then(|| String::from_utf8_lossy(path).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_one_host_and_perhaps_a_port() {
        for (text, read) in [
            ("Echo.Example.com", Some("echo.example.com")),
            ("localhost:8000", Some("localhost:8000")),
            ("[::1]:8000", Some("[::1]:8000")),
            ("[::1]", Some("[::1]")),
            ("", None),
            (":80", None),
            ("a.com:", None),
            ("a.com:+80", None),
            ("a.com:80:80", None),
            ("a.com:99999", None),
            ("a.com, b.com", None),
            ("a.com,b.com", None),
            ("u@a.com", None),
            ("u:p@a.com", None),
            ("a.com/x", None),
            ("a.com?x", None),
            ("a.com#x", None),
            ("a com", None),
            ("*.example.com", None),
            ("[::1]x", None),
            ("[zz]", None),
            ("[]", None),
            ("é.com", None),
        ] {
            assert_eq!(authority(text.as_bytes()).as_deref(), read, "{text}");
        }
        assert_eq!(authority(&[0xff]), None);
        assert_eq!(authority("a".repeat(300).as_bytes()), None);
    }

    #[test]
    fn a_path_ends_at_the_query_and_begins_with_a_slash() {
        for (text, read) in [
            ("/mcp?a=/b#c", Some("/mcp")),
            ("/", Some("/")),
            ("/%2e%2e/x", Some("/%2e%2e/x")),
            ("", None),
            ("?x", None),
            ("*", None),
            ("mcp", None),
            ("https://echo.example.com/mcp", None),
            ("/a b", None),
            ("/a#b", None),
            ("/a\tb", None),
            ("/é", None),
        ] {
            assert_eq!(path(text.as_bytes()).as_deref(), read, "{text}");
        }
    }
}
