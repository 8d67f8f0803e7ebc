//! Whom the `X-Forwarded-*` headers are believed from, and the address of the client that follows.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

/// A range of addresses: an address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether `address` lies in the range. An IPv4 address inside IPv6 (`::ffff:a.b.c.d`) counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    /// Reads `10.0.0.0/8`, `fd00::/8` or a single address.
    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| bad())?;
        if bits > most {
            Err(bad())
        } else {
            Ok(Self { address, bits })
        }
    }
}

/// The text is neither an address nor a range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither an IP address nor a range such as 10.0.0.0/8")]
pub struct BadNetwork(String);

/// The proxies whose `X-Forwarded-*` headers are believed (`TRUSTED_PROXIES`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl Default for TrustedProxies {
    /// Loopback and the private ranges.
    fn default() -> Self {
        let v4 = |a, b, bits| Network {
            address: IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)),
            bits,
        };
        let v6 = |first, bits| Network {
            address: IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0)),
            bits,
        };
        let loopback6 = Network {
            address: IpAddr::V6(Ipv6Addr::LOCALHOST),
            bits: 128,
        };
        Self(vec![
            v4(127, 0, 8),
            v4(10, 0, 8),
            v4(172, 16, 12),
            v4(192, 168, 16),
            loopback6,
            v6(0xfc00, 7),
        ])
    }
}

impl TrustedProxies {
    /// Reads a list separated by commas; an empty one trusts nobody.
    ///
    /// # Errors
    /// [`BadNetwork`] with the entry that cannot be read.
    pub fn parse(text: &str) -> Result<Self, BadNetwork> {
        text.split(',')
            .map(str::trim)
            .filter(|e| !e.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether `peer` is one of them.
    #[must_use]
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(peer))
    }

    /// The address of the client: the peer, or if that is a trusted proxy, the last address in `X-Forwarded-For` that
    /// is not one. What a client wrote in front of that is not believed.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, forwarded_for: &str) -> IpAddr {
        let mut address = peer;
        for hop in forwarded_for.rsplit(',').map(str::trim) {
            if !self.trusts(address) {
                break;
            }
            match address_of(hop) {
                Some(hop) => address = hop,
                None => break,
            }
        }
        address.to_canonical()
    }
}

/// The address in `a.b.c.d`, `a.b.c.d:port`, `[v6]`, `[v6]:port` or `v6`: proxies write all of these.
fn address_of(hop: &str) -> Option<IpAddr> {
    let bare = hop
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(hop);
    bare.parse()
        .ok()
        .or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_hold_what_they_should() {
        let proxies = TrustedProxies::parse("10.0.0.0/8, 192.0.2.7, fd00::/8").unwrap();
        for inside in ["10.255.0.1", "192.0.2.7", "fd12::1", "::ffff:10.0.0.1"] {
            assert!(proxies.trusts(ip(inside)), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.8", "fe80::1", "::1"] {
            assert!(!proxies.trusts(ip(outside)), "{outside}");
        }
        assert!(TrustedProxies::default().trusts(ip("172.31.0.2")));
        assert!(!TrustedProxies::default().trusts(ip("172.32.0.2")));
        assert!(!TrustedProxies::parse("").unwrap().trusts(ip("127.0.0.1")));
        assert!(TrustedProxies::parse("0.0.0.0/0").unwrap().trusts(ip("8.8.8.8")));
        assert!(TrustedProxies::parse("10.0.0.0/33").is_err());
    }

    #[test]
    fn a_client_cannot_write_its_own_address() {
        let proxies = TrustedProxies::default();
        assert_eq!(
            proxies.client_address(ip("203.0.113.9"), "1.2.3.4"),
            ip("203.0.113.9")
        );
        assert_eq!(
            proxies.client_address(ip("10.0.0.2"), "1.2.3.4, 203.0.113.9"),
            ip("203.0.113.9")
        );
        assert_eq!(
            proxies.client_address(ip("10.0.0.2"), "1.2.3.4, 203.0.113.9, 10.0.0.3"),
            ip("203.0.113.9")
        );
        assert_eq!(proxies.client_address(ip("10.0.0.2"), ""), ip("10.0.0.2"));
        assert_eq!(proxies.client_address(ip("10.0.0.2"), "nonsense"), ip("10.0.0.2"));
        assert_eq!(
            proxies.client_address(ip("10.0.0.2"), "203.0.113.9:4711"),
            ip("203.0.113.9")
        );
        assert_eq!(
            proxies.client_address(ip("10.0.0.2"), "[2001:db8::1]:4711"),
            ip("2001:db8::1")
        );
        assert_eq!(
            proxies.client_address(ip("10.0.0.2"), "2001:db8::1"),
            ip("2001:db8::1")
        );
    }
}
