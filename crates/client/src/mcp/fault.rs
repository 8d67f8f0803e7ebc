//! Why an MCP server gave no result.

use serde_json::Value;

/// The server's version is not one that was asked for
/// ([Error Codes](https://modelcontextprotocol.io/specification/2026-07-28/basic/index#error-codes)).
const UNSUPPORTED_VERSION: i64 = -32022;
/// Codes of revision 2026-07-28: only a server that speaks it answers with them.
const MODERN: [i64; 3] = [-32020, -32021, UNSUPPORTED_VERSION];

/// Why an MCP server gave no result. `F` is why a request brought no answer at all.
#[derive(Debug, thiserror::Error)]
pub enum McpFault<F> {
    /// The request brought no answer.
    #[error("{0}")]
    Wire(F),
    /// The server answers with an error of the protocol.
    #[error("the MCP server answers: {} (code {})", .0.message, .0.code)]
    Rpc(RpcError),
    /// The server answers with an HTTP status and nothing that MCP knows.
    #[error("the MCP server answers with status {0}, and not in MCP. Is the address right?")]
    Status(u16),
    /// What the server answers is not MCP.
    #[error("what the server answers is not MCP: {0}. Is the address right?")]
    NotMcp(&'static str),
    /// It is more than can be read.
    #[error("the MCP server's answer has more than {0} bytes")]
    TooLarge(usize),
    /// The connection broke.
    #[error("the MCP server broke the connection off: {0}")]
    Broken(String),
    /// The stream ended without an answer.
    #[error("the MCP server ended its answer before the result came. Try again")]
    NoAnswer,
    /// The server speaks other revisions only.
    #[error("the MCP server speaks only revisions that are not known here: {}", .0.join(", "))]
    Versions(Vec<String>),
    /// The tool wants something that a command cannot give.
    #[error("the tool asks for more before it goes on ({0}), which cannot be given here")]
    InputRequired(String),
}

impl<F> McpFault<F> {
    /// Whether the server did not understand a request of revision 2026-07-28.
    pub(super) const fn is_misunderstanding(&self) -> bool {
        match self {
            Self::Rpc(error) => !error.is_modern(),
            Self::Status(status) => matches!(status, 400..=499) && !matches!(status, 401 | 403 | 429),
            Self::NotMcp(_) | Self::NoAnswer => true,
            _ => false,
        }
    }
}

/// An error of JSON-RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// What kind of error it is.
    pub code: i64,
    /// What the server says about it.
    pub message: String,
    /// What else it says.
    pub data: Value,
}

impl RpcError {
    pub(super) const fn is_of_version(&self) -> bool {
        self.code == UNSUPPORTED_VERSION
    }

    const fn is_modern(&self) -> bool {
        let mut at = 0;
        while at < MODERN.len() {
            if MODERN[at] == self.code {
                return true;
            }
            at += 1;
        }
        false
    }
}
