//! `login`.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use mcp_gateway_client::{
    connection::{ConnectionFault, Means},
    words,
};
use mcp_gateway_model::scope::ScopeSet;
use url::Url;

use super::{
    account::{self, Account, Client, PATIENCE, PORT, Way},
    failure::Failure,
    kept,
    options::{Options, ServerUrl},
    output::{remark, say_json},
};

pub(super) const EXAMPLES: &str = "Examples:
  mcp-oauth login https://mcp.example.com/mcp
  mcp-oauth login https://mcp.example.com/mcp --scope \"read write\"
  mcp-oauth login https://mcp.example.com/mcp --no-browser      the browser is elsewhere
  mcp-oauth login https://mcp.example.com/mcp --device          type a code in any browser
  mcp-oauth login https://mcp.example.com/mcp --client-id me --client-secret-file secret.txt \\
      --issuer https://auth.example.com

The environment variable BROWSER names the program that opens pages.";

/// Options of `login`.
#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// The MCP server's address
    #[arg(value_name = "URL")]
    server: ServerUrl,
    /// Ask for these scopes, separated by spaces, in place of those that the server names
    #[arg(long, value_name = "SCOPES", value_parser = |text: &str| ScopeSet::parse(text))]
    scope: Vec<ScopeSet>,
    /// Open no browser: write the address, and wait until somebody has logged in there
    #[arg(long)]
    no_browser: bool,
    /// Log in with a short code in any browser, on any machine, where the server knows that way; this is also what is done
    /// where no browser can be opened
    #[arg(long, conflicts_with = "no_browser")]
    device: bool,
    /// The client's id, where you have registered it yourself
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// A file with the client's secret; it goes to the issuer alone, so --issuer is needed too
    #[arg(long, value_name = "FILE", requires = "client_id", requires = "issuer")]
    client_secret_file: Option<PathBuf>,
    /// The issuer of the authorization server that knows the client
    #[arg(long, value_name = "URL", requires = "client_id")]
    issuer: Option<String>,
    /// The address of a client metadata document of your own
    #[arg(long, value_name = "URL", conflicts_with = "client_id")]
    client_metadata: Option<Url>,
    /// The port of this machine that the browser comes back to, if it is free
    #[arg(long, value_name = "PORT", default_value_t = PORT)]
    port: u16,
    /// How many seconds somebody may take to log in
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

/// Logs in, whatever is kept already.
pub(super) async fn run(options: &Options, args: LoginArgs) -> Result<(), Failure> {
    let server = Url::clone(&args.server);
    let account = Account::of(options, &server).await?;
    let client = Client {
        id: args.client_id,
        issuer: args.issuer,
        secret_file: args.client_secret_file,
        metadata: args.client_metadata,
    };
    if let Some(issuer) = &client.issuer {
        account.is_issued_by(issuer).await?;
    }
    let profile = account.profile(&client).await?;
    let browsers = account::browsers();
    let has_browser = browsers.any();
    let desk = Arc::new(account::desk(Way {
        browsers: (!args.no_browser).then_some(browsers),
        port: args.port,
        patience: Duration::from_secs(args.timeout),
    }));
    let by_code = args.device || (!args.no_browser && !has_browser && account.knows_codes().await);
    let scopes = args.scope.into_iter().reduce(|all, some| all.union(&some));
    let connection = |means| match &scopes {
        Some(scopes) => account.connection(&profile, means).ask_for(scopes.clone()),
        None => account.connection(&profile, means),
    };
    let with_code = || connection(Means::Device(Arc::clone(&desk) as _));
    let with_browser = || connection(Means::Person(Arc::clone(&desk) as _));
    let mut ended = if by_code {
        with_code().login().await
    } else {
        with_browser().login().await
    };
    // a client that registered itself may not get a code everywhere
    if by_code && !args.device && ended.as_ref().is_err_and(is_not_for_client) {
        ended = with_browser().login().await;
    }
    account::show(&desk, &server, ended.as_ref().err()).await;
    ended?;
    account.remember(&profile).await?;
    let grant = account
        .credentials
        .grant(&server)
        .await
        .map_err(Failure::runtime)?;
    let grant = grant.ok_or_else(|| Failure::Runtime("somebody else logged out meanwhile".to_owned()))?;
    if options.json {
        say_json(&kept::json(&grant));
    } else {
        let scopes = grant.tokens.scopes.to_string();
        let scopes = if scopes.is_empty() {
            "no scopes".to_owned()
        } else {
            words::shown(&scopes)
        };
        remark(&format!("Logged in to {server} ({scopes})."));
    }
    Ok(())
}

/// Whether the server lets this client in, but not by this way.
fn is_not_for_client(fault: &ConnectionFault) -> bool {
    matches!(fault, ConnectionFault::Token(fault) if fault.is_invalid_client())
}
