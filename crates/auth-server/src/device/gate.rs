//! Which clients may ask for a device.

use mcp_gateway_model::{
    client::{Client, ClientOrigin, GrantType},
    error::ErrorCode,
};
use url::Url;

use crate::{door::Rejection, settings::DeviceGrant};

/// Whether this client may ask for a device at all.
///
/// # Errors
/// `unauthorized_client` ([RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
pub(crate) fn may_ask(policy: &DeviceGrant, client: &Client) -> Result<(), Rejection> {
    let refused =
        |description, reason| Err(Rejection::new(ErrorCode::UnauthorizedClient, description, reason));
    if !client.metadata.grant_types.contains(&GrantType::DeviceCode) {
        return refused(
            "the client did not register this grant_type",
            "grant_type_not_registered",
        );
    }
    if !is_known(policy, client.origin, client.id.as_str()) {
        return refused(
            "this client may not ask for devices: the operator of this server has to allow it (DEVICE_GRANT)",
            "device_grant_not_allowed",
        );
    }
    Ok(())
}

fn is_known(policy: &DeviceGrant, origin: ClientOrigin, id: &str) -> bool {
    match (policy, origin) {
        (DeviceGrant::Open, _) | (DeviceGrant::Listed(_), ClientOrigin::PreRegistered) => true,
        (DeviceGrant::Listed(hosts), ClientOrigin::MetadataDocument) => {
            let url = Url::parse(id).ok();
            let host = url.as_ref().and_then(Url::host_str);
            host.is_some_and(|host| hosts.iter().any(|pattern| matches(pattern, host)))
        }
        (DeviceGrant::Off, _)
        | (DeviceGrant::Listed(_), ClientOrigin::Registered | ClientOrigin::RegisteredWithToken) => false,
    }
}

/// Whether `pattern`, a host or `*.` and a domain, means `host`. A wildcard stands for one label or more.
fn matches(pattern: &str, host: &str) -> bool {
    pattern.strip_prefix("*.").map_or(pattern == host, |domain| {
        let below = host
            .strip_suffix(domain)
            .and_then(|below| below.strip_suffix('.'));
        below.is_some_and(|below| !below.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_only_clients_that_the_operator_knows_may_ask() {
        use ClientOrigin::{MetadataDocument, PreRegistered, Registered, RegisteredWithToken};
        let hosts = ["tv.example.com", "*.example.org"].map(str::to_owned);
        let default = DeviceGrant::default();
        let listed = DeviceGrant::Listed(hosts.to_vec());
        for (policy, origin, id, allowed) in [
            (&default, PreRegistered, "tool", true),
            (&default, Registered, "tool", false),
            (&default, RegisteredWithToken, "tool", false),
            (&default, MetadataDocument, "https://tv.example.com/c.json", false),
            (&listed, MetadataDocument, "https://tv.example.com/c.json", true),
            (&listed, MetadataDocument, "https://a.example.org/c.json", true),
            (
                &listed,
                MetadataDocument,
                "https://evil.net/tv.example.com",
                false,
            ),
            (
                &listed,
                MetadataDocument,
                "https://tv.example.com.evil.net/",
                false,
            ),
            // The id of a client that registered itself is no address, whatever it looks like.
            (&listed, Registered, "https://tv.example.com/c.json", false),
            (&listed, PreRegistered, "tool", true),
            (&DeviceGrant::Open, Registered, "tool", true),
            (&DeviceGrant::Off, PreRegistered, "tool", false),
        ] {
            assert_eq!(
                is_known(policy, origin, id),
                allowed,
                "{policy:?} {origin:?} {id}"
            );
        }
    }

    #[test]
    fn a_wildcard_means_the_hosts_below_and_not_the_domain_itself() {
        for (pattern, host, meant) in [
            ("claude.ai", "claude.ai", true),
            ("claude.ai", "evil-claude.ai", false),
            ("*.example.com", "tv.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "evilexample.com", false),
            ("*.example.com", ".example.com", false),
        ] {
            assert_eq!(matches(pattern, host), meant, "{pattern} {host}");
        }
    }
}
