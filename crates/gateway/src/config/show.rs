//! The effective configuration for people and programs, secrets redacted.

use serde::Serialize;

use super::{Config, sources::Sources, variables::VARIABLES};

/// One setting as it is in effect.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    /// Its variable.
    pub(crate) name: &'static str,
    /// Its value; `(set)` for a secret.
    pub(crate) value: String,
    /// Where it comes from.
    pub(crate) origin: String,
}

/// All settings that are in effect.
pub(crate) fn shown(sources: &Sources, config: &Config) -> Vec<Shown> {
    let mut all: Vec<_> = VARIABLES
        .iter()
        .filter_map(|variable| match sources.get(variable.name) {
            Some(given) => Some(Shown {
                name: variable.name,
                value: if variable.secret {
                    "(set)".to_owned()
                } else {
                    given.text.clone()
                },
                origin: given.origin.to_string(),
            }),
            None if variable.name == "MCP_OAUTH_ISSUER" => Some(Shown {
                name: variable.name,
                value: config.issuer.to_string(),
                origin: "derived".to_owned(),
            }),
            None if variable.default.is_empty() => None,
            None => Some(Shown {
                name: variable.name,
                value: variable.default.to_owned(),
                origin: "default".to_owned(),
            }),
        })
        .collect();
    let concrete = config.resources.iter().map(|resource| resource.uri.to_string());
    let wildcards = config.resources.wildcards().map(ToString::to_string);
    all.extend(concrete.chain(wildcards).map(|value| Shown {
        name: "resource",
        value,
        origin: "configured".to_owned(),
    }));
    let clients = config.clients.iter().map(|client| client.id.to_string());
    all.extend(clients.map(|value| Shown {
        name: "client",
        value,
        origin: "configured".to_owned(),
    }));
    all
}
