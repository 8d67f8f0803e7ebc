//! Redirect URIs as nearly all clients write them. They are read with each request of their client, so that these are not taken
//! apart, as everything else is.

use super::{RedirectKind, has_dot_segment};

/// What kind of redirect URI this is, if it is plainly one: a scheme of the web in lower case, a name of letters, digits and hyphens
/// or one of this machine, perhaps a port, and a path in which nothing is encoded. `None` for everything else, good or not.
pub(super) fn kind(text: &str) -> Option<RedirectKind> {
    let (scheme, rest) = text.split_once("://").filter(|_| text.len() <= 2048)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let in_path = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
    if !path.bytes().all(in_path) || has_dot_segment(path) {
        return None;
    }
    match scheme {
        "https" => without_port(authority)
            .filter(|host| is_name(host))
            .map(|_| RedirectKind::Https),
        "http" if authority == "[::1]" => Some(RedirectKind::Loopback),
        "http" => without_port(authority)
            .filter(|host| ["localhost", "127.0.0.1"].contains(host))
            .map(|_| RedirectKind::Loopback),
        _ => None,
    }
}

/// The host, if what follows is nothing or a port above 0 as a number is written.
fn without_port(authority: &str) -> Option<&str> {
    let Some((host, port)) = authority.split_once(':') else {
        return Some(authority);
    };
    let is_number = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0');
    (is_number && port.parse::<u16>().is_ok()).then_some(host)
}

/// Whether every parser reads this as the name that it is.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty() && label.len() <= 63 && !label.starts_with("xn--") && label.bytes().all(fits)
    };
    let top = host.rsplit('.').next().unwrap_or(host);
    // an address would be written with a number there
    host.len() <= 253 && host.split('.').all(is_label) && top.starts_with(|c: char| c.is_ascii_lowercase())
}
