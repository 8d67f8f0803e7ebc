//! Whose descriptions are believed (`CLIENT_ID_METADATA_DOCUMENTS`).

use url::{Host, Url};

/// The hosts whose descriptions of clients are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DocumentPolicy {
    /// All that the public internet has.
    #[default]
    Open,
    /// None: an address is nobody's id.
    Off,
    /// These.
    Hosts(Vec<HostPattern>),
}

/// A host, or all below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    name: String,
    below: bool,
}

/// The text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDocumentPolicy {
    /// Nothing is listed.
    #[error("must be open, off, or a list of hosts")]
    Empty,
    /// One of the hosts is none.
    #[error(
        "must be open, off, or a list of hosts: \"{0}\" is not a host such as claude.ai or *.example.com"
    )]
    Host(String),
}

impl DocumentPolicy {
    /// Reads `open`, `off`, or hosts with commas between them: `claude.ai, *.example.com`.
    ///
    /// # Errors
    /// [`BadDocumentPolicy`] names what is not a host.
    pub fn parse(text: &str) -> Result<Self, BadDocumentPolicy> {
        match text.trim().to_ascii_lowercase().as_str() {
            "" => Err(BadDocumentPolicy::Empty),
            "open" => Ok(Self::Open),
            "off" => Ok(Self::Off),
            hosts => {
                let hosts = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
                let hosts: Vec<_> = hosts.map(HostPattern::parse).collect::<Result<_, _>>()?;
                if hosts.is_empty() {
                    return Err(BadDocumentPolicy::Empty);
                }
                Ok(Self::Hosts(hosts))
            }
        }
    }

    /// Whether a description at `url` is believed. The port is not looked at: the host answers for all of them.
    #[must_use]
    pub fn trusts(&self, url: &Url) -> bool {
        match self {
            Self::Open => true,
            Self::Off => false,
            Self::Hosts(hosts) => {
                let host = url.host_str().unwrap_or_default();
                hosts.iter().any(|pattern| pattern.matches(host))
            }
        }
    }
}

impl HostPattern {
    fn parse(text: &str) -> Result<Self, BadDocumentPolicy> {
        let (name, below) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        let is_address = |host: &Host| matches!(host, Host::Ipv4(_) | Host::Ipv6(_));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-.[]:".contains(c);
        let host = Host::parse(name).ok().filter(|host| host.to_string() == name);
        // one word is more likely a switch, such as `on`, than somebody's host
        let is_switch =
            |host: &Host| !below && !is_address(host) && name != "localhost" && !name.contains('.');
        match host {
            Some(host)
                if name.chars().all(is_plain) && !(below && is_address(&host)) && !is_switch(&host) =>
            {
                Ok(Self {
                    name: name.to_owned(),
                    below,
                })
            }
            _ => Err(BadDocumentPolicy::Host(text.to_owned())),
        }
    }

    fn matches(&self, host: &str) -> bool {
        if self.below {
            host.strip_suffix(&self.name)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            host == self.name
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusts(policy: &str, host: &str) -> bool {
        let url = Url::parse(&format!("https://{host}/x")).unwrap();
        DocumentPolicy::parse(policy).unwrap().trusts(&url)
    }

    #[test]
    fn a_list_trusts_what_is_on_it_and_nothing_that_looks_like_it() {
        let list = "claude.ai, *.Example.com ,127.0.0.1";
        for host in [
            "claude.ai",
            "claude.ai:8443",
            "a.example.com",
            "a.b.example.com",
            "127.0.0.1",
        ] {
            assert!(trusts(list, host), "{host}");
        }
        for host in [
            "www.claude.ai",
            "claude.ai.evil.com",
            "notclaude.ai",
            "claude.ai.",
            "example.com",
            "evilexample.com",
            "a.example.com.evil.com",
            "127.0.0.2",
        ] {
            assert!(!trusts(list, host), "{host}");
        }
    }

    #[test]
    fn open_trusts_everybody_and_off_nobody() {
        assert!(trusts("open", "evil.com") && trusts(" OPEN ", "evil.com"));
        assert!(!trusts("off", "claude.ai"));
    }

    #[test]
    fn what_is_no_list_of_hosts_is_refused() {
        for text in [
            "",
            ",",
            "https://claude.ai",
            "claude.ai/x",
            "*",
            "*.",
            "a.*.com",
            "claude.ai:443",
            "*.127.0.0.1",
            "a b",
        ] {
            assert!(DocumentPolicy::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_switch_that_there_is_not_is_no_host() {
        for text in ["on", "true", "maybe", "claude.ai, off", "none"] {
            let refused = DocumentPolicy::parse(text).unwrap_err().to_string();
            assert!(
                refused.starts_with("must be open, off, or a list of hosts"),
                "{refused}"
            );
        }
        for (text, host) in [
            ("localhost", "localhost"),
            ("*.internal", "a.internal"),
            ("[::1]", "[::1]"),
        ] {
            assert!(trusts(text, host), "{text}");
        }
    }
}
