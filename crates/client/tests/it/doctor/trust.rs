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
async fn a_proxy_that_lets_an_alias_through_is_said_to_be_old() {
    for header in ["x_forwarded_host", "x-forwarded-prefix"] {
        only("old-traefik", move |base, asked| {
            let forged = asked.header(header)?;
            let text = format!("Bearer resource_metadata=\"{base}/{forged}{PRM}/mcp\"");
            is_first(asked).then(|| challenge(&text))
        })
        .await;
    }
}
