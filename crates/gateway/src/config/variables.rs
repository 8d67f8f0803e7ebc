//! Every setting there is: its variable, its default, what it means.

use std::fmt::Write as _;

/// A setting, under the name of its environment variable. The key in the TOML file is the same in lower case.
#[derive(Debug)]
pub(crate) struct Variable {
    /// The name in the environment.
    pub(crate) name: &'static str,
    /// The default as `--help` shows it; empty for none.
    pub(crate) default: &'static str,
    /// Whether it must not be shown, and may be given as a file (`NAME_FILE`).
    pub(crate) secret: bool,
    /// What it means.
    pub(crate) meaning: &'static str,
}

pub(super) const fn plain(name: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        default,
        secret: false,
        meaning,
    }
}

pub(super) const fn secret(name: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        default: "",
        secret: true,
        meaning,
    }
}

/// All of them, in the order in which `--help` and `check-config` show them.
pub(crate) const VARIABLES: &[Variable] = &[
    plain("GITHUB_CLIENT_ID", "", "client id of the GitHub OAuth App"),
    secret("GITHUB_CLIENT_SECRET", "its secret"),
    plain("GITHUB_WEB_URL", "https://github.com", "where people log in"),
    plain(
        "GITHUB_API_URL",
        "https://api.github.com",
        "GitHub's API; https://<instance>/api/v3 for Enterprise Server",
    ),
    plain(
        "BASE_DOMAIN",
        "",
        "example.com: issuer https://auth.example.com, resources https://*.example.com",
    ),
    plain(
        "MCP_OAUTH_ISSUER",
        "from BASE_DOMAIN, else loopback",
        "the issuer, without a trailing slash",
    ),
    plain(
        "DEFAULT_RESOURCE",
        "",
        "the resource of clients that send none; the only one if no other is configured",
    ),
    plain("HOST", "127.0.0.1", "address to listen on; --host"),
    plain("PORT", "8000", "port to listen on; --port"),
    plain(
        "METRICS_LISTEN",
        "off",
        "address and port of the listener for /metrics, such as 127.0.0.1:9000",
    ),
    plain(
        "TRUSTED_PROXIES",
        "loopback and private ranges",
        "whose X-Forwarded-* headers are believed",
    ),
    plain(
        "REGISTRATION",
        "open",
        "who may register clients: open (everybody), token (who has an initial access token), off (nobody)",
    ),
    secret(
        "REGISTRATION_TOKEN",
        "initial access tokens, 32 characters or more, separated by commas: clients that register with one pass every gate",
    ),
    plain(
        "REGISTRATION_REDIRECT_HOSTS",
        "anywhere",
        "where clients that register without a token may be redirected to: claude.ai, *.example.com, loopback, cursor:",
    ),
    plain(
        "REGISTRATION_CLIENT_CREDENTIALS",
        "token (dev: open)",
        "open: clients that register without a token may act for themselves too",
    ),
    plain(
        "REGISTRATION_UNUSED_LIMIT",
        "10000",
        "how many registered clients there may be that no person ever allowed anything; the oldest make room",
    ),
    plain(
        "CLIENT_ID_METADATA_DOCUMENTS",
        "open",
        "clients known by the address of their description: open, off, or hosts such as claude.ai, *.example.com",
    ),
    plain(
        "FETCH_ALLOWED_NETWORKS",
        "",
        "networks that descriptions and keys of clients may be read from although they are not public",
    ),
    plain(
        "FETCH_PORTS",
        "443",
        "ports of the public internet that they may be read from",
    ),
    plain(
        "FETCH_CA_FILE",
        "",
        "certificates that are trusted there beside the system's, PEM",
    ),
    plain(
        "FETCH_DNS_SERVERS",
        "the system's",
        "name servers to ask for their addresses, such as 9.9.9.9, 10.0.0.2:5353",
    ),
    plain(
        "METADATA_AT_ISSUER",
        "false",
        "true: challenges name metadata at the issuer, for routers that lead discovery nowhere else",
    ),
    plain(
        "AUTHORIZATION_RESPONSE_ISS",
        "true",
        "false: no iss in authorization responses, for clients that lose it; verifier too",
    ),
    plain(
        "LEGACY_ENDPOINTS",
        "false",
        "true: /authorize, /token and /register on protected hosts too, for clients of 2025-03-26",
    ),
    plain(
        "MCP_CORS_ORIGINS",
        "*",
        "browser origins that may call the endpoints made for clients, without credentials",
    ),
    secret(
        "REDIS_URL",
        "redis://host, redis+sentinel://host,host/master or redis+cluster://host,host; rediss for TLS; user, password and \
         database number as usual",
    ),
    secret(
        "REDIS_PASSWORD",
        "the password, if it should not stand in the URL",
    ),
    secret(
        "REDIS_SENTINEL_PASSWORD",
        "the password of the sentinels themselves, if they want one",
    ),
    plain(
        "REDIS_CA_FILE",
        "",
        "certificates that rediss:// trusts, PEM, in place of the system's",
    ),
    plain(
        "REDIS_WAIT_REPLICAS",
        "0; 1 with Sentinel",
        "how many replicas must confirm what takes or ends something; verifier too",
    ),
    plain(
        "DATA_DIR",
        "",
        "directory of the embedded store, in place of Redis; serve only",
    ),
    secret(
        "STORE_ENCRYPTION_KEY",
        "32 bytes or more that seal private keys; comma-separated for rotation, the first seals",
    ),
    plain(
        "ALLOWED_GITHUB_USERS",
        "nobody",
        "logins or numeric ids, comma-separated; * = everybody",
    ),
    plain(
        "ADMIN_GITHUB_USERS",
        "nobody",
        "logins or numeric ids of those who may look at any client's registration with a token that has the scope admin",
    ),
    plain(
        "MEMBERSHIP_RECHECK",
        "900",
        "seconds after which GitHub is asked again whether a user belongs to an organisation or team",
    ),
    plain(
        "MEMBERSHIP_GRACE",
        "3600",
        "for how many seconds more its old answer counts when it gives no new one",
    ),
    plain(
        "JWT_ALGORITHM",
        "RS256",
        "RS256, ES256, EdDSA or HS256 (serve only)",
    ),
    secret(
        "JWT_PRIVATE_KEY_B64",
        "private key in PEM, in base64; without one a key is generated and kept in the store",
    ),
    secret(
        "JWT_SECRET",
        "signs with HS256 (32 bytes or more); seals the store when STORE_ENCRYPTION_KEY is unset",
    ),
    secret("MCP_OAUTH_SECRET_KEY", "another name of JWT_SECRET"),
    plain(
        "X_AUTH_TOKEN",
        "off",
        "bearer: hand the client's token to the backend in X-Auth-Token",
    ),
    plain("ACCESS_TOKEN_LIFETIME", "1800", "seconds an access token lives"),
    plain(
        "REFRESH_TOKEN_LIFETIME",
        "31536000",
        "seconds a refresh token lives since its last use",
    ),
    plain(
        "REFRESH_TOKENS",
        "always",
        "always, or offline_access: only clients that were granted that scope get refresh tokens",
    ),
    plain(
        "DEVICE_GRANT",
        "listed",
        "who may ask for devices without a browser: listed (pre-registered clients and DEVICE_GRANT_HOSTS), off, open",
    ),
    plain(
        "DEVICE_GRANT_HOSTS",
        "",
        "hosts whose metadata documents may ask for devices, comma-separated; *.example.com = all below",
    ),
    plain(
        "SESSION_TIMEOUT",
        "300",
        "seconds a person has for consent and login",
    ),
    plain(
        "CLIENT_LIFETIME",
        "7776000",
        "seconds a client lives since its last use; 0 = never ends",
    ),
    plain(
        "UNUSED_CLIENT_LIFETIME",
        "86400",
        "seconds a client lives that nobody has allowed anything",
    ),
    plain(
        "MCP_OAUTH_ACCESS_TOKEN_EXPIRE_MINUTES",
        "",
        "ACCESS_TOKEN_LIFETIME in minutes",
    ),
    plain(
        "MCP_OAUTH_AUTHORIZATION_CODE_EXPIRE_MINUTES",
        "60 s",
        "minutes an authorization code lives, at most 10",
    ),
    plain(
        "MCP_OAUTH_ENABLED",
        "true",
        "false: no OAuth endpoints, nobody can log in; only MCP_API_KEY and personal access tokens are good",
    ),
    plain(
        "VERIFIER_CACHE_ENTRIES",
        "50000",
        "how many tokens that were found good the verifier remembers at most; 0: none, the store is asked on every request",
    ),
    plain(
        "VERIFIER_CACHE_BYTES",
        "67108864",
        "how many bytes they may take, 0: none",
    ),
    secret(
        "MCP_API_KEY",
        "one key of 32 characters or more, a bearer token of the user api-key; needs the two below",
    ),
    plain(
        "MCP_API_KEY_RESOURCES",
        "",
        "addresses of the protected servers that MCP_API_KEY opens, comma-separated",
    ),
    plain(
        "MCP_API_KEY_SCOPES",
        "",
        "scopes that MCP_API_KEY has there, comma-separated",
    ),
    plain(
        "MCP_HTTPS_ENABLED",
        "false",
        "TLS by the gateway itself; needs the two files",
    ),
    plain("MCP_SSL_CERT_FILE", "", "certificate chain, PEM"),
    plain("MCP_SSL_KEY_FILE", "", "private key, PEM"),
    plain(
        "LOG_LEVEL",
        "info",
        "error, warn, info, debug, trace; also per module: info,mcp_gateway_verifier=debug",
    ),
    plain("LOG_FORMAT", "text on a terminal, else json", "text or json"),
    plain("LOG_FILE", "", "also write the log to this file"),
    plain(
        "SHUTDOWN_DELAY",
        "1",
        "seconds between a failing /readyz and the end of listening",
    ),
    plain("GATEWAY_CONFIG", "", "the TOML file; --config"),
    plain("MCP_PROTOCOL_VERSION", "", "accepted without effect"),
    plain("ACME_EMAIL", "", "read by docker-compose.yml only"),
];

/// The setting whose variable or TOML key this is.
pub(crate) fn named(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|v| v.name.eq_ignore_ascii_case(name))
}

/// The secret that `name` gives as a file.
pub(crate) fn of_file(name: &str) -> Option<&'static Variable> {
    let length = name.len().checked_sub("_FILE".len())?;
    let (stem, end) = name.split_at_checked(length)?;
    let variable = named(stem)?;
    (variable.secret && end.eq_ignore_ascii_case("_FILE")).then_some(variable)
}

/// The table for `--help`.
pub(crate) fn help() -> String {
    let mut text =
        String::from("Environment variables (the same names in lower case are the keys of the TOML file):\n");
    for v in VARIABLES {
        let file = if v.secret { " [or as a file: ..._FILE]" } else { "" };
        entry(&mut text, v, file);
    }
    text.push_str("\nResources, their rules, clients and limits stand in the TOML file only (docs/configuration.md):\n  [[resource]]\n  uri = \"https://echo.example.com/mcp\"\n  name = \"Echo\"\n");
    text
}

/// One entry of such a table.
pub(super) fn entry(text: &mut String, v: &Variable, file: &str) {
    let default = if v.default.is_empty() {
        String::new()
    } else {
        format!(" [default: {}]", v.default)
    };
    let _infallible = writeln!(text, "  {}{default}{file}\n      {}", v.name, v.meaning);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_secrets_come_as_files() {
        assert_eq!(of_file("JWT_SECRET_FILE").map(|v| v.name), Some("JWT_SECRET"));
        assert_eq!(of_file("jwt_secret_file").map(|v| v.name), Some("JWT_SECRET"));
        assert!(of_file("BASE_DOMAIN_FILE").is_none());
        assert!(of_file("LOG_FILE").is_none());
    }
}
