//! The sample MCP server and the stand-in GitHub as a program, for containers and compose files.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program speaks to its terminal"
)]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, Parser, Subcommand};
use mcp_gateway_model::{clock::SystemClock, issuer::Issuer, resource::ResourceUri, secret::Secret};
use mcp_gateway_sandbox::{
    StartError,
    github::{self, StandInGithub},
    mcp::{self, Protection, SampleServer},
};
use tokio::signal::unix::{SignalKind, signal};

const EXAMPLES: &str = "Examples:
  mcp-gateway-sample mcp --port 8000 --data-dir ./data
  mcp-gateway-sample github --auto-choose octocat";

const MCP_EXAMPLES: &str = "Examples:
  mcp-gateway-sample mcp --data-dir ./data
  mcp-gateway-sample mcp --host 0.0.0.0 --allowed-host echo.example.com
  mcp-gateway-sample mcp --issuer https://auth.example.com --url https://sample.example.com --secret-file secret

It speaks MCP at /mcp and /mcp/v1, answers calls without an envelope below /mcp/v1, and has a REST API at /api. Each user's \
data is their own: who is calling it learns from X-User-Id, X-User-Name, X-Auth-Client and X-Auth-Scope, which the gateway \
in front sets. Whoever reaches it past the gateway can be anybody. With --issuer it checks tokens itself and believes nobody else.";

/// Something to try the MCP OAuth Gateway with
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The sample MCP server; it believes the gateway in front of it, or checks tokens itself
    #[command(after_help = MCP_EXAMPLES)]
    Mcp(Mcp),
    /// The stand-in GitHub, where anybody can log in as anybody
    Github(Github),
}

#[derive(Args)]
struct Listen {
    /// The address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8000)]
    port: u16,
}

#[derive(Args)]
struct Mcp {
    #[command(flatten)]
    listen: Listen,
    /// A Host that is answered, with or without a port; can be given several times [default: any]
    #[arg(long = "allowed-host", value_name = "HOST")]
    allowed_hosts: Vec<String>,
    /// Also offer what the official MCP conformance suite asks servers for
    #[arg(long)]
    exercises: bool,
    /// Where the users' data is kept; without it, it is forgotten at the end
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    alone: Alone,
}

/// How it protects itself; without these it believes the gateway in front of it.
#[derive(Args)]
#[group(requires_all = ["issuer", "url", "secret_file"])]
struct Alone {
    /// Check tokens of this issuer, instead of believing a gateway in front
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The origin under which clients reach this server, as the issuer has it in `[[resource]] uri`
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The file with the secret that the issuer has as `introspection_secret_file` of that resource
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

#[derive(Args)]
struct Github {
    #[command(flatten)]
    listen: Listen,
    /// The origin under which it is reached, for the links between pages of a list [default: the request's]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The `client_id` of the OAuth App
    #[arg(long, default_value = "sandbox")]
    client_id: String,
    /// The `client_secret` of the OAuth App
    #[arg(long, default_value = "sandbox-secret")]
    client_secret: String,
    /// The callback URL of the OAuth App [default: any]
    #[arg(long, value_name = "URL")]
    callback_url: Option<String>,
    /// Log this user in without a page
    #[arg(long, value_name = "LOGIN")]
    auto_choose: Option<String>,
    /// Listen on an address that is not loopback: whoever reaches it can log in as anybody
    #[arg(long)]
    unsafe_allow_any_address: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Mcp(args) => run_mcp(args).await,
        Command::Github(args) => run_github(args).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mcp-gateway-sample: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run_mcp(args: Mcp) -> Result<(), StartError> {
    let items = args.data_dir.as_deref().map(mcp::Items::open).transpose()?;
    let options = mcp::Options {
        allowed_hosts: args.allowed_hosts,
        exercises: args.exercises,
        items: items.unwrap_or_default(),
        protection: args.alone.protection()?,
        ..mcp::Options::default()
    };
    let running = SampleServer::new(options).start_on(args.listen.address())?;
    println!("sample MCP server at {}", running.mcp_url());
    stopped().await?;
    running.stop().await;
    Ok(())
}

async fn run_github(args: Github) -> Result<(), StartError> {
    let github = StandInGithub::new(github::Options {
        callback_url: args.callback_url,
        auto_choose: args.auto_choose,
        public_url: args.public_url,
        ..github::Options::new(&args.client_id, &args.client_secret)
    });
    let address = args.listen.address();
    let running = if args.unsafe_allow_any_address {
        github.start_on_any_address(address)?
    } else {
        github.start_on(address)?
    };
    println!("stand-in GitHub at {}", running.url());
    stopped().await?;
    running.stop().await;
    Ok(())
}

impl Alone {
    fn protection(self) -> Result<Protection, StartError> {
        let (Some(issuer), Some(url), Some(file)) = (self.issuer, self.url, self.secret_file) else {
            return Ok(Protection::Behind);
        };
        let bad = |option: &str, problem: String| StartError::Option(format!("{option} {problem}"));
        let issuer = Issuer::parse(&issuer).map_err(|why| bad("--issuer", why.to_string()))?;
        let uri = ResourceUri::parse(&url).map_err(|why| bad("--url", why.to_string()))?;
        let secret = std::fs::read_to_string(&file).map_err(|error| {
            bad(
                "--secret-file",
                format!("{} cannot be read: {error}", file.display()),
            )
        })?;
        let secret = Secret::presented(secret.trim().to_owned());
        let protection = Protection::alone(issuer, uri, secret, Arc::new(SystemClock));
        protection.map_err(|error| bad("--issuer", error.to_string()))
    }
}

impl Listen {
    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }
}

/// Waits for SIGINT or SIGTERM.
async fn stopped() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
