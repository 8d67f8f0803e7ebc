//! `doctor`: what is wrong with a server, and how to mend it.

use std::io::{self, IsTerminal};

use clap::Args;
use mcp_gateway_client::doctor::{self, Look, Step};

use super::{
    failure::Failure,
    options::{Options, ServerUrl},
    output::{progress, say_json, say_painted},
};

pub(super) const EXAMPLES: &str = "Examples:
  mcp-oauth doctor https://mcp.example.com/mcp
  mcp-oauth doctor https://mcp.example.com/mcp --register --steps
  mcp-oauth doctor https://mcp.example.com/mcp --json | jq -r '.findings[].id'

It asks questions only: nobody is logged in, and nothing is registered without --register.

Exit codes: 0 no faults (hints do not count), 1 faults were found, 2 wrong usage, or nobody answers there";

/// The most columns of a report.
const WIDEST: usize = 110;

/// Options of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The MCP server's address, as people type it into their clients
    #[arg(value_name = "URL")]
    server: ServerUrl,
    /// Register as each known client does, to see whether it can, and remove what was registered
    #[arg(long)]
    register: bool,
    /// List every question that was asked, and its answer
    #[arg(long)]
    steps: bool,
}

/// Examines a server, and writes what was found.
pub(super) async fn run(options: &Options, args: &DoctorArgs) -> Result<(), Failure> {
    let http = options.http_with(doctor::settings())?;
    let how = doctor::Options {
        register: args.register,
        watch: Some(watch),
        ..doctor::Options::default()
    };
    let examined = doctor::examine(&http, &args.server, &how).await;
    progress("");
    let report = examined.map_err(|unreachable| Failure::Unreachable(unreachable.to_string()))?;
    if options.json {
        say_json(&report);
    } else {
        say_painted(doctor::render(&report, look(args.steps)).trim_end());
    }
    if report.ok { Ok(()) } else { Err(Failure::Faults) }
}

/// Shows what was asked, on one line.
fn watch(step: &Step) {
    let line = format!("{} {}", step.method, step.url);
    progress(&line.chars().take(70).collect::<String>());
}

/// How a report is to look where it is written.
fn look(steps: bool) -> Look {
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let width = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    Look {
        color: io::stdout().is_terminal() && !is_unwanted,
        width: width.unwrap_or(WIDEST).min(WIDEST),
        steps,
    }
}
