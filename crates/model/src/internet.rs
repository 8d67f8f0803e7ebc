//! Which addresses and names are somebody's on the public internet: what a stranger names may lead nowhere else.
//!
//! The ranges are those that the registries of special-purpose addresses
//! ([RFC 6890](https://www.rfc-editor.org/rfc/rfc6890)) do not call globally reachable, and those that lead to an IPv4
//! address by another way. For IPv6 it is the other way round: what lies outside of the unicast range is nobody's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 ranges that are not public: first address and number of bits.
const NOT_PUBLIC_V4: [([u8; 4], u32); 19] = [
    ([0, 0, 0, 0], 8),        // this network
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // shared by customers of a provider
    ([127, 0, 0, 0], 8),      // loopback
    ([168, 63, 129, 16], 32), // a cloud's own services, though from a public range
    ([169, 254, 0, 0], 16),   // link-local, metadata services of clouds
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 31, 196, 0], 24),  // AS112
    ([192, 52, 193, 0], 24),  // multicast tunnels
    ([192, 88, 99, 0], 24),   // relays of 6to4
    ([192, 168, 0, 0], 16),   // private
    ([192, 175, 48, 0], 24),  // AS112
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, broadcast
];

/// IPv6 ranges that are not public although they lie in the unicast range `2000::/3`. Loopback, v4-mapped, v4-compatible,
/// NAT64, discard, unique local, link-local, site-local and multicast addresses lie outside of that.
const NOT_PUBLIC_V6: [(u16, u16, u32); 5] = [
    (0x2001, 0x0000, 23), // protocol assignments: Teredo, benchmarks, ORCHID
    (0x2001, 0x0db8, 32), // documentation
    (0x2002, 0x0000, 16), // 6to4
    (0x2620, 0x004f, 32), // AS112
    (0x3fff, 0x0000, 20), // documentation
];

/// Last labels of names that are not the internet's
/// ([RFC 6761](https://www.rfc-editor.org/rfc/rfc6761), [RFC 6762](https://www.rfc-editor.org/rfc/rfc6762),
/// [RFC 8375](https://www.rfc-editor.org/rfc/rfc8375), and what networks use among themselves).
const LOCAL_NAMES: [&str; 16] = [
    "localhost",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "localdomain",
    "test",
    "example",
    "invalid",
    "onion",
    "alt",
    "home.arpa",
    "in-addr.arpa",
];

/// Whether an address is somebody's on the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4
            .iter()
            .any(|(first, bits)| same_v4(address, Ipv4Addr::from(*first), *bits)),
        IpAddr::V6(address) => {
            let unicast = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
            let within = |(one, two, bits): &(u16, u16, u32)| {
                same_v6(address, Ipv6Addr::new(*one, *two, 0, 0, 0, 0, 0, 0), *bits)
            };
            same_v6(address, unicast, 3) && !NOT_PUBLIC_V6.iter().any(within)
        }
    }
}

const fn same_v4(one: Ipv4Addr, other: Ipv4Addr, bits: u32) -> bool {
    (one.to_bits() ^ other.to_bits()).leading_zeros() >= bits
}

const fn same_v6(one: Ipv6Addr, other: Ipv6Addr, bits: u32) -> bool {
    (one.to_bits() ^ other.to_bits()).leading_zeros() >= bits
}

/// Whether a name is none of the internet's: a single label, or below a label for local use.
#[must_use]
pub fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let below = |label: &str| name.strip_suffix(label).is_some_and(|rest| rest.ends_with('.'));
    !name.contains('.')
        || LOCAL_NAMES.iter().any(|label| below(label))
        || LOCAL_NAMES.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_public_internet_are_public() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "3fff:1000::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn addresses_that_are_nobodys_or_lead_inside_are_not() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.0",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "4000::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn names_for_local_use_are_local_however_they_are_written() {
        for name in [
            "localhost",
            "a.LOCALHOST.",
            "printer",
            "printer.local",
            "metadata.google.internal",
            "x.home.arpa",
        ] {
            assert!(is_local_name(name), "{name}");
        }
        for name in ["example.com", "local.example.com", "notlocal.org", "internal.io."] {
            assert!(!is_local_name(name), "{name}");
        }
    }
}
