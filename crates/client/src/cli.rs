//! The command line.

mod account;
mod arguments;
mod call;
mod conformance;
mod doctor;
mod failure;
mod kept;
mod login;
mod options;
mod output;
mod parse;
#[cfg(feature = "service")]
mod serve;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use failure::Failure;
use options::{Options, ServerUrl};

/// Log in to MCP servers, and use them from the command line.
#[derive(Debug, Parser)]
#[command(name = "mcp-oauth", version, about, max_term_width = 110, subcommand_required = true, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  mcp-oauth login https://mcp.example.com/mcp      log in with the browser
  mcp-oauth tools https://mcp.example.com/mcp      see what the server can do
  mcp-oauth call https://mcp.example.com/mcp echo --arg message=hello
  TOKEN=$(mcp-oauth token https://mcp.example.com/mcp)

Exit codes: 0 done, 1 it did not work, 2 wrong usage, 3 a login is needed, 4 the tool failed";

#[derive(Debug, Subcommand)]
enum Command {
    /// Log in to a server, and keep its tokens
    #[command(after_help = login::EXAMPLES)]
    Login(login::LoginArgs),
    /// Write a valid access token to standard output, refreshed if it is time
    #[command(after_help = kept::TOKEN_EXAMPLES)]
    Token {
        /// The MCP server's address
        #[arg(value_name = "URL")]
        server: ServerUrl,
    },
    /// Show what a server can do
    #[command(after_help = call::TOOLS_EXAMPLES)]
    Tools {
        /// The MCP server's address
        #[arg(value_name = "URL")]
        server: ServerUrl,
    },
    /// Call a tool of a server, and write what it answers to standard output
    #[command(after_help = call::CALL_EXAMPLES)]
    Call(call::CallArgs),
    /// Show the servers that you are logged in to
    #[command(after_help = "Examples:\n  mcp-oauth list\n  mcp-oauth list --json")]
    List,
    /// End the tokens for a server, and the registration there if nothing else needs it
    #[command(after_help = kept::LOGOUT_EXAMPLES)]
    Logout(kept::LogoutArgs),
    /// Say what is wrong with any MCP server, as known clients would find out, and how to mend it
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(doctor::DoctorArgs),
    /// Serve web backends that act as MCP clients for their users
    #[cfg(feature = "service")]
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<serve::ServeArgs>),
    /// Write a completion script for a shell
    #[command(after_help = "Example:\n  mcp-oauth completions bash > /etc/bash_completion.d/mcp-oauth")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Do what a scenario of the official MCP conformance suite asks of a client
    #[command(hide = true)]
    Conformance(conformance::ConformanceArgs),
}

impl Cli {
    /// Does what was asked; answers the exit code.
    pub(crate) fn main(self) -> ExitCode {
        let runtime = match tokio::runtime::Runtime::new() {
            Ok(runtime) => runtime,
            Err(error) => {
                output::complain(&error.to_string());
                return ExitCode::FAILURE;
            }
        };
        let json = self.options.json;
        let ended = runtime.block_on(self.run());
        // somebody may still be asked to type
        runtime.shutdown_background();
        match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                match failure {
                    // what was found, and what the tool says, has been written already
                    Failure::Faults | Failure::Left => {}
                    Failure::Tool if json => {}
                    _ => output::fail(&failure, json),
                }
                failure.exit_code()
            }
        }
    }

    async fn run(self) -> Result<(), Failure> {
        let options = &self.options;
        match self.command {
            Command::Login(args) => login::run(options, args).await,
            Command::Token { server } => kept::token(options, &server).await,
            Command::Tools { server } => call::tools(options, &server).await,
            Command::Call(args) => call::call(options, args).await,
            Command::List => kept::list(options).await,
            Command::Logout(args) => kept::logout(options, &args).await,
            Command::Doctor(args) => doctor::run(options, &args).await,
            #[cfg(feature = "service")]
            Command::Serve(args) => serve::run(*args).await,
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut parse::command(), "mcp-oauth", &mut std::io::stdout());
                Ok(())
            }
            Command::Conformance(args) => conformance::run(args).await.map_err(Failure::runtime),
        }
    }
}
