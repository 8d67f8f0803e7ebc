//! Copies of what clients publish.

use std::time::Duration;

use mcp_gateway_model::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a copy that was used for a grant outlives its last good reading.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

/// A copy of a document that a client publishes at an address: its description, or its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Where it was read.
    pub url: String,
    /// The JSON text.
    pub body: String,
    /// When it was last read there.
    pub read_at: Timestamp,
    /// Until when it need not be read again.
    pub fresh_until: Timestamp,
    /// Whether a grant needed it.
    pub used: bool,
}

impl Document {
    /// When the copy goes: one that was never needed when it is no longer fresh, so that strangers cannot make many stay;
    /// one that was, seven days after it was last read, so that a host that is down for a while logs nobody out.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        if self.used {
            self.fresh_until.max(self.read_at.plus(KEPT))
        } else {
            self.fresh_until
        }
    }
}
