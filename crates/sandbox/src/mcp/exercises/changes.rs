//! Lists that are said to change, and those who want to be told (SEP-2575).

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::{
    ErrorData, RoleServer,
    model::CallToolResponse,
    service::{RequestContext, SubscriptionContext},
};
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::said;

/// The tools that say that a list has changed.
pub(super) const NAMES: [&str; 2] = ["test_trigger_tool_change", "test_trigger_prompt_change"];

/// A list that has changed.
#[derive(Clone, Copy, Debug)]
enum List {
    Tools,
    Prompts,
}

/// How many changes wait for somebody who is slow.
const WAITING: usize = 16;

/// Who is told. Clones share it.
#[derive(Clone, Debug)]
pub(in crate::mcp) struct Changes {
    told: Sender<List>,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            told: broadcast::channel(WAITING).0,
        }
    }
}

/// What one request or session hears of the changes since it came: a change right after the acknowledgment is not missed.
#[derive(Clone, Debug)]
pub(super) struct Hearing {
    changes: Changes,
    heard: Arc<Mutex<Receiver<List>>>,
}

impl Hearing {
    pub(super) fn of(changes: Changes) -> Self {
        Self {
            heard: Arc::new(Mutex::new(changes.told.subscribe())),
            changes,
        }
    }

    /// Tells the client of each change, until it goes.
    pub(super) async fn tell(&self, context: &SubscriptionContext) {
        let fresh = self.changes.told.subscribe();
        let mut heard = {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *heard, fresh)
        };
        loop {
            let change = tokio::select! {
                change = heard.recv() => change,
                () = context.cancelled() => return,
            };
            // what was not asked for is not sent, and who has gone is cancelled
            match change {
                Ok(List::Tools) => drop(context.sink().notify_tool_list_changed().await),
                Ok(List::Prompts) => drop(context.sink().notify_prompt_list_changed().await),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    /// Says that a list has changed: to all who listen, and to the session that it is said in.
    pub(super) async fn trigger(
        &self,
        tool: &str,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let (list, sent) = if tool == NAMES[0] {
            (List::Tools, context.peer.notify_tool_list_changed().await)
        } else {
            (List::Prompts, context.peer.notify_prompt_list_changed().await)
        };
        // who has no session is told by the subscription alone
        drop(sent);
        let listening = self.changes.told.send(list).unwrap_or_default();
        said(format!("{listening} know that the list has changed"))
    }
}
