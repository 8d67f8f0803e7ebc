//! How long things last.

use std::time::Duration;

use mcp_gateway_auth_server::settings::Lifetimes;
use mcp_gateway_model::access::MembershipLife;

use super::reader::Reader;

/// No grace at all is a choice, too: then nobody is let in while GitHub cannot be asked.
pub(super) fn memberships(r: &mut Reader<'_>) -> MembershipLife {
    let defaults = MembershipLife::default();
    let grace = if r.text("MEMBERSHIP_GRACE") == Some("0") {
        Some(Duration::ZERO)
    } else {
        r.seconds("MEMBERSHIP_GRACE")
    };
    MembershipLife {
        recheck: r.seconds("MEMBERSHIP_RECHECK").unwrap_or(defaults.recheck),
        grace: grace.unwrap_or(defaults.grace),
    }
}

/// How long things last.
pub(super) fn read(r: &mut Reader<'_>) -> Lifetimes {
    let defaults = Lifetimes::default();
    let seconds = r.seconds("ACCESS_TOKEN_LIFETIME");
    let minutes = r.minutes("MCP_OAUTH_ACCESS_TOKEN_EXPIRE_MINUTES");
    let access_token = r.either(
        ("ACCESS_TOKEN_LIFETIME", seconds),
        ("MCP_OAUTH_ACCESS_TOKEN_EXPIRE_MINUTES", minutes),
    );
    let code = r.minutes("MCP_OAUTH_AUTHORIZATION_CODE_EXPIRE_MINUTES");
    if code.is_some_and(|code| code > Duration::from_secs(600)) {
        r.faults.add(
            "MCP_OAUTH_AUTHORIZATION_CODE_EXPIRE_MINUTES",
            "must be at most 10: a code is used at once",
        );
    }
    let client = if r.text("CLIENT_LIFETIME") == Some("0") {
        None
    } else {
        r.seconds("CLIENT_LIFETIME").or(defaults.client)
    };
    Lifetimes {
        access_token: access_token.unwrap_or(defaults.access_token),
        refresh_token: r
            .seconds("REFRESH_TOKEN_LIFETIME")
            .unwrap_or(defaults.refresh_token),
        login: r.seconds("SESSION_TIMEOUT").unwrap_or(defaults.login),
        code: code.unwrap_or(defaults.code),
        client,
        unused_client: r
            .seconds("UNUSED_CLIENT_LIFETIME")
            .unwrap_or(defaults.unused_client),
        ..defaults
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::{Config, Faults, Flags, Role, Sources};

    #[test]
    fn minutes_set_what_access_tokens_and_codes_live() {
        let settings = [
            ("MCP_OAUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "60"),
            ("MCP_OAUTH_AUTHORIZATION_CODE_EXPIRE_MINUTES", "10"),
            ("MCP_OAUTH_ISSUER", "https://auth.gateway.test"),
            ("DEFAULT_RESOURCE", "https://echo.gateway.test/mcp"),
            ("GITHUB_CLIENT_ID", "the-app"),
            ("GITHUB_CLIENT_SECRET", "its-secret"),
            ("DATA_DIR", "data"),
        ];
        let read = |count: usize| {
            let settings = settings.iter().rev().take(count);
            let flags = Flags {
                settings: settings
                    .map(|(name, value)| (*name, (*value).to_owned()))
                    .collect(),
                ..Flags::default()
            };
            let mut faults = Faults::default();
            let sources = Sources::made_up(&flags, BTreeMap::new(), &mut faults);
            let config = Config::parse(&sources, Role::Serve, faults);
            config.unwrap_or_else(|faults| panic!("{faults:?}")).lifetimes
        };
        let (as_set, by_default) = (read(7), read(5));
        let minutes = |n: u64| Duration::from_secs(n * 60);
        assert_eq!((as_set.access_token, as_set.code), (minutes(60), minutes(10)));
        assert_eq!(
            (by_default.access_token, by_default.code),
            (minutes(30), minutes(1))
        );
    }
}
