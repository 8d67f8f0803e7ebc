//! The command `mcp-oauth`: an OAuth client for MCP servers.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::Cli::parse().main()
}
