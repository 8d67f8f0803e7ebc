//! Asks the gateway on this machine whether it is alive.

use std::time::Duration;

use crate::{cli::read_sources, config::Flags, failure::Failure};

/// Asks `/healthz` where `HOST` and `PORT` say the gateway listens. Reads nothing else of the configuration, so that it
/// works with the few variables a container's health check has.
///
/// # Errors
/// [`Failure::Runtime`] when there is no good answer within 3 seconds.
pub(crate) async fn run(flags: &Flags) -> Result<(), Failure> {
    let (sources, _) = read_sources(flags);
    let setting = |name, default: &str| {
        sources
            .get(name)
            .map_or_else(|| default.to_owned(), |given| given.text.clone())
    };
    let host = match setting("HOST", "127.0.0.1").as_str() {
        "0.0.0.0" | "::" | "[::]" => "127.0.0.1".to_owned(),
        host if host.contains(':') && !host.starts_with('[') => format!("[{host}]"),
        host => host.to_owned(),
    };
    let tls =
        ["true", "1", "yes", "on"].contains(&setting("MCP_HTTPS_ENABLED", "false").to_lowercase().as_str());
    let scheme = if tls { "https" } else { "http" };
    let address = format!("{scheme}://{host}:{}/healthz", setting("PORT", "8000"));
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(3))
        .no_proxy()
        // the question is whether our own process answers; its certificate names another host
        .danger_accept_invalid_certs(tls)
        .build()
        .map_err(Failure::runtime)?;
    let answer =
        client.get(&address).send().await.map_err(|error| {
            Failure::Runtime(format!("{address} does not answer: {}", error.without_url()))
        })?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(Failure::Runtime(format!("{address} answers {}", answer.status())))
    }
}
