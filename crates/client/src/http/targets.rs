//! Where calls may go.

use std::net::{IpAddr, SocketAddr};

use mcp_gateway_model::{
    internet::{is_local_name, is_public},
    issuer::is_loopback,
    proxy::Network,
};
use url::{Host, Url};

use super::{HttpFault, RefusedTarget};

/// The port of https.
const HTTPS: u16 = 443;

/// Where calls may go.
#[derive(Clone, Debug)]
pub enum Targets {
    /// Anywhere: the person at this machine names the addresses. http is for this machine only, unless `plain_http`.
    Any {
        /// Whether http may go to other machines.
        plain_http: bool,
    },
    /// To the public internet and to networks that the operator allows: strangers name the addresses. Names are resolved
    /// once, and every address they have is judged.
    Public(PublicOnly),
}

/// What is allowed besides https to the public internet.
#[derive(Clone, Debug)]
pub struct PublicOnly {
    /// Networks that may be asked too, at any port, over http as well.
    pub allowed: Vec<Network>,
    /// The ports of the public internet that may be asked.
    pub ports: Vec<u16>,
    /// The name servers; none means those of the system.
    pub name_servers: Vec<SocketAddr>,
}

impl Default for PublicOnly {
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            ports: vec![HTTPS],
            name_servers: Vec::new(),
        }
    }
}

impl Default for Targets {
    fn default() -> Self {
        Self::Any { plain_http: false }
    }
}

/// Which client may go to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The one for addresses that [`Targets`] let pass.
    Open,
    /// The one for the allowed networks.
    Inside,
}

impl Targets {
    /// Judges an address before anything is sent; what its name resolves to is judged later.
    pub(super) fn judge(&self, url: &Url) -> Result<Reach, HttpFault> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RefusedTarget::UserInformation.into());
        }
        let is_https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(RefusedTarget::NotHttp.into()),
        };
        let host = url.host().ok_or(RefusedTarget::NoHost)?;
        match self {
            Self::Any { plain_http } if is_https || *plain_http || is_loopback(url) => Ok(Reach::Open),
            Self::Any { .. } => Err(RefusedTarget::PlainHttp.into()),
            Self::Public(only) => only.judge(url, &host, is_https),
        }
    }

    /// Whether an address may be given to a person's browser or be asked, as far as it says itself.
    ///
    /// # Errors
    /// [`HttpFault::Refused`] says why not.
    pub fn allow(&self, url: &Url) -> Result<(), HttpFault> {
        self.judge(url).map(|_| ())
    }
}

impl PublicOnly {
    fn judge(&self, url: &Url, host: &Host<&str>, is_https: bool) -> Result<Reach, HttpFault> {
        let port = url.port_or_known_default().unwrap_or(HTTPS);
        let is_plain = is_https && self.ports.contains(&port);
        let address = match host {
            Host::Domain(name) => {
                let is_open = is_plain && !is_local_name(name);
                return Ok(if is_open { Reach::Open } else { Reach::Inside });
            }
            Host::Ipv4(address) => IpAddr::V4(*address),
            Host::Ipv6(address) => IpAddr::V6(*address),
        };
        // No name will be resolved, so this is the only judgement.
        if self.allows(address) {
            Ok(Reach::Inside)
        } else if is_plain && is_public(address) {
            Ok(Reach::Open)
        } else {
            Err(RefusedTarget::NotPublic.into())
        }
    }

    /// Whether an address lies in an allowed network.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|network| network.contains(address))
    }
}

/// Whether a redirect leads where none is followed: from https to http.
pub(super) fn is_elsewhere(from: &Url, to: &Url) -> bool {
    from.scheme() == "https" && to.scheme() != "https"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(targets: &Targets, text: &str) -> Result<Reach, HttpFault> {
        targets.judge(&Url::parse(text).unwrap())
    }

    #[test]
    fn http_is_for_this_machine_unless_it_is_said_otherwise() {
        let any = Targets::default();
        for text in [
            "https://mcp.example.com/mcp",
            "http://localhost:1/mcp",
            "http://127.0.0.1/",
            "http://[::1]:9/",
        ] {
            assert_eq!(judged(&any, text), Ok(Reach::Open), "{text}");
        }
        for text in [
            "http://mcp.example.com/mcp",
            "http://localhost.evil.com/",
            "http://192.168.1.1/",
        ] {
            assert_eq!(judged(&any, text), Err(RefusedTarget::PlainHttp.into()), "{text}");
        }
        let plain = Targets::Any { plain_http: true };
        assert_eq!(judged(&plain, "http://mcp.internal/mcp"), Ok(Reach::Open));
    }

    #[test]
    fn what_is_not_http_or_hides_its_host_is_refused() {
        for targets in [Targets::default(), Targets::Public(PublicOnly::default())] {
            for text in [
                "file:///etc/passwd",
                "data:text/plain,x",
                "javascript:alert(1)",
                "ftp://example.com/",
            ] {
                assert!(judged(&targets, text).is_err(), "{text}");
            }
            for text in ["https://user@example.com/", "https://:secret@example.com/"] {
                assert_eq!(
                    judged(&targets, text),
                    Err(RefusedTarget::UserInformation.into()),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn strangers_reach_the_public_internet_only() {
        let public = Targets::Public(PublicOnly {
            allowed: vec!["10.1.0.0/16".parse().unwrap()],
            ..PublicOnly::default()
        });
        assert_eq!(judged(&public, "https://printer.local/mcp"), Ok(Reach::Inside));
        assert_eq!(judged(&public, "https://claude.ai/mcp"), Ok(Reach::Open));
        assert_eq!(judged(&public, "https://1.1.1.1/mcp"), Ok(Reach::Open));
        assert_eq!(judged(&public, "http://10.1.2.3:3000/mcp"), Ok(Reach::Inside));
        for text in [
            "http://claude.ai/mcp",
            "https://claude.ai:8443/mcp",
            "https://localhost/mcp",
            "http://mcp:3000/",
        ] {
            assert_eq!(judged(&public, text), Ok(Reach::Inside), "{text}");
        }
        for text in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://169.254.169.254/latest/meta-data",
            "http://10.2.0.1/",
            "http://1.1.1.1/",
            "https://1.1.1.1:8443/",
        ] {
            assert_eq!(
                judged(&public, text),
                Err(RefusedTarget::NotPublic.into()),
                "{text}"
            );
        }
    }

    #[test]
    fn no_redirect_leads_from_https_to_http() {
        let (https, http) = ("https://example.com/a", "http://example.com/a");
        let url = |text: &str| Url::parse(text).unwrap();
        assert!(is_elsewhere(&url(https), &url(http)));
        assert!(!is_elsewhere(&url(http), &url(https)));
        assert!(!is_elsewhere(&url(https), &url(https)));
    }
}
