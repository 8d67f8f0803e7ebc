//! What an address says of itself, before its name is resolved.

use std::net::IpAddr;

use mcp_gateway_model::internet::is_local_name;
use url::{Host, Url};

use super::FetchFault;

/// The port of https.
const HTTPS: u16 = 443;

/// Where an address may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// To the public internet, or to a network that the operator allows.
    Public,
    /// To a network that the operator allows, only: its name or its port is none of the public internet's.
    Allowed,
}

/// An address that may be asked if what its name resolves to may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Where it may lead.
    pub(super) reach: Reach,
    /// The address, where it is spelled out: nothing is resolved then. The `url` crate has read all spellings (decimal,
    /// octal, hexadecimal, shortened) already.
    pub(super) literal: Option<IpAddr>,
}

impl Target {
    /// Judges `url`; `issuer` is ourselves, `ports` are those of the public internet that may be asked.
    pub(super) fn judge(url: &Url, issuer: Option<&Url>, ports: &[u16]) -> Result<Self, FetchFault> {
        if url.scheme() != "https" {
            return Err(FetchFault::Refused("must begin with https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchFault::Refused("must not have user information"));
        }
        let port = url.port().unwrap_or(HTTPS);
        let (literal, is_local) = match url.host() {
            None => return Err(FetchFault::Refused("must have a host")),
            Some(Host::Ipv4(address)) => (Some(IpAddr::V4(address)), false),
            Some(Host::Ipv6(address)) => (Some(IpAddr::V6(address)), false),
            Some(Host::Domain(name)) => (None, is_local_name(name)),
        };
        let same_host = |ours: &Url| plain(ours) == plain(url) && ours.port_or_known_default() == Some(port);
        if issuer.is_some_and(same_host) {
            return Err(FetchFault::Refused("is this server's own"));
        }
        let reach = if ports.contains(&port) && !is_local {
            Reach::Public
        } else {
            Reach::Allowed
        };
        Ok(Self { reach, literal })
    }
}

/// The host without the dot that a name may end with.
fn plain(url: &Url) -> Option<&str> {
    url.host_str().map(|host| host.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Result<Target, FetchFault> {
        let issuer = Url::parse("https://auth.example.org").unwrap();
        Target::judge(&Url::parse(text).unwrap(), Some(&issuer), &[443])
    }

    #[test]
    fn names_and_ports_of_the_public_internet_may_lead_there() {
        for text in [
            "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "https://chatgpt.com:443/oauth/x/client.json",
            "https://xn--mnchen-3ya.example.org/x",
        ] {
            let public = Target {
                reach: Reach::Public,
                literal: None,
            };
            assert_eq!(judged(text), Ok(public), "{text}");
        }
    }

    #[test]
    fn local_names_and_other_ports_lead_to_allowed_networks_only() {
        for text in [
            "https://claude.ai:8443/x",
            "https://localhost/x",
            "https://a.localhost/x",
            "https://LOCALHOST./x",
            "https://printer/x",
            "https://printer.local/x",
            "https://metadata.google.internal/x",
            "https://metadata.google.internal./x",
            "https://router.home.arpa/x",
        ] {
            let allowed = Target {
                reach: Reach::Allowed,
                literal: None,
            };
            assert_eq!(judged(text), Ok(allowed), "{text}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_is_read_as_the_address() {
        for text in [
            "https://127.0.0.1/x",
            "https://127.1/x",
            "https://2130706433/x",
            "https://0x7f000001/x",
            "https://0177.0.0.1/x",
            "https://0x7f.0.0x0.1/x",
            "https://127.0.0.1./x",
            "https://\u{ff11}27.0.0.1/x",
        ] {
            assert_eq!(
                judged(text).unwrap().literal,
                Some(IpAddr::from([127, 0, 0, 1])),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_plain_https_or_is_ourselves_is_refused() {
        for text in [
            "http://claude.ai/x",
            "ftp://claude.ai/x",
            "https://user@claude.ai/x",
            "https://:secret@claude.ai/x",
            "https://auth.example.org/x",
            "https://AUTH.example.org.:443/x",
            "data:application/json,{}",
            "file:///etc/passwd",
        ] {
            assert!(matches!(judged(text), Err(FetchFault::Refused(_))), "{text}");
        }
    }
}
