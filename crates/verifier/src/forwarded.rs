//! Which request the proxy asks about. Only a trusted proxy is believed, and only one value of each header.

use std::rc::Rc;

use actix_web::{
    dev::RequestHead,
    http::header::{self, HeaderMap, HeaderName},
};
use mcp_gateway_model::{
    proxy::TrustedProxies,
    resource::{Protected, Resources},
};

use crate::{
    reason::Reason,
    site::{Site, Sites, authority},
};

const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");

/// The request that the proxy asks about.
#[derive(Debug)]
pub(crate) struct Asked<'r> {
    /// The host.
    pub(crate) site: Rc<Site>,
    /// The path without the query, as the client sent it.
    pub(crate) path: &'r str,
}

impl<'r> Asked<'r> {
    /// Reads `X-Forwarded-Host` and `X-Forwarded-Uri`.
    pub(crate) fn read(
        head: &'r RequestHead,
        proxies: &TrustedProxies,
        (sites, resources): (&Sites, &Resources),
    ) -> Result<Self, Reason> {
        if !comes_from(head, proxies) {
            return Err(Reason::UntrustedPeer);
        }
        let site = only(&head.headers, &HOST).and_then(|value| sites.find(value, resources));
        let path = only(&head.headers, &URI).and_then(path);
        match (site, path) {
            (Some(site), Some(path)) => Ok(Self { site, path }),
            _ => Err(Reason::ForwardedHeaders),
        }
    }

    /// The host in lower case, and port if there is one.
    pub(crate) fn authority(&self) -> &str {
        &self.site.authority
    }

    /// The resource that it is for.
    pub(crate) fn protected(&self) -> Option<&std::sync::Arc<Protected>> {
        self.site.at(self.path)
    }
}

/// The host that a request for metadata is for: what a trusted proxy forwards, else the `Host` header.
pub(crate) fn host(head: &RequestHead, proxies: &TrustedProxies) -> Option<String> {
    let headers = &head.headers;
    let name = if comes_from(head, proxies) && headers.contains_key(HOST) {
        HOST
    } else {
        header::HOST
    };
    only(headers, &name).and_then(authority)
}

/// The method of the request that a trusted proxy asks about; the question itself may have another.
pub(crate) fn method(headers: &HeaderMap) -> Option<&str> {
    let method = str::from_utf8(only(headers, &METHOD)?).ok()?;
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (!method.is_empty() && method.bytes().all(is_token)).then_some(method)
}

fn comes_from(head: &RequestHead, proxies: &TrustedProxies) -> bool {
    head.peer_addr.is_some_and(|peer| proxies.trusts(peer.ip()))
}

/// The value of a header that stands there exactly once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

/// The path of a request target in origin form (RFC 9112 §3.2.1): visible ASCII, no fragment.
fn path(value: &[u8]) -> Option<&str> {
    let path = value.split(|b| *b == b'?').next()?;
    let fits = path.first() == Some(&b'/') && path.iter().all(|b| b.is_ascii_graphic() && *b != b'#');
    str::from_utf8(path).ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(path(text.as_bytes()), read, "{text}");
        }
    }
}
