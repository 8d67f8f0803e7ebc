//! The command `mcp-oauth`: an OAuth client for MCP servers.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::read() {
        Ok(cli) => cli.main(),
        Err(code) => code,
    }
}
