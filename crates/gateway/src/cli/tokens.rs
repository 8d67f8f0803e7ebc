//! `admin tokens`.

use clap::Subcommand;
use mcp_gateway_auth_server::personal_tokens::LONGEST;
use mcp_gateway_model::{
    access::Person,
    id::{GrantId, Login, UserId},
    scope::ScopeSet,
    token::PersonalAccessToken,
};

use super::operate::StoreArgs;
use crate::{
    admin::{
        self,
        tokens::{Done, Listed, Order, Request},
    },
    failure::Failure,
    output::{remark, say, say_json, utc},
};

/// What is done with personal access tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// Make a token for a user, for a program that cannot log in; it is written to standard output, this once
    #[command(after_help = "Examples:
  mcp-oauth-gateway admin tokens create octocat --name ci --scope read \\
    --resource https://echo.example.com/mcp
  mcp-oauth-gateway admin tokens create octocat --name backup --scope \"read write\" \\
    --resource https://echo.example.com/mcp --resource https://files.example.com \\
    --expires-in 7d --json")]
    Create {
        /// The user's GitHub login
        #[arg(value_parser = login_text)]
        login: String,
        /// What you call the token
        #[arg(long)]
        name: String,
        /// The URL of a protected MCP server that it opens; repeat it for more
        #[arg(long = "resource", value_name = "URL", required = true)]
        resources: Vec<String>,
        /// What it allows there: scopes, separated by spaces
        #[arg(long = "scope", value_name = "SCOPES", required = true, value_parser = |text: &str| ScopeSet::parse(text))]
        scopes: Vec<ScopeSet>,
        /// How long it lives: a number and s, m, h or d, at most 90d
        #[arg(long, value_name = "TIME", default_value = "30d", value_parser = seconds)]
        expires_in: u64,
        /// The number of the user's GitHub account; else it is the one the login is pinned to, or GitHub is asked
        #[arg(long, value_name = "N")]
        user_id: Option<u64>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Show the tokens that live, never their secrets
    #[command(after_help = "Example:\n  mcp-oauth-gateway admin tokens list --user octocat --json")]
    List {
        /// Only those of the user with this GitHub login or number
        #[arg(long, value_name = "LOGIN|ID", value_parser = |text: &str| Person::parse(text))]
        user: Option<Person>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// End a token, or all of a user: the next request with it is refused
    #[command(after_help = "Examples:
  mcp-oauth-gateway admin tokens revoke 3q2-7wAAAAAAAAAAAAAAAA
  mcp-oauth-gateway admin tokens revoke --user octocat")]
    Revoke {
        /// The token's id, as `admin tokens list` shows it, or the token itself
        #[arg(value_parser = id, allow_hyphen_values = true, required_unless_present = "user", conflicts_with = "user")]
        id: Option<GrantId>,
        /// All of the user with this GitHub login or number
        #[arg(long, value_name = "LOGIN|ID", value_parser = |text: &str| Person::parse(text))]
        user: Option<Person>,
        #[command(flatten)]
        store: StoreArgs,
    },
}

fn login_text(text: &str) -> Result<String, &'static str> {
    let parsed = Login::parse(text).map(|_| text.trim().to_owned());
    parsed.map_err(|_| "not a GitHub login")
}

/// The id alone, or inside the token.
fn id(text: &str) -> Result<GrantId, &'static str> {
    PersonalAccessToken::read(text)
        .map(|token| token.grant)
        .or_else(|| GrantId::parse(text).ok())
        .ok_or("an id has 22 characters")
}

/// A number and its unit.
fn seconds(text: &str) -> Result<u64, &'static str> {
    const PROBLEM: &str = "must be a number and s, m, h or d, such as 30d";
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(PROBLEM),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| PROBLEM)?;
    match number.checked_mul(unit) {
        Some(0) => Err("must be more than 0"),
        Some(seconds) if seconds <= LONGEST.as_secs() => Ok(seconds),
        _ => Err("must be at most 90d"),
    }
}

/// Does what was asked.
///
/// # Errors
/// [`Failure`] with the exit code.
pub(super) async fn tokens(command: TokensCommand) -> Result<(), Failure> {
    let (order, store) = order(command)?;
    let done = admin::order(&store.configuration()?, &admin::Order::Tokens(order)).await?;
    let admin::Done::Tokens(done) = done else {
        return Err(Failure::Runtime("the answer is not about tokens".to_owned()));
    };
    if store.json {
        say_json(&done);
    } else {
        if let Done::Created { listed, .. } = &done {
            remark(&line(listed));
            remark("The token is shown this once:");
        }
        say(&text(&done));
    }
    Ok(())
}

fn order(command: TokensCommand) -> Result<(Order, StoreArgs), Failure> {
    Ok(match command {
        TokensCommand::Create {
            login,
            name,
            resources,
            scopes,
            expires_in,
            user_id,
            store,
        } => {
            let none = ScopeSet::default();
            let request = Request {
                login,
                user_id: user_id.map(UserId),
                name,
                resources,
                scopes: scopes.iter().fold(none, |all, some| all.union(some)),
                lifetime: expires_in,
            };
            (Order::Create(request), store)
        }
        TokensCommand::List { user, store } => (Order::List(user), store),
        TokensCommand::Revoke {
            user: Some(person),
            store,
            ..
        } => (Order::RevokeOf(person), store),
        TokensCommand::Revoke {
            id: Some(id), store, ..
        } => (Order::Revoke(id), store),
        TokensCommand::Revoke { .. } => {
            return Err(Failure::Runtime("name a token or a user".to_owned()));
        }
    })
}

/// What goes to standard output: of a new token nothing else, so that a script can take it.
pub(super) fn text(done: &Done) -> String {
    match done {
        Done::Created { token, .. } => token.0.clone(),
        Done::Listed(all) if all.is_empty() => "no personal access tokens".to_owned(),
        Done::Listed(all) => all.iter().map(line).collect::<Vec<_>>().join("\n"),
        Done::Revoked(ended) => format!("{ended} personal access tokens ended"),
    }
}

fn line(token: &Listed) -> String {
    let resources: Vec<_> = token.resources.iter().map(ToString::to_string).collect();
    format!(
        "{}  \"{}\" of {} (number {}): {} at {}, made {}, ends {}",
        token.id,
        token.name,
        token.login,
        token.user,
        token.scopes,
        resources.join(" "),
        utc(token.created_at),
        utc(token.expires_at),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit_up_to_90_days() {
        for (text, time) in [
            ("1s", 1),
            ("2m", 120),
            ("3h", 10_800),
            ("30d", 2_592_000),
            ("90d", 7_776_000),
        ] {
            assert_eq!(seconds(text), Ok(time), "{text}");
        }
        for text in [
            "",
            "30",
            "d",
            "0d",
            "-1d",
            "1.5d",
            "91d",
            "7776001s",
            "1w",
            "1é",
            "99999999999999999999d",
            "999999999999999999d",
        ] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_is_found_by_its_id_or_by_itself() {
        let grant = GrantId::generate();
        let token = PersonalAccessToken::generate(&grant);
        assert_eq!(id(grant.as_str()), Ok(grant.clone()));
        assert_eq!(id(token.reveal()), Ok(grant));
        assert!(id("mcp_pat_").is_err());
    }
}
