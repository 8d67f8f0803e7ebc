//! The command line.

mod clients;
mod operate;
mod tokens;

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    check_config,
    config::{Config, Faults, Flags, Role, Sources, dev as dev_settings, variables},
    dev,
    failure::Failure,
    healthcheck, serve,
};

use operate::{AdminCommand, KeysCommand};

/// OAuth 2.1 in front of any MCP server.
#[derive(Debug, Parser)]
#[command(name = "mcp-oauth-gateway", version, about, max_term_width = 110, subcommand_required = true, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  mcp-oauth-gateway dev                        try it on this machine
  mcp-oauth-gateway check-config               look at the configuration before it is used
  mcp-oauth-gateway serve --host 0.0.0.0       both servers in one process

Exit codes: 0 done, 1 it did not work, 2 wrong usage, 64 faults in the configuration";

const SERVE_EXAMPLES: &str = "Examples:
  mcp-oauth-gateway serve --host 0.0.0.0 --port 8000
  mcp-oauth-gateway serve --config gateway.toml
  DATA_DIR=/var/lib/mcp-oauth-gateway mcp-oauth-gateway serve --env-file production.env
";

const AUTH_SERVER_EXAMPLE: &str = "Example:
  mcp-oauth-gateway auth-server --host 0.0.0.0
";

const VERIFIER_EXAMPLE: &str = "Example:
  mcp-oauth-gateway verifier --host 0.0.0.0
";

const CHECK_EXAMPLES: &str = "Examples:
  mcp-oauth-gateway check-config
  mcp-oauth-gateway check-config --role verifier --json
";

const DEV_EXAMPLES: &str = "Examples:
  mcp-oauth-gateway dev
  mcp-oauth-gateway dev --port 8001 --data-dir ./data
  mcp-oauth-gateway dev --port 5000 --mcp-port 5001 --auto-approve
";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the authorization server and the verifier in one process
    #[command(after_help = SERVE_EXAMPLES, after_long_help = long_help(SERVE_EXAMPLES))]
    Serve(ServerArgs),
    /// Run the authorization server alone (needs Redis)
    #[command(after_help = AUTH_SERVER_EXAMPLE, after_long_help = long_help(AUTH_SERVER_EXAMPLE))]
    AuthServer(ServerArgs),
    /// Run the verifier alone (needs Redis): it holds no key that can mint a token
    #[command(after_help = VERIFIER_EXAMPLE, after_long_help = long_help(VERIFIER_EXAMPLE))]
    Verifier(ServerArgs),
    /// Run the gateway, a protected sample MCP server and a stand-in GitHub on this machine, to try it
    #[command(after_help = DEV_EXAMPLES, after_long_help = format!("{DEV_EXAMPLES}\n{}", dev_settings::help()))]
    Dev(DevArgs),
    /// Show the effective configuration, and ask Redis and GitHub whether they can be reached
    #[command(after_help = CHECK_EXAMPLES, after_long_help = long_help(CHECK_EXAMPLES))]
    CheckConfig(CheckArgs),
    /// Ask the gateway on this machine whether it is alive; exit code 0 or 1
    #[command(after_help = "Example:\n  mcp-oauth-gateway healthcheck --port 8000")]
    Healthcheck(HealthArgs),
    /// Make, show, rotate and retire signing keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Look after a gateway that runs
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Answer 200 to everything: what the benchmarks compare the gateway with
    #[cfg(feature = "bench")]
    #[command(hide = true)]
    Bare(crate::bare::BareArgs),
    /// Write a completion script for a shell
    #[command(
        after_help = "Example:\n  mcp-oauth-gateway completions bash > /etc/bash_completion.d/mcp-oauth-gateway"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

fn long_help(examples: &str) -> String {
    format!("{examples}\n{}", variables::help())
}

/// Where the configuration is.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The TOML file [env: `GATEWAY_CONFIG`]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A file of variables, in place of .env in the working directory
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
}

/// Where a server listens.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// Address to listen on [env: HOST] [default: 127.0.0.1]
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on [env: PORT] [default: 8000]
    #[arg(long)]
    port: Option<u16>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Options of `dev`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DevArgs {
    /// Address to listen on: this machine's own only [env: `OAUTH_SERVER_HOST`] [default: 127.0.0.1]
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Port to listen on; 0 takes a free one [env: `OAUTH_SERVER_PORT`] [default: 8000]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Give the sample MCP server a port of its own, where it protects itself; 0 takes a free one [env: `MCP_SERVER_PORT`]
    #[arg(long, value_name = "PORT")]
    pub(crate) mcp_port: Option<u16>,
    /// Ask nobody: whoever reaches this port from this machine is logged in and allows everything [env: `DEMO_MODE`]
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Where the state is kept; without it everything is forgotten at the end
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Options of `check-config`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    /// Which process the configuration is for
    #[arg(long, value_enum, default_value_t = Role::Serve)]
    pub(crate) role: Role,
    /// Write JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Options of `healthcheck`.
#[derive(Clone, Debug, Args)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

impl ServerArgs {
    /// What these options say about the configuration.
    pub(crate) fn flags(&self) -> Flags {
        let mut settings = Vec::new();
        settings.extend(self.host.clone().map(|host| ("HOST", host)));
        settings.extend(self.port.map(|port| ("PORT", port.to_string())));
        Flags {
            settings,
            ..self.config.flags()
        }
    }
}

impl ConfigArgs {
    /// What these options say about the configuration.
    pub(crate) fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            env_file: self.env_file.clone(),
            settings: Vec::new(),
        }
    }
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// [`Failure`] with the exit code.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Serve(args) => serve::run(load(&args.flags(), Role::Serve)?, Role::Serve).await,
            Command::AuthServer(args) => {
                serve::run(load(&args.flags(), Role::AuthServer)?, Role::AuthServer).await
            }
            Command::Verifier(args) => serve::run(load(&args.flags(), Role::Verifier)?, Role::Verifier).await,
            Command::Dev(args) => dev::run(&args).await,
            Command::Keys(command) => operate::keys(command).await,
            Command::Admin(command) => operate::admin(command).await,
            Command::CheckConfig(args) => check_config::run(&args).await,
            Command::Healthcheck(args) => healthcheck::run(&args.server.flags()).await,
            #[cfg(feature = "bench")]
            Command::Bare(args) => crate::bare::run(&args).await,
            Command::Completions { shell } => {
                clap_complete::generate(
                    shell,
                    &mut Self::command(),
                    "mcp-oauth-gateway",
                    &mut std::io::stdout(),
                );
                Ok(())
            }
        }
    }
}

/// The configuration from all its sources.
///
/// # Errors
/// All faults at once.
pub(crate) fn load(flags: &Flags, role: Role) -> Result<Config, Failure> {
    let (sources, faults) = read_sources(flags);
    Ok(Config::parse(&sources, role, faults)?)
}

/// What was written, before it is checked.
pub(crate) fn read_sources(flags: &Flags) -> (Sources, Faults) {
    let mut faults = Faults::default();
    let directory = std::env::current_dir().unwrap_or_default();
    let sources = Sources::read(flags, environment(), &directory, &mut faults);
    (sources, faults)
}

/// The process's environment; what is not Unicode cannot be one of our settings.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
