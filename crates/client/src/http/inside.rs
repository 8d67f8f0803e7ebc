//! What lies inside of a network: a server of the public internet leads nobody there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mcp_gateway_model::internet::{is_local_name, is_public};
use url::{Host, Url};

use super::Settings;

/// Whether `url` leads inside of a network, as far as this machine knows: where only a proxy resolves names, it does not.
pub(super) async fn is_inside(url: &Url, settings: &Settings) -> bool {
    match url.host() {
        None => false,
        Some(Host::Ipv4(address)) => !is_outside(address.into()),
        Some(Host::Ipv6(address)) => !is_outside(address.into()),
        Some(Host::Domain(name)) => match named(name, settings) {
            Some(address) => !is_outside(address),
            None => is_local_name(name) || resolves_inside(name, settings).await,
        },
    }
}

/// Where the person said that a name is.
pub(super) fn named(name: &str, settings: &Settings) -> Option<IpAddr> {
    let found = settings.resolve.iter().find(|(one, _)| one == name);
    found.map(|(_, address)| *address)
}

/// Asked of the system, which also knows what hosts files and private name servers say. Somebody who answers otherwise a moment
/// later has to have a certificate for the name inside of the network: http goes nowhere but to this machine.
async fn resolves_inside(name: &str, settings: &Settings) -> bool {
    let looking = tokio::net::lookup_host((name, 443));
    match tokio::time::timeout(settings.connect, looking).await {
        Ok(Ok(mut found)) => found.any(|address| !is_outside(address.ip())),
        _ => false,
    }
}

/// Whether an address is public, also by way of a network that has no IPv4 of its own (NAT64, [RFC 6052
/// §2.1](https://www.rfc-editor.org/rfc/rfc6052#section-2.1)).
fn is_outside(address: IpAddr) -> bool {
    is_public(match address {
        IpAddr::V6(v6) => embedded(v6).map_or(address, IpAddr::V4),
        v4 @ IpAddr::V4(_) => v4,
    })
}

fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.octets() {
        [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_an_address_says_and_what_a_name_leads_to_count() {
        let settings = Settings {
            resolve: vec![("mcp.mine.com".to_owned(), [10, 0, 0, 1].into())],
            ..Settings::default()
        };
        for (text, expected) in [
            ("https://1.1.1.1/mcp", false),
            ("https://[2606:4700::1111]/mcp", false),
            ("https://[64:ff9b::101:101]/mcp", false),
            ("https://[64:ff9b::7f00:1]/mcp", true),
            ("https://127.0.0.1/mcp", true),
            ("http://[::1]:9200/", true),
            ("https://169.254.169.254/latest", true),
            ("https://localhost/", true),
            ("https://printer.local/", true),
            ("https://jenkins/", true),
            ("https://mcp.mine.com/mcp", true),
            ("data:text/plain,x", false),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(is_inside(&url, &settings).await, expected, "{text}");
        }
        // every system resolves this one
        assert!(resolves_inside("localhost", &settings).await);
    }
}
