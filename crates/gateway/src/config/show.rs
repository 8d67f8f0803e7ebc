//! The effective configuration for people and programs, secrets redacted.

use mcp_gateway_model::resource::Resource;
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
    let governed = config
        .resources
        .iter()
        .map(|resource| (resource.uri.to_string(), &**resource));
    let below = config
        .resources
        .wildcards()
        .map(|w| (w.to_string(), w.resource()));
    all.extend(
        governed
            .chain(below)
            .filter_map(|(uri, resource)| rules(&uri, resource)),
    );
    all
}

/// What a resource with rules is like; what its router needs depends on it.
fn rules(uri: &str, resource: &Resource) -> Option<Shown> {
    let policy = &resource.policy;
    let bodies = match (policy.reads_messages(), policy.trust_mcp_headers) {
        (false, _) => "no bodies are read",
        (true, false) => "bodies are read: the proxy must hand them on (forwardBody)",
        (true, true) => {
            "bodies are read where the proxy hands them on, else Mcp-Method and Mcp-Name are believed"
        }
    };
    (policy.rules() > 0).then(|| Shown {
        name: "rules",
        value: format!(
            "{uri}: {} of them for the scopes {}; {bodies}",
            policy.rules(),
            resource.scopes
        ),
        origin: "configured".to_owned(),
    })
}
