//! `admin clients`.

use std::{io::Read, path::PathBuf};

use clap::{Args, Subcommand};
use mcp_gateway_auth_server::preregister::Entry;
use mcp_gateway_model::secret::{Digest, Secret, SecretKind};
use serde_json::json;

use super::operate::StoreArgs;
use crate::{
    admin::{
        self,
        clients::{Done, Listed, Order},
    },
    config::clients::STRONG,
    failure::Failure,
    output::{say, say_json, utc},
};

/// What is done with clients.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientsCommand {
    /// Enter a client under an id of your choice; a secret that is made for it is written to standard output, this once
    #[command(after_help = "Examples:
  mcp-oauth-gateway admin clients add nightly --name \"Nightly report\" --generate-secret \\
    --resource https://echo.example.com/mcp --scope read
  mcp-oauth-gateway admin clients add desktop --name Desktop --public \\
    --redirect-uri http://127.0.0.1/callback
  mcp-oauth-gateway admin clients add agent --jwks-file agent.jwks.json \\
    --grant-type client_credentials
  mcp-oauth-gateway admin clients add tv --name \"Living room\" --public \\
    --grant-type urn:ietf:params:oauth:grant-type:device_code")]
    Add(Box<AddArgs>),
    /// Show the clients that were entered, and those of the configuration
    #[command(after_help = "Example:\n  mcp-oauth-gateway admin clients list --json")]
    List(StoreArgs),
    /// Show a client, however it came
    #[command(after_help = "Example:\n  mcp-oauth-gateway admin clients show nightly")]
    Show {
        /// The client's id
        id: String,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Remove a client, however it came: everything it was allowed ends with the next request
    #[command(after_help = "Example:\n  mcp-oauth-gateway admin clients remove nightly")]
    Remove {
        /// The client's id
        id: String,
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// What is said of a new client.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Its id: visible ASCII, no number, no URL
    id: String,
    /// Its name, for people
    #[arg(long)]
    name: Option<String>,
    /// Where it may be redirected to; repeat it for more
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    #[command(flatten)]
    credential: CredentialArgs,
    /// What it may send to the token endpoint; repeat it for more [default: what its redirect URIs call for]
    #[arg(long = "grant-type", value_name = "TYPE")]
    grant_types: Vec<String>,
    /// What it may ask for; repeat it for more [default: whatever there is]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The URL of a protected MCP server that it may use; repeat it for more
    #[arg(long = "resource", value_name = "URL")]
    resources: Vec<String>,
    #[command(flatten)]
    store: StoreArgs,
}

/// How it will prove who it is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct CredentialArgs {
    /// Make a secret for it
    #[arg(long)]
    generate_secret: bool,
    /// Read its secret from standard input: 32 characters or more
    #[arg(long)]
    secret_stdin: bool,
    /// It proves nothing: a program on people's own machines
    #[arg(long)]
    public: bool,
    /// Its public keys: a file with a JSON Web Key Set
    #[arg(long, value_name = "FILE")]
    jwks_file: Option<PathBuf>,
    /// Where its public keys are
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
}

/// Does what was asked.
///
/// # Errors
/// [`Failure`] with the exit code.
pub(super) async fn clients(command: ClientsCommand) -> Result<(), Failure> {
    let (order, store, secret) = match command {
        ClientsCommand::Add(args) => {
            let (entry, secret, store) = entry(*args)?;
            (Order::Add(Box::new(entry)), store, secret)
        }
        ClientsCommand::List(store) => (Order::List, store, None),
        ClientsCommand::Show { id, store } => (Order::Show(id), store, None),
        ClientsCommand::Remove { id, store } => (Order::Remove(id), store, None),
    };
    let done = admin::order(&store.configuration()?, &admin::Order::Clients(order)).await?;
    let admin::Done::Clients(done) = done else {
        return Err(Failure::Runtime("the answer is not about clients".to_owned()));
    };
    match (&secret, store.json) {
        (None, true) => say_json(&done),
        (Some(secret), true) => {
            let Done::Added(client) = &done else {
                return Err(Failure::Runtime(
                    "the answer is not about a new client".to_owned(),
                ));
            };
            say_json(&json!({ "added": client, "client_secret": secret.reveal() }));
        }
        (None, false) => say(&text(&done)),
        (Some(secret), false) => {
            say(&text(&done));
            say(&format!("secret, shown this once: {}", secret.reveal()));
        }
    }
    Ok(())
}

fn entry(args: AddArgs) -> Result<(Entry, Option<Secret>, StoreArgs), Failure> {
    let credential = args.credential;
    let made = credential
        .generate_secret
        .then(|| Secret::generate(SecretKind::ClientSecret));
    let secret = match &made {
        Some(made) => Some(made.digest()),
        None if credential.secret_stdin => Some(secret_from_stdin()?),
        None => None,
    };
    let jwks = credential.jwks_file.map(|path| {
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::Runtime(format!("{} cannot be read: {error}", path.display())))?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::Runtime(format!("{} is not JSON: {error}", path.display())))
    });
    let entry = Entry {
        id: args.id,
        name: args.name,
        redirect_uris: args.redirect_uris,
        auth_method: None,
        secret,
        jwks: jwks.transpose()?,
        jwks_uri: credential.jwks_uri,
        grant_types: args.grant_types,
        scopes: args.scopes,
        resources: Some(args.resources).filter(|named| !named.is_empty()),
    };
    Ok((entry, made, args.store))
}

fn secret_from_stdin() -> Result<Digest, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(4096)
        .read_to_string(&mut text)
        .map_err(|error| Failure::Runtime(format!("the secret cannot be read: {error}")))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.len() < STRONG {
        return Err(Failure::Runtime(
            "the secret must have 32 characters or more; try: openssl rand -hex 32".to_owned(),
        ));
    }
    Ok(Digest::of(secret.as_bytes()))
}

/// What was done, for people.
pub(super) fn text(done: &Done) -> String {
    match done {
        Done::Added(client) => format!("entered\n{}", line(client)),
        Done::Listed(clients) if clients.is_empty() => "no clients were entered".to_owned(),
        Done::Listed(clients) => clients.iter().map(line).collect::<Vec<_>>().join("\n"),
        Done::Shown(client) => shown(client),
        Done::Removed { grants } => {
            format!("removed, and {grants} grants ended; the id is free again in a day")
        }
    }
}

fn line(client: &Listed) -> String {
    let metadata = &client.metadata;
    let grant_types: Vec<_> = metadata.grant_types.iter().map(|g| g.as_str()).collect();
    let since = client.since.map_or_else(
        || "from the configuration".to_owned(),
        |since| format!("since {}", utc(since)),
    );
    format!(
        "{}  {}  {}  {}, {since}",
        client.id,
        metadata.client_name.as_deref().unwrap_or("-"),
        metadata.token_endpoint_auth_method.as_str(),
        grant_types.join(" "),
    )
}

fn shown(client: &Listed) -> String {
    let mut lines = vec![line(client)];
    let redirects = client.metadata.redirect_uris.iter();
    lines.extend(redirects.map(|uri| format!("  redirect: {}", uri.as_str())));
    lines.extend(
        client
            .resources
            .iter()
            .flatten()
            .map(|uri| format!("  resource: {uri}")),
    );
    if !client.metadata.scope.is_empty() {
        lines.push(format!("  scopes: {}", client.metadata.scope));
    }
    if let Some(end) = client.expires_at {
        lines.push(format!("  ends {}, unless it is used before", utc(end)));
    }
    lines.join("\n")
}
