//! The hosts that requests were for, as the proxy wrote them: read and looked up once, not for each request.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use mcp_gateway_model::resource::{Host, Protected, Resources};
use quick_cache::unsync::Cache;

/// A host as a proxy names it.
#[derive(Debug)]
pub(crate) struct Site {
    /// Host in lower case, and port if there is one.
    pub(crate) authority: String,
    /// What is protected there, if anything.
    host: Option<Arc<Host>>,
}

impl Site {
    /// Reads `host` or `host:port` (RFC 3986 §3.2) without user information; a list of hosts is none.
    pub(crate) fn read(value: &[u8], resources: &Resources) -> Option<Self> {
        let authority = authority(value)?;
        let host = resources.host(&authority);
        Some(Self { authority, host })
    }

    /// Whether anything is protected there.
    pub(crate) const fn is_protected(&self) -> bool {
        self.host.is_some()
    }

    /// The resource that a request to `path` is for.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<Protected>> {
        self.host.as_ref()?.at(path)
    }
}

/// The protected hosts that were asked about last.
pub(crate) struct Sites(RefCell<Cache<Box<[u8]>, Rc<Site>>>);

impl Sites {
    /// The most that are remembered: anybody can think of names below a wildcard.
    const MOST: usize = 1000;

    /// None yet.
    pub(crate) fn new() -> Self {
        Self(RefCell::new(Cache::new(Self::MOST)))
    }

    /// The host that a header means; `None` if it means none.
    pub(crate) fn find(&self, value: &[u8], resources: &Resources) -> Option<Rc<Site>> {
        let known = |value: &[u8]| self.0.borrow().get(value).map(Rc::clone);
        if let Some(site) = known(value) {
            return Some(site);
        }
        let site = Site::read(value, resources)?;
        if !site.is_protected() {
            return Some(Rc::new(site));
        }
        // a host that is written in another way is the same one, with the same resources
        let canonical = Resources::canonical(&site.authority);
        let host = known(canonical.as_bytes()).map_or_else(|| site.host.clone(), |known| known.host.clone());
        let remember = |value: &[u8], authority: &str| {
            let (authority, host) = (authority.to_owned(), host.clone());
            let site = Rc::new(Site { authority, host });
            self.0.borrow_mut().insert(value.into(), Rc::clone(&site));
            site
        };
        let first = remember(canonical.as_bytes(), &canonical);
        Some(if value == canonical.as_bytes() {
            first
        } else {
            remember(value, &site.authority)
        })
    }
}

/// The host in lower case, and the port if there is one.
pub(crate) fn authority(value: &[u8]) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use mcp_gateway_model::resource::Wildcard;

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
    fn a_bounded_number_of_protected_hosts_is_remembered_and_no_other() {
        let wildcard = Wildcard::parse("https://*.example.com").unwrap();
        let resources = Resources::new(vec![], vec![wildcard], "auth.example.com");
        let sites = Sites::new();
        for n in 0..3 * Sites::MOST {
            let site = sites.find(format!("h{n}.example.com").as_bytes(), &resources);
            assert!(site.unwrap().at("/").is_some());
        }
        assert!(sites.0.borrow().len() <= Sites::MOST);
        let first = sites.find(b"Echo.example.com", &resources).unwrap();
        let again = sites.find(b"Echo.example.com", &resources).unwrap();
        assert!(Rc::ptr_eq(&first, &again));
        let below = sites.find(b"echo.example.com", &resources).unwrap();
        for name in ["Echo.example.com", "ECHO.example.com:443", "echo.example.com:80"] {
            let same = sites.find(name.as_bytes(), &resources).unwrap();
            let (one, other) = (same.at("/").unwrap(), below.at("/").unwrap());
            assert!(Arc::ptr_eq(one, other), "{name}");
        }
        let remembered = sites.0.borrow().len();
        let elsewhere = sites.find(b"auth.example.com", &resources).unwrap();
        assert!(!elsewhere.is_protected());
        assert!(sites.find(b"a b", &resources).is_none());
        assert_eq!(sites.0.borrow().len(), remembered);
    }
}
