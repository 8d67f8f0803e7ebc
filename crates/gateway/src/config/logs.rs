//! What is logged, how and where to.

use std::{io::IsTerminal, path::PathBuf};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use super::reader::Reader;

/// What is logged, how and where to.
#[derive(Clone, Debug)]
pub(crate) struct LogConfig {
    pub(crate) targets: Targets,
    pub(crate) format: LogFormat,
    pub(crate) file: Option<PathBuf>,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The beginning of the names of our own modules.
const OURS: &[&str] = &["mcp_gateway", "mcp_oauth_gateway"];

pub(super) fn read(r: &mut Reader<'_>) -> LogConfig {
    let format = r.parsed("LOG_FORMAT", |text| match text.to_ascii_lowercase().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json"),
    });
    let by_itself = if std::io::stderr().is_terminal() {
        LogFormat::Text
    } else {
        LogFormat::Json
    };
    LogConfig {
        targets: r
            .parsed("LOG_LEVEL", targets)
            .unwrap_or_else(|| with_our_level(LevelFilter::INFO)),
        format: format.unwrap_or(by_itself),
        file: r.text("LOG_FILE").map(PathBuf::from),
    }
}

/// Our modules at `level`; the libraries below never at more than warnings, because they log headers and addresses.
fn with_our_level(level: LevelFilter) -> Targets {
    OURS.iter()
        .fold(Targets::new(), |targets, ours| targets.with_target(*ours, level))
        .with_default(level.min(LevelFilter::WARN))
}

/// Reads `info`, or `info,mcp_gateway_verifier=debug`.
fn targets(text: &str) -> Result<Targets, String> {
    let (mut general, mut modules) = (LevelFilter::INFO, Vec::new());
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        match entry.split_once('=') {
            None => general = level(entry)?,
            Some((module, of)) if OURS.iter().any(|ours| module.starts_with(ours)) => {
                modules.push((module.to_owned(), level(of)?));
            }
            Some((module, _)) => {
                return Err(format!(
                    "names {module}: only modules of the gateway (mcp_gateway_...) can be set, others would log secrets"
                ));
            }
        }
    }
    Ok(with_our_level(general).with_targets(modules))
}

/// A level, also under the names that Python gives them.
fn level(text: &str) -> Result<LevelFilter, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "off" => Ok(LevelFilter::OFF),
        "critical" | "fatal" | "error" => Ok(LevelFilter::ERROR),
        "warning" | "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err(format!(
            "must be error, warn, info, debug or trace, not \"{text}\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_stay_silent_at_trace() {
        let all = targets("trace").unwrap();
        assert!(all.would_enable("mcp_gateway_verifier::verify", &Level::TRACE));
        for library in ["hyper", "reqwest::connect", "redis", "actix_http", "rmcp", "h2"] {
            assert!(!all.would_enable(library, &Level::INFO), "{library}");
            assert!(all.would_enable(library, &Level::WARN), "{library}");
        }
    }

    #[test]
    fn levels_have_the_names_of_two_languages_and_modules_only_ours() {
        assert!(
            targets("WARNING")
                .unwrap()
                .would_enable("mcp_gateway_store", &Level::WARN)
        );
        let one = targets("info,mcp_gateway_verifier=debug").unwrap();
        assert!(one.would_enable("mcp_gateway_verifier", &Level::DEBUG));
        assert!(!one.would_enable("mcp_gateway_auth_server", &Level::DEBUG));
        assert!(targets("hyper=trace").is_err());
        assert!(targets("loud").is_err());
    }
}
