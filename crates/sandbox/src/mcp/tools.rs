//! The tools of the sample server.

use std::collections::BTreeMap;

use rmcp::{
    ErrorData, Json, RoleServer, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    model::{
        CallToolResult, ContentBlock, Implementation, ProgressNotificationParam, ServerCapabilities,
        ServerConfig,
    },
    schemars,
    service::RequestContext,
    tool, tool_handler, tool_router,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    hold::Holds,
    identity::{self, Identity},
    protection::Need,
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
    tool_router: ToolRouter<Self>,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Echo {
    /// What to say back.
    message: String,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Hold {
    /// What the waiting call is called.
    name: String,
}

#[tool_router]
impl Tools {
    pub(super) fn new(holds: Holds) -> Self {
        Self {
            holds,
            tool_router: Self::tool_router(),
        }
    }

    #[tool(description = "Says the message back", annotations(read_only_hint = true))]
    async fn echo(&self, Parameters(Echo { message }): Parameters<Echo>) -> String {
        message
    }

    #[tool(
        description = "Returns the HTTP headers this server received, as JSON",
        annotations(read_only_hint = true)
    )]
    async fn headers(&self, context: RequestContext<RoleServer>) -> CallToolResult {
        let mut received = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in &identity::headers(&context) {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            received.entry(name.to_string()).or_default().push(value);
        }
        let joined: BTreeMap<_, _> = received
            .into_iter()
            .map(|(name, values)| (name, values.join(", ")))
            .collect();
        CallToolResult::structured(json!(joined))
    }

    #[tool(
        description = "Tells who is calling, as the gateway said it: user, client, scopes",
        annotations(read_only_hint = true)
    )]
    async fn whoami(&self, context: RequestContext<RoleServer>) -> Json<Identity> {
        Json(Identity::of(identity::caller(&context)))
    }

    #[tool(description = "Reports progress, then waits until `release` is called with the same name")]
    async fn hold(
        &self,
        Parameters(Hold { name }): Parameters<Hold>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let released = self.holds.wait(&name);
        if let Some(token) = context.meta.get_progress_token() {
            let progress = ProgressNotificationParam::new(token, 0.0)
                .with_total(1.0)
                .with_message("held");
            let sent = context.peer.notify_progress(progress).await;
            sent.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        }
        tokio::select! {
            _ = released => Ok(CallToolResult::success(vec![ContentBlock::text(format!("{name} was released"))])),
            () = context.ct.cancelled() => Ok(CallToolResult::error(vec![ContentBlock::text("cancelled")])),
        }
    }

    #[tool(description = "Lets the call of `hold` with the same name go on")]
    async fn release(&self, Parameters(Hold { name }): Parameters<Hold>) -> CallToolResult {
        if self.holds.release(&name) {
            CallToolResult::success(vec![ContentBlock::text(format!("released {name}"))])
        } else {
            CallToolResult::error(vec![ContentBlock::text(format!("nothing is held as {name}"))])
        }
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new(
                "mcp-gateway-sample",
                env!("CARGO_PKG_VERSION"),
            ))
            .with_instructions("A sample to try the gateway with: `whoami` tells how the gateway sees you.")
    }
}
