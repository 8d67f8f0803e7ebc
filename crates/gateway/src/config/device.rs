//! Which clients may ask for devices without a browser.

use mcp_gateway_auth_server::settings::DeviceGrant;
use url::Url;

use super::{Role, reader::Reader};

pub(super) fn read(r: &mut Reader<'_>, role: Role) -> DeviceGrant {
    let hosts = r.parsed("DEVICE_GRANT_HOSTS", hosts).unwrap_or_default();
    let listed = hosts.clone();
    let policy = r.parsed("DEVICE_GRANT", |text| match text.to_ascii_lowercase().as_str() {
        "listed" => Ok(DeviceGrant::Listed(listed)),
        "off" => Ok(DeviceGrant::Off),
        "open" => Ok(DeviceGrant::Open),
        _ => Err("must be listed, off or open"),
    });
    let policy = policy.unwrap_or(DeviceGrant::Listed(hosts));
    if !matches!(policy, DeviceGrant::Listed(_)) && r.has("DEVICE_GRANT_HOSTS") {
        r.warnings
            .push("DEVICE_GRANT_HOSTS has no effect: DEVICE_GRANT is not listed".to_owned());
    }
    if policy == DeviceGrant::Open && role != Role::Verifier {
        r.warnings.push(
            "DEVICE_GRANT=open: whoever registers may send people a code to type, and gets tokens in the name of those who do"
                .to_owned(),
        );
    }
    policy
}

/// Hosts, or `*.` and a domain, comma-separated.
fn hosts(text: &str) -> Result<Vec<String>, String> {
    let hosts = text.split(',').map(str::trim).filter(|host| !host.is_empty());
    hosts.map(host).collect()
}

fn host(text: &str) -> Result<String, String> {
    let text = text.to_ascii_lowercase();
    let plain = text.strip_prefix("*.").unwrap_or(&text);
    let url = Url::parse(&format!("https://{plain}/")).ok();
    let is_host = url.is_some_and(|url| url.host_str() == Some(plain) && url.port().is_none());
    // one word is more likely a switch, such as `on`, than somebody's host
    let is_switch = plain == text && !text.contains(['.', ':']) && text != "localhost";
    if is_host && !plain.contains('*') && !is_switch {
        Ok(text)
    } else {
        Err(format!(
            "has \"{text}\": it must list hosts such as claude.ai or *.example.com, without https:// and paths; DEVICE_GRANT says whether they count: listed, off or open"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_hosts_and_nothing_else() {
        let good = hosts("Claude.ai, *.example.com,").unwrap();
        assert_eq!(good, ["claude.ai", "*.example.com"]);
        for wrong in [
            "https://claude.ai",
            "claude.ai/x",
            "claude.ai:443",
            "*",
            "a.*.com",
            "*.*.com",
            "a b",
            "u@h",
            "on",
            "open",
            "claude.ai, true",
        ] {
            assert!(hosts(wrong).is_err(), "{wrong}");
        }
    }
}
