//! The tools of the sample server: [`data`] keeps something, [`seen`] shows what reached the server, [`held`] waits.
//!
//! A call that cannot be done is an error of the tool, in words that whoever reads them can act upon; only what is no call of
//! a tool that exists is an error of the protocol.

mod data;
mod held;
mod seen;

use rmcp::{
    RoleServer, ServerHandler,
    handler::server::router::tool::ToolRouter,
    model::{CallToolResult, ContentBlock, Implementation, ServerCapabilities, ServerConfig},
    service::RequestContext,
    tool_handler,
};

use super::{
    caller::Caller,
    hold::Holds,
    identity,
    items::Items,
    protection::{Need, Protection},
};

/// What a call of this tool needs.
pub(super) fn need(tool: &str) -> Need {
    match tool {
        "oauth_authenticate" => Need::Nothing,
        "get_user_profile" | "get_data" => Need::Scope("read"),
        "create_data" | "update_data" | "delete_data" => Need::Scope("write"),
        _ => Need::Admission,
    }
}

/// The sample server's tools.
#[derive(Clone)]
pub(crate) struct Tools {
    holds: Holds,
    items: Items,
    protection: Protection,
    tool_router: ToolRouter<Self>,
}

impl Tools {
    pub(super) fn new(items: Items, protection: Protection) -> Self {
        Self {
            holds: Holds::default(),
            items,
            protection,
            tool_router: Self::seen() + Self::data() + Self::held(),
        }
    }

    /// Who is calling `tool`, if they may. The gate has asked already, but it reads messages with a parser of its own.
    fn allowed<'c>(
        &self,
        context: &'c RequestContext<RoleServer>,
        tool: &str,
    ) -> Result<&'c Caller, CallToolResult> {
        let caller = identity::caller(context).ok_or_else(|| failed(self.unknown()))?;
        match need(tool).scope() {
            Some(scope) if !caller.may(scope) => Err(failed(&format!(
                "{tool} needs the scope \"{scope}\", and the token has {}: log in again and ask for it",
                quoted(caller)
            ))),
            _ => Ok(caller),
        }
    }

    /// What is said to whoever is not known.
    const fn unknown(&self) -> &'static str {
        match self.protection {
            Protection::Behind => {
                "nobody says who is calling: this server stands behind a gateway, so call it at the gateway's address"
            }
            Protection::Alone(_) => "this tool needs a token: call oauth_authenticate to see how to get one",
        }
    }
}

/// The scopes of a caller, for a sentence.
fn quoted(caller: &Caller) -> String {
    if caller.scopes.is_empty() {
        "none".to_owned()
    } else {
        format!("\"{}\"", caller.scopes)
    }
}

/// An error of the tool.
fn failed(why: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(why)])
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(
                "mcp-gateway-sample",
                env!("CARGO_PKG_VERSION"),
            ))
            .with_instructions(
                "A sample to try the gateway with. `oauth_authenticate` tells who you are and what you may do; `get_data` and \
                 `create_data` keep named values, each user's own; `headers` shows what reached this server.",
            )
    }
}
