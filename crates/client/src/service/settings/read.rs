//! Reads the settings as they were written.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
};

use mcp_gateway_model::{
    issuer::is_loopback,
    proxy::{Network, TrustedProxies},
    secret::Secret,
};
use url::Url;

use super::{
    Faults, Limits, RedisSettings, ReturnTargets, Settings, StoreSettings, TokenSettings, Written,
    WrittenSecrets,
};
use crate::{
    http::{self, PublicOnly, Targets},
    service::store::Rate,
};

/// The fewest bytes of an encryption key.
const KEY_LENGTH: usize = 32;

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`Faults`]: all of them, each with the setting's name.
    pub fn read(written: Written, secrets: WrittenSecrets) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let default_url = format!("http://127.0.0.1:{}", written.port);
        let public_url = written.public_url.as_deref().unwrap_or(&default_url);
        let public_url = faults.or_note("MCP_CLIENT_PUBLIC_URL", public_address(public_url));
        let trusted_proxies = proxies(&written, &mut faults);
        let tokens = tokens(&written, public_url.as_deref(), &mut faults);
        let encryption_keys = keys(secrets.encryption_key.as_ref(), &mut faults);
        if secrets.redis_url.is_some() && secrets.encryption_key.is_none() {
            faults.note(
                "MCP_CLIENT_ENCRYPTION_KEY",
                "is needed with Redis: at least 32 characters, for instance of `openssl rand -base64 32`",
            );
        }
        let http = http(&written, &mut faults);
        let return_to = faults.or_note("MCP_CLIENT_RETURN_TO", ReturnTargets::parse(&written.return_to));
        match (public_url, trusted_proxies, http, return_to) {
            (Some(public_url), Some(trusted_proxies), Some(http), Some(return_to)) if faults.0.is_empty() => {
                Ok(Self {
                    host: written.host,
                    port: written.port,
                    public_url,
                    trusted_proxies,
                    tokens,
                    store: match secrets.redis_url {
                        None => StoreSettings::Directory(written.data_dir),
                        Some(url) => StoreSettings::Redis(RedisSettings {
                            url,
                            password: secrets.redis_password,
                            prefix: written.redis_prefix,
                            ca: http.extra_roots.clone(),
                        }),
                    },
                    encryption_keys,
                    http,
                    return_to,
                    limits: Limits {
                        requests: Rate::per_minute(written.requests_per_minute.max(1)),
                        ..Limits::default()
                    },
                })
            }
            _ => Err(faults),
        }
    }
}

/// The proxies whose headers are believed, if somebody is believed who can be.
fn proxies(written: &Written, faults: &mut Faults) -> Option<TrustedProxies> {
    let proxies = TrustedProxies::parse(&written.trusted_proxies);
    let proxies = faults.or_note("MCP_CLIENT_TRUSTED_PROXIES", proxies);
    if proxies == TrustedProxies::parse("").ok() && written.gateway_issuer.is_none() {
        faults.note(
            "MCP_CLIENT_TRUSTED_PROXIES or MCP_CLIENT_GATEWAY_ISSUER",
            "one of them is needed to know whose tokens these are: the addresses of the gateway's proxy, whose \
             X-User-Id header is believed then, or the issuer of the gateway whose access tokens callers send",
        );
    }
    if !can_be_reached(&written.host, &written.trusted_proxies) {
        faults.note(
            "MCP_CLIENT_HOST",
            format!(
                "{} is for this machine only, and none of MCP_CLIENT_TRUSTED_PROXIES is on it: 0.0.0.0 lets them in",
                written.host
            ),
        );
    }
    proxies
}

/// Whether a trusted proxy, if there is one, can connect to `host`: to an address of this machine only from this machine.
fn can_be_reached(host: &str, proxies: &str) -> bool {
    let is_here = |text: &str| text.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if !is_here(bare) && !bare.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let everybody = |entry: &str| entry.ends_with("/0");
    let mut entries = list(proxies).peekable();
    let are_none = entries.peek().is_none();
    are_none || entries.any(|entry| everybody(entry) || is_here(entry.split('/').next().unwrap_or_default()))
}

/// An origin, perhaps with a path, without a trailing slash.
pub(super) fn public_address(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be a URL such as https://mcp-client.example.com")?;
    let is_bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !is_bare || url.password().is_some() || url.host().is_none() {
        return Err("must have a host, and no query, fragment or user information");
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => return Err("must begin with https; http is for this machine only"),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn tokens(written: &Written, public_url: Option<&str>, faults: &mut Faults) -> Option<TokenSettings> {
    let Some(issuer) = &written.gateway_issuer else {
        if written.audience.is_some() {
            faults.note(
                "MCP_CLIENT_AUDIENCE",
                "means something with MCP_CLIENT_GATEWAY_ISSUER only",
            );
        }
        return None;
    };
    let issuer = faults.or_note("MCP_CLIENT_GATEWAY_ISSUER", public_address(issuer))?;
    let audience = written.audience.as_deref().or(public_url)?;
    Some(TokenSettings {
        issuer,
        audience: audience.to_owned(),
    })
}

fn keys(written: Option<&Secret>, faults: &mut Faults) -> Vec<Secret> {
    let text = written.map(Secret::reveal).unwrap_or_default();
    let keys: Vec<_> = text
        .split(',')
        .map(str::trim)
        .filter(|key| !key.is_empty())
        .collect();
    if keys.iter().any(|key| key.len() < KEY_LENGTH) || (written.is_some() && keys.is_empty()) {
        faults.note(
            "MCP_CLIENT_ENCRYPTION_KEY",
            "each key must have at least 32 characters",
        );
    }
    keys.into_iter()
        .map(|key| Secret::presented(key.to_owned()))
        .collect()
}

fn http(written: &Written, faults: &mut Faults) -> Option<http::Settings> {
    let allowed = list(&written.allowed_networks)
        .map(str::parse::<Network>)
        .collect();
    let allowed: Option<Vec<_>> = faults.or_note("MCP_CLIENT_ALLOWED_NETWORKS", allowed);
    let ports = list(&written.allowed_ports).map(str::parse::<u16>).collect();
    let ports: Option<Vec<_>> = faults.or_note("MCP_CLIENT_ALLOWED_PORTS", ports);
    let servers = list(&written.dns_servers).map(name_server).collect();
    let name_servers: Option<Vec<_>> = faults.or_note("MCP_CLIENT_DNS_SERVERS", servers);
    let roots = written.ca_file.as_deref().map(certificates).transpose();
    let extra_roots = faults.or_note("MCP_CLIENT_CA_FILE", roots);
    Some(http::Settings {
        targets: Targets::Public(PublicOnly {
            allowed: allowed?,
            ports: ports?,
            name_servers: name_servers?,
        }),
        extra_roots: extra_roots?,
        ..http::Settings::default()
    })
}

pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn name_server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text
        .parse()
        .or_else(|_| text.parse().map(|ip| SocketAddr::new(ip, 53)));
    with_port.map_err(|_| format!("\"{text}\" is no address such as 9.9.9.9 or 127.0.0.1:5353"))
}

fn certificates(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Written {
        Written {
            host: "127.0.0.1".into(),
            port: 8001,
            trusted_proxies: "127.0.0.1".into(),
            requests_per_minute: 60,
            ..Written::default()
        }
    }

    #[test]
    fn the_redirect_uri_follows_the_public_address() {
        let read = |public_url: Option<&str>| {
            let written = Written {
                public_url: public_url.map(Into::into),
                ..written()
            };
            Settings::read(written, WrittenSecrets::default())
                .unwrap()
                .redirect_uri()
        };
        assert_eq!(read(None), "http://127.0.0.1:8001/api/mcp/oauth/callback");
        assert_eq!(
            read(Some("https://avatarai.social/")),
            "https://avatarai.social/api/mcp/oauth/callback"
        );
        assert_eq!(
            read(Some("https://example.com/tools")),
            "https://example.com/tools/api/mcp/oauth/callback"
        );
    }

    #[test]
    fn nobody_is_believed_unless_the_operator_says_whom() {
        let written = Written {
            trusted_proxies: String::new(),
            ..written()
        };
        let faults = Settings::read(written, WrittenSecrets::default())
            .unwrap_err()
            .to_string();
        assert!(
            faults.starts_with("MCP_CLIENT_TRUSTED_PROXIES or MCP_CLIENT_GATEWAY_ISSUER: "),
            "{faults}"
        );
    }

    #[test]
    fn a_proxy_elsewhere_must_be_able_to_connect() {
        let read = |host: &str, proxies: &str| {
            let written = Written {
                host: host.into(),
                trusted_proxies: proxies.into(),
                ..written()
            };
            Settings::read(written, WrittenSecrets::default())
        };
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let faults = read(host, "10.0.0.2, 192.168.0.0/16").unwrap_err().to_string();
            assert!(faults.starts_with("MCP_CLIENT_HOST: "), "{faults}");
        }
        for (host, proxies) in [
            ("0.0.0.0", "10.0.0.2"),
            ("127.0.0.1", "10.0.0.2, 127.0.0.1"),
            ("127.0.0.1", "127.0.0.5"),
            ("127.0.0.1", "0.0.0.0/0"),
            ("[::1]", "::1"),
        ] {
            assert!(read(host, proxies).is_ok(), "{host} {proxies}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once_with_the_names_of_the_settings() {
        let written = Written {
            public_url: Some("http://example.com".into()),
            trusted_proxies: "proxy".into(),
            gateway_issuer: Some("auth.example.com".into()),
            allowed_networks: "10.0.0.0/33".into(),
            allowed_ports: "https".into(),
            dns_servers: "dns".into(),
            ca_file: Some("/nowhere".into()),
            return_to: "//evil.com".into(),
            ..written()
        };
        let secrets = WrittenSecrets {
            redis_url: Some(Secret::presented("redis://redis".into())),
            ..WrittenSecrets::default()
        };
        let faults = Settings::read(written, secrets).unwrap_err().to_string();
        for name in [
            "PUBLIC_URL",
            "TRUSTED_PROXIES",
            "GATEWAY_ISSUER",
            "ENCRYPTION_KEY",
            "ALLOWED_NETWORKS",
            "ALLOWED_PORTS",
            "DNS_SERVERS",
            "CA_FILE",
            "RETURN_TO",
        ] {
            assert!(
                faults.contains(&format!("MCP_CLIENT_{name}: ")),
                "{name} in {faults}"
            );
        }
    }

    #[test]
    fn short_keys_are_refused() {
        for key in ["short", ",", "0123456789abcdef0123456789abcdef,short"] {
            let secrets = WrittenSecrets {
                encryption_key: Some(Secret::presented(key.into())),
                ..WrittenSecrets::default()
            };
            assert!(Settings::read(written(), secrets).is_err(), "{key}");
        }
    }
}
