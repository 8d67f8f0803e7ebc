//! What is written for the person or program that called us. Logs are something else.

use std::io::{self, Write};

/// Writes a line to standard output. That nobody reads it is no reason to fail.
pub(crate) fn say(line: &str) {
    let _unread = writeln!(io::stdout(), "{line}");
}

/// Writes a line to standard error.
pub(crate) fn complain(line: &str) {
    let _unread = writeln!(io::stderr(), "mcp-oauth-gateway: {line}");
}

/// Writes a value as JSON to standard output.
pub(crate) fn say_json(value: &impl serde::Serialize) {
    if let Ok(text) = serde_json::to_string_pretty(value) {
        say(&text);
    }
}
