//! `keys` and `admin`.

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use mcp_gateway_auth_server::keys::admin as keys;
use mcp_gateway_model::{
    access::Person,
    id::{KeyId, Login},
    key::Algorithm,
};

use super::{
    ConfigArgs,
    clients::{self, ClientsCommand},
    load,
    tokens::{self, TokensCommand},
};
use crate::{
    admin::{self, BlockedUser, Done, Key, Order},
    config::{Config, Role},
    failure::Failure,
    output::{say, say_json, utc},
};

/// What is done with signing keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a private key, and write the value for `JWT_PRIVATE_KEY_B64`
    #[command(after_help = "Examples:
  mcp-oauth-gateway keys generate > key.b64
  mcp-oauth-gateway keys generate --algorithm ES256 --pem")]
    Generate {
        /// RS256, ES256 or `EdDSA`
        #[arg(long, default_value = "RS256", value_parser = algorithm)]
        algorithm: Algorithm,
        /// Write PEM instead of its base64
        #[arg(long)]
        pem: bool,
    },
    /// Show the signing keys in the store
    #[command(after_help = "Example:\n  mcp-oauth-gateway keys list --json")]
    List(StoreArgs),
    /// Make a new key in the store that signs from now on; tokens of the one before stay valid
    #[command(after_help = "Example:\n  mcp-oauth-gateway keys rotate")]
    Rotate(StoreArgs),
    /// Remove a key: every access token it signed ends
    #[command(
        after_help = "Example:\n  mcp-oauth-gateway keys retire NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    )]
    Retire {
        /// The key's id, as `keys list` shows it
        #[arg(value_parser = |text: &str| KeyId::parse(text), allow_hyphen_values = true)]
        kid: KeyId,
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// What an operator does with users.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Look after users
    #[command(subcommand)]
    Users(UsersCommand),
    /// Make, show and end personal access tokens
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Enter, show and remove clients
    #[command(subcommand)]
    Clients(ClientsCommand),
}

/// What is done with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// Forget which GitHub account a login of `ALLOWED_GITHUB_USERS` was first used by, and end what that account allowed
    #[command(after_help = "Example:\n  mcp-oauth-gateway admin users unpin octocat")]
    Unpin {
        /// The GitHub login
        #[arg(value_parser = |text: &str| Login::parse(text))]
        login: Login,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Throw a user out: all that they allowed and their personal access tokens end at once, and they cannot come back
    #[command(
        after_help = "Examples:\n  mcp-oauth-gateway admin users block octocat\n  mcp-oauth-gateway admin users block 583231"
    )]
    Block {
        /// The GitHub login, or the number of the account: a number holds under every login
        #[arg(value_name = "LOGIN|ID", value_parser = |text: &str| Person::parse(text))]
        person: Person,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Let a user in again who was blocked; nothing that ended comes back
    #[command(after_help = "Example:\n  mcp-oauth-gateway admin users unblock octocat")]
    Unblock {
        /// The GitHub login or the number of the account
        #[arg(value_name = "LOGIN|ID", value_parser = |text: &str| Person::parse(text))]
        person: Person,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Show who is blocked
    #[command(after_help = "Example:\n  mcp-oauth-gateway admin users list --json")]
    List(StoreArgs),
}

/// Where the store is, and who reads the answer.
#[derive(Clone, Debug, Args)]
pub(crate) struct StoreArgs {
    /// Write JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl StoreArgs {
    /// The configuration that says where the store is.
    ///
    /// # Errors
    /// All faults at once.
    pub(super) fn configuration(&self) -> Result<Config, Failure> {
        load(&self.config.flags(), Role::Serve)
    }
}

fn algorithm(text: &str) -> Result<Algorithm, &'static str> {
    match Algorithm::parse(text) {
        Some(algorithm) if !algorithm.is_symmetric() => Ok(algorithm),
        _ => Err("choose RS256, ES256 or EdDSA"),
    }
}

/// Does what was asked.
///
/// # Errors
/// [`Failure`] with the exit code.
pub(super) async fn keys(command: KeysCommand) -> Result<(), Failure> {
    let (order, store) = match command {
        KeysCommand::Generate { algorithm, pem } => return generate(algorithm, pem),
        KeysCommand::List(store) => (Order::ListKeys, store),
        KeysCommand::Rotate(store) => (Order::RotateKeys, store),
        KeysCommand::Retire { kid, store } => (Order::RetireKey(kid), store),
    };
    carry_out(&order, &store).await
}

/// Does what was asked.
///
/// # Errors
/// [`Failure`] with the exit code.
pub(super) async fn admin(command: AdminCommand) -> Result<(), Failure> {
    let command = match command {
        AdminCommand::Users(command) => command,
        AdminCommand::Tokens(command) => return tokens::tokens(command).await,
        AdminCommand::Clients(command) => return clients::clients(command).await,
    };
    let (order, store) = match command {
        UsersCommand::Unpin { login, store } => (Order::Unpin(login), store),
        UsersCommand::Block { person, store } => (Order::Block(person), store),
        UsersCommand::Unblock { person, store } => (Order::Unblock(person), store),
        UsersCommand::List(store) => (Order::ListBlocks, store),
    };
    carry_out(&order, &store).await
}

fn generate(algorithm: Algorithm, pem: bool) -> Result<(), Failure> {
    let key = keys::generate(algorithm).map_err(Failure::runtime)?;
    if pem {
        say(key.reveal().trim_end());
    } else {
        say(&STANDARD.encode(key.reveal()));
    }
    Ok(())
}

async fn carry_out(order: &Order, store: &StoreArgs) -> Result<(), Failure> {
    let done = admin::order(&store.configuration()?, order).await?;
    if store.json {
        say_json(&done);
    } else {
        say(&text(&done));
    }
    Ok(())
}

fn text(done: &Done) -> String {
    match done {
        Done::Keys(keys) if keys.is_empty() => "no keys yet: the first start makes one".to_owned(),
        Done::Keys(keys) => keys.iter().map(line).collect::<Vec<_>>().join("\n"),
        Done::Rotated(kid) => {
            format!(
                "{kid} signs from now on; running servers notice within seconds. Retire the one before when its tokens have ended."
            )
        }
        Done::Retired(kid) => {
            format!("{kid} is gone, and within half a minute every access token it signed has ended")
        }
        Done::Unpinned { user: None, .. } => "the login was not pinned".to_owned(),
        Done::Unpinned {
            user: Some(user),
            grants,
        } => {
            format!("the login was pinned to user {user} and is free again; {grants} of their grants ended")
        }
        Done::Blocked { users, grants } if users.is_empty() => format!(
            "blocked, and {grants} grants ended. No account is known by this login: whoever comes with it is kept out; to keep out an account under every login, block its number"
        ),
        Done::Blocked { users, grants } => {
            format!("blocked, and {grants} grants ended; accounts: {}", numbers(users))
        }
        Done::Unblocked(lifted) if lifted.is_empty() => "nobody by this name is blocked".to_owned(),
        Done::Unblocked(lifted) => format!("no longer blocked: {}", lifted.join(", ")),
        Done::Blocks(blocks) if blocks.is_empty() => "nobody is blocked".to_owned(),
        Done::Blocks(blocks) => blocks.iter().map(blocked).collect::<Vec<_>>().join("\n"),
        Done::Tokens(done) => tokens::text(done),
        Done::Clients(done) => clients::text(done),
    }
}

fn numbers(users: &[u64]) -> String {
    users.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

fn blocked(user: &BlockedUser) -> String {
    let accounts = match user.users.as_slice() {
        [] => "no account known".to_owned(),
        users => format!("accounts: {}", numbers(users)),
    };
    format!("{}  since {}, {accounts}", user.named, utc(user.since))
}

fn line(key: &Key) -> String {
    let Key {
        kid,
        algorithm,
        created_at,
        ..
    } = key;
    let state = if key.signs { "signs" } else { "verifies" };
    let place = if key.kept_in_store {
        "in the store"
    } else {
        "from the configuration"
    };
    format!(
        "{kid}  {algorithm:5}  {state:8}  made {}, {place}",
        utc(*created_at)
    )
}
