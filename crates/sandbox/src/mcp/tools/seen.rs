//! What reached the server, and who it believes is calling.

use std::{collections::BTreeMap, fmt::Write as _};

use rmcp::{
    Json, RoleServer, handler::server::wrapper::Parameters, model::CallToolResult, schemars,
    service::RequestContext, tool, tool_router,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Tools, quoted};
use crate::mcp::{
    Caller, Protection, arrival,
    identity::{self, Identity},
};

#[derive(Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Echo {
    /// What to say back.
    message: String,
}

/// Whether somebody is logged in, and what they can do about it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Authentication {
    /// Whether the server knows who is calling.
    authenticated: bool,
    #[serde(flatten)]
    identity: Identity,
    /// Where the metadata is that names the authorization server (RFC 9728).
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_metadata: Option<String>,
    /// The same in words, and what to do next.
    message: String,
}

/// Headers that open something: what a tool answers goes on to a model and into transcripts.
const SECRET: &[&str] = &["authorization", "proxy-authorization", "cookie", arrival::PROOF];
/// What the scopes are for.
const SCOPES: &str = "\"read\" is for get_user_profile and get_data; \"write\", which includes it, is for create_data, \
                      update_data and delete_data.";

#[tool_router(router = seen, vis = "pub(super)")]
impl Tools {
    #[tool(
        description = "Tells who you are to this server, what your token allows, and how to log in or to get further scopes. Needs no token where the server stands alone.",
        annotations(
            title = "Who am I, and what may I do?",
            read_only_hint = true,
            open_world_hint = false
        )
    )]
    async fn oauth_authenticate(&self, context: RequestContext<RoleServer>) -> Json<Authentication> {
        let caller = identity::caller(&context);
        let resource_metadata = match &self.protection {
            Protection::Behind => None,
            Protection::Alone(guard) => guard.resource_metadata(),
        };
        let message = match caller {
            Some(caller) => welcome(caller),
            None => self.way_in(resource_metadata.as_deref()),
        };
        Json(Authentication {
            authenticated: caller.is_some(),
            identity: Identity::of(caller),
            resource_metadata,
            message,
        })
    }

    #[tool(
        description = "Says the message back",
        annotations(title = "Echo", read_only_hint = true, open_world_hint = false)
    )]
    async fn echo(&self, Parameters(Echo { message }): Parameters<Echo>) -> String {
        message
    }

    #[tool(
        description = "Returns the HTTP headers this server received, as JSON, without the values of those that are secret",
        annotations(title = "Headers", read_only_hint = true, open_world_hint = false)
    )]
    async fn headers(&self, context: RequestContext<RoleServer>) -> CallToolResult {
        let mut received = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in &identity::headers(&context) {
            let value = if SECRET.contains(&name.as_str()) {
                "[not shown]".to_owned()
            } else {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            };
            received.entry(name.to_string()).or_default().push(value);
        }
        let joined: BTreeMap<_, _> = received
            .into_iter()
            .map(|(name, values)| (name, values.join(", ")))
            .collect();
        CallToolResult::structured(json!(joined))
    }

    #[tool(
        description = "Tells who is calling: user, client, scopes",
        annotations(title = "Who is calling", read_only_hint = true, open_world_hint = false)
    )]
    async fn whoami(&self, context: RequestContext<RoleServer>) -> Json<Identity> {
        Json(Identity::of(identity::caller(&context)))
    }

    /// What somebody is told who is not logged in.
    fn way_in(&self, metadata: Option<&str>) -> String {
        let way = match (&self.protection, metadata) {
            (Protection::Behind, _) => {
                "Nobody says who you are. This server stands behind a gateway that logs people in: call it at the gateway's \
                 address."
                    .to_owned()
            }
            (Protection::Alone(_), metadata) => {
                let place = metadata.map_or_else(
                    || "the protected resource metadata of this server".to_owned(),
                    |url| format!("the metadata at {url}"),
                );
                format!(
                    "You are not logged in. An MCP client logs in by itself when a tool that needs a token answers 401: call \
                     get_user_profile. By hand: {place} names the authorization server; get a token there for this server, \
                     and send it as \"Authorization: Bearer TOKEN\"."
                )
            }
        };
        format!("{way} {SCOPES}")
    }
}

/// What somebody is told who is logged in.
fn welcome(caller: &Caller) -> String {
    let mut text = match &caller.name {
        Some(name) => format!("You are {name} ({})", caller.user),
        None => format!("You are {}", caller.user),
    };
    if let Some(client) = &caller.client {
        let _never = write!(text, ", through the client {client}");
    }
    let _never = write!(text, ". Your token has the scopes {}.", quoted(caller));
    if !caller.may("write") {
        text.push_str(" For more, log in again and ask for the scopes \"read write\".");
    }
    format!("{text} {SCOPES}")
}
