//! Addresses that strangers can change.

use super::stand::{PRM, challenge, is_first, only, place, resource};

#[tokio::test]
async fn a_challenge_that_believes_x_forwarded_host_is_named() {
    only("forged-host", |base, asked| {
        let host = asked
            .header("x-forwarded-host")
            .map(|host| format!("https://{host}"));
        let base = host.unwrap_or_else(|| base.to_owned());
        is_first(asked).then(|| challenge(&format!("Bearer resource_metadata=\"{base}{PRM}/mcp\"")))
    })
    .await;
}

#[tokio::test]
async fn metadata_that_believes_x_forwarded_host_is_named() {
    let report = only("forged-host", |base, asked| {
        let host = asked.header("x-forwarded-host")?;
        let server = format!("https://{host}/mcp");
        place(asked)
            .1
            .starts_with(PRM)
            .then(|| resource(base, |it| it["resource"] = server.into()))
    })
    .await;
    assert_eq!(report.findings[0].seen.len(), 1);
}

#[tokio::test]
async fn a_challenge_that_believes_x_forwarded_prefix_is_named() {
    only("forged-host", |base, asked| {
        let prefix = asked.header("x-forwarded-prefix")?;
        let text = format!("Bearer resource_metadata=\"{base}{prefix}{PRM}/mcp\"");
        is_first(asked).then(|| challenge(&text))
    })
    .await;
}

/// Traefik 3.6.13 replaces what has hyphens, and lets this through; 3.6.14 does not.
#[tokio::test]
async fn a_proxy_that_lets_an_alias_through_is_said_to_be_old() {
    only("old-traefik", |_, asked| {
        let host = asked.header("x_forwarded_host")?;
        let text = format!("Bearer resource_metadata=\"https://{host}{PRM}/mcp\"");
        is_first(asked).then(|| challenge(&text))
    })
    .await;
}
