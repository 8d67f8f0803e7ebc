//! Which host a request is for.

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap},
};

use crate::settings::Settings;

const FORWARDED: &str = "x-forwarded-host";

/// The host that was asked for, in lower case and without the port of the issuer's scheme: from a trusted proxy, or as the
/// client said it.
pub(crate) fn host(request: &HttpRequest, settings: &Settings) -> Option<String> {
    let headers = request.headers();
    let peer = request.peer_addr();
    let trusted = peer.is_some_and(|peer| settings.trusted_proxies.trusts(peer.ip()));
    let host = if trusted && headers.contains_key(FORWARDED) {
        only(headers, FORWARDED)
    } else if headers.contains_key(header::HOST) {
        only(headers, header::HOST.as_str())
    } else {
        request.uri().authority().map(ToString::to_string)
    };
    host.map(|host| without_default_port(&host, settings.issuer.is_https()))
}

/// The value of a header that was sent once.
pub(crate) fn only(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name);
    let value = values.next()?.to_str().ok()?.to_owned();
    values.next().is_none().then_some(value)
}

fn without_default_port(host: &str, https: bool) -> String {
    let host = host.to_ascii_lowercase();
    let port = if https { ":443" } else { ":80" };
    host.strip_suffix(port).map(ToOwned::to_owned).unwrap_or(host)
}
