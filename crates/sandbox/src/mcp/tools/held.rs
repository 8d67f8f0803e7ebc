//! Calls that wait until another call lets them go: they show that answers stream.

use rmcp::{
    ErrorData, RoleServer,
    handler::server::wrapper::Parameters,
    model::{CallToolResult, ContentBlock, ProgressNotificationParam},
    schemars,
    service::RequestContext,
    tool, tool_router,
};
use serde::Deserialize;

use super::{Tools, failed};

/// How many pieces a call can have.
const MOST_PIECES: u32 = 1000;

#[derive(Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Hold {
    /// What the waiting call is called.
    name: String,
    /// How many pieces of progress it reports, each only after `release` was called for the one before; 1 if left out.
    #[schemars(range(min = 1, max = 1000))]
    pieces: Option<u32>,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
struct Release {
    /// What the waiting call is called.
    name: String,
}

#[tool_router(router = held, vis = "pub(super)")]
impl Tools {
    #[tool(
        description = "Reports progress, then waits until `release` is called with the same name; with `pieces`, so many times",
        annotations(title = "Wait", read_only_hint = true, open_world_hint = false)
    )]
    async fn hold(
        &self,
        Parameters(Hold { name, pieces }): Parameters<Hold>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let pieces = pieces.unwrap_or(1);
        if !(1..=MOST_PIECES).contains(&pieces) {
            return Ok(failed(&format!("pieces must be between 1 and {MOST_PIECES}")));
        }
        for piece in 0..pieces {
            let released = self.holds.wait(&name);
            if let Some(token) = context.meta.get_progress_token() {
                let progress = ProgressNotificationParam::new(token, f64::from(piece))
                    .with_total(f64::from(pieces))
                    .with_message("held");
                let sent = context.peer.notify_progress(progress).await;
                sent.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
            }
            tokio::select! {
                _ = released => {}
                () = context.ct.cancelled() => return Ok(failed("cancelled")),
            }
        }
        let done = format!("{name} was released");
        Ok(CallToolResult::success(vec![ContentBlock::text(done)]))
    }

    #[tool(
        description = "Lets the call of `hold` with the same name go on",
        annotations(title = "Let go", read_only_hint = true, open_world_hint = false)
    )]
    async fn release(&self, Parameters(Release { name }): Parameters<Release>) -> CallToolResult {
        if self.holds.release(&name) {
            CallToolResult::success(vec![ContentBlock::text(format!("released {name}"))])
        } else {
            failed(&format!("nothing is held as {name}"))
        }
    }
}
