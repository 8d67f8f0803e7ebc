//! The executable `mcp-oauth-gateway`: OAuth 2.1 in front of any MCP server.

mod admin;
#[cfg(feature = "bench")]
mod bare;
mod check_config;
mod cli;
mod config;
#[cfg(feature = "sandbox")]
mod dev;
#[cfg(not(feature = "sandbox"))]
#[path = "no_dev.rs"]
mod dev;
mod failure;
mod healthcheck;
mod logs;
mod output;
mod serve;
mod store;

use std::process::ExitCode;

use clap::Parser;

use cli::Cli;

fn main() -> ExitCode {
    // TLS towards GitHub and Redis, and TLS of our own, with one library
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let ended = actix_web::rt::System::new().block_on(cli.run());
    logs::requests::write_out();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure.to_string());
            failure.exit_code()
        }
    }
}
