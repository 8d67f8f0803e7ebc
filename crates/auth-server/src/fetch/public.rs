//! Which addresses may be asked.

use std::net::{IpAddr, SocketAddr};

use mcp_gateway_model::{internet::is_public, proxy::Network};

use super::{FetchFault, fault::NameFault};

/// Says which addresses may be asked.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    allowed: Vec<Network>,
    only_allowed: bool,
}

impl Judge {
    /// Public addresses may be asked, and those in `allowed`.
    pub(super) const fn new(allowed: Vec<Network>) -> Self {
        Self {
            allowed,
            only_allowed: false,
        }
    }

    /// The same without the public addresses.
    pub(super) fn only_allowed(mut self) -> Self {
        self.only_allowed = true;
        self
    }

    /// All addresses of an answer, if each of them may be asked.
    pub(super) fn all(
        &self,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, FetchFault> {
        let addresses: Vec<_> = addresses.into_iter().collect();
        if addresses.iter().all(|address| self.may_be_asked(address.ip())) {
            Ok(addresses)
        } else {
            Err(FetchFault::Name(NameFault::NotPublic))
        }
    }

    fn may_be_asked(&self, address: IpAddr) -> bool {
        let is_allowed = self.allowed.iter().any(|network| network.contains(address));
        is_allowed || (!self.only_allowed && is_public(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_address_spoils_the_answer() {
        let judge = Judge::new(vec!["10.1.0.0/16".parse().unwrap()]);
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        assert!(judge.all([at("1.1.1.1"), at("10.1.2.3")]).is_ok());
        for bad in ["10.2.0.1", "::1", "::ffff:10.2.0.1"] {
            assert_eq!(
                judge.all([at("1.1.1.1"), at(bad)]),
                Err(FetchFault::Name(NameFault::NotPublic)),
                "{bad}"
            );
        }
        let inside = judge.only_allowed();
        assert!(inside.all([at("10.1.2.3")]).is_ok());
        assert_eq!(
            inside.all([at("1.1.1.1")]),
            Err(FetchFault::Name(NameFault::NotPublic))
        );
    }
}
