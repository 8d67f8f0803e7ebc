//! How a command fails, and the exit code that says so.

use std::{fmt, process::ExitCode};

use mcp_gateway_client::{connection::ConnectionFault, mcp::McpFault};
use serde_json::{Value, json};

use super::account::CallerFault;

/// Why a command did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It did not work: 1.
    Runtime(String),
    /// What was asked cannot be meant: 2.
    Usage(String),
    /// Somebody has to log in first: 3.
    LoginNeeded(String),
    /// Nobody answers where something should be looked at: 2.
    Unreachable(String),
    /// Faults were found: 1. They have been written already.
    Faults,
    /// Something could not be ended at a server: 1. It has been written already.
    Left,
    /// The tool says that it failed: 4. What it says has been written already.
    Tool,
}

impl Failure {
    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Runtime(_) | Self::Faults | Self::Left => 1,
            Self::Usage(_) | Self::Unreachable(_) => 2,
            Self::LoginNeeded(_) => 3,
            Self::Tool => 4,
        })
    }

    /// A failure at run time.
    pub(crate) fn runtime(problem: impl fmt::Display) -> Self {
        Self::Runtime(problem.to_string())
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let error = match self {
            Self::Runtime(_) => "failed",
            Self::Usage(_) => "usage",
            Self::Unreachable(_) => "unreachable",
            Self::Faults => "faults",
            Self::Left => "left",
            Self::LoginNeeded(_) => "login_needed",
            Self::Tool => "tool_failed",
        };
        json!({ "error": error, "message": self.to_string() })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime(text) | Self::Usage(text) | Self::Unreachable(text) => f.write_str(text),
            Self::Faults => f.write_str("faults were found"),
            Self::Left => f.write_str("not all could be ended"),
            Self::LoginNeeded(server) => write!(f, "a login is needed: mcp-oauth login {server}"),
            Self::Tool => f.write_str("the tool says that it failed"),
        }
    }
}

impl From<ConnectionFault> for Failure {
    fn from(fault: ConnectionFault) -> Self {
        match fault {
            ConnectionFault::LoginNeeded(server) => Self::LoginNeeded(server),
            fault => Self::runtime(fault),
        }
    }
}

impl From<McpFault<CallerFault>> for Failure {
    fn from(fault: McpFault<CallerFault>) -> Self {
        match fault {
            McpFault::Wire(CallerFault::Connection(fault)) => fault.into(),
            McpFault::Wire(fault) => Self::runtime(fault),
            fault => Self::runtime(fault),
        }
    }
}
