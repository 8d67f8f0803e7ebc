//! What is kept: `token`, `list`, `logout`.

use clap::Args;
use mcp_gateway_client::{
    connection::{Connection, LoggedOut, Means},
    credentials::Grant,
    words::shown,
};
use mcp_gateway_model::clock::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};
use url::Url;

use super::{
    account::{Account, Client},
    failure::Failure,
    options::{Options, ServerUrl},
    output::{remark, say, say_json, table},
};

pub(super) const TOKEN_EXAMPLES: &str = "Examples:
  mcp-oauth token https://mcp.example.com/mcp
  curl -H \"Authorization: Bearer $(mcp-oauth token $SERVER)\" $SERVER
  mcp-oauth token https://mcp.example.com/mcp --json

Several of these may run at once: one of them refreshes, and all get the new token. Exit code 3: log in first.";

pub(super) const LOGOUT_EXAMPLES: &str = "Examples:
  mcp-oauth logout https://mcp.example.com/mcp
  mcp-oauth logout --all

Exit code 1: a server could not be told to end something. What ends it is kept for another try, unless --forget is given.";

/// Options of `logout`.
#[derive(Debug, Args)]
pub(crate) struct LogoutArgs {
    /// The MCP server's address
    #[arg(value_name = "URL", required_unless_present = "all", conflicts_with = "all")]
    server: Option<ServerUrl>,
    /// Log out of all servers
    #[arg(long)]
    all: bool,
    /// Forget what is kept here even if the server cannot be told
    #[arg(long)]
    forget: bool,
}

/// A grant for programs, without what opens anything.
pub(super) fn json(grant: &Grant) -> Value {
    json!({
        "server": grant.server,
        "resource": grant.resource,
        "issuer": grant.metadata.issuer,
        "client_id": grant.client_id,
        "scopes": grant.tokens.scopes.iter().collect::<Vec<_>>(),
        "expires_at": grant.tokens.expires_at.map(Timestamp::secs),
        "refreshable": grant.tokens.refresh_token.is_some(),
    })
}

/// Writes a token that is good now.
pub(super) async fn token(options: &Options, server: &Url) -> Result<(), Failure> {
    let account = Account::of(options, server).await?;
    let login_needed = || Failure::LoginNeeded(server.as_str().to_owned());
    if account.before.is_none() {
        return Err(login_needed());
    }
    let profile = account.profile(&Client::default()).await?;
    let connection = account.connection(&profile, Means::Kept);
    let token = connection.access_token().await?.ok_or_else(login_needed)?;
    if !options.json {
        say(token.token.reveal());
        return Ok(());
    }
    let grant = account
        .credentials
        .grant(server)
        .await
        .map_err(Failure::runtime)?;
    let mut shown = grant.as_ref().map_or_else(|| json!({ "server": server }), json);
    shown["access_token"] = token.token.reveal().into();
    shown["token_type"] = token.token_type.scheme().into();
    say_json(&shown);
    Ok(())
}

/// Shows what is kept.
pub(super) async fn list(options: &Options) -> Result<(), Failure> {
    let grants = options.credentials()?.grants().await.map_err(Failure::runtime)?;
    if options.json {
        say_json(&grants.iter().map(json).collect::<Vec<_>>());
        return Ok(());
    }
    if grants.is_empty() {
        remark("You are logged in to no server. Log in with: mcp-oauth login URL");
        return Ok(());
    }
    let now = SystemClock.now();
    let mut rows = vec![
        ["SERVER", "ISSUER", "SCOPES", "TOKEN"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(grants.iter().map(|grant| {
        vec![
            grant.server.to_string(),
            shown(&grant.metadata.issuer),
            shown(&grant.tokens.scopes.to_string()),
            life(grant, now),
        ]
    }));
    say(&table(&rows));
    Ok(())
}

/// How long a token lives, in words.
fn life(grant: &Grant, now: Timestamp) -> String {
    let refreshed = grant.tokens.refresh_token.is_some();
    match grant.tokens.expires_at.map(|end| now.until(end).as_secs()) {
        None => "has no end".to_owned(),
        Some(0) if refreshed => "refreshed at the next use".to_owned(),
        Some(0) => "ended: log in again".to_owned(),
        Some(left) => {
            let (number, unit) = match left {
                0..120 => (left, "seconds"),
                120..7200 => (left / 60, "minutes"),
                7200..172_800 => (left / 3600, "hours"),
                _ => (left / 86_400, "days"),
            };
            let then = if refreshed {
                "then refreshed"
            } else {
                "then log in again"
            };
            format!("{number} {unit}, {then}")
        }
    }
}

/// Ends tokens and registrations.
pub(super) async fn logout(options: &Options, args: &LogoutArgs) -> Result<(), Failure> {
    let credentials = options.credentials()?;
    let servers: Vec<Url> = if let Some(server) = &args.server {
        vec![Url::clone(server)]
    } else {
        let grants = credentials.grants().await.map_err(Failure::runtime)?;
        grants.into_iter().map(|grant| grant.server).collect()
    };
    let mut ended = Vec::new();
    for server in servers {
        let account = Account::of(options, &server).await?;
        let profile = account.profile(&Client::default()).await?;
        let connection = account.connection(&profile, Means::Kept);
        ended.push(one(&connection, args.forget).await?);
    }
    let is_left = |ended: &Value| ended["problems"].as_array().is_some_and(|all| !all.is_empty());
    let has_failed = ended.iter().any(is_left);
    if options.json {
        say_json(&ended);
    } else if ended.is_empty() {
        remark("You were logged in to no server.");
    }
    if !options.json {
        ended.iter().for_each(tell);
    }
    if has_failed { Err(Failure::Left) } else { Ok(()) }
}

async fn one(connection: &Connection, must_forget: bool) -> Result<Value, Failure> {
    let server = connection.server();
    let Some(logged_out) = connection.logout().await? else {
        return Ok(json!({ "server": server, "logged_in": false }));
    };
    let LoggedOut {
        revoked,
        unregistered,
        mut is_forgotten,
    } = logged_out;
    if must_forget && !is_forgotten {
        connection.forget().await?;
        is_forgotten = true;
    }
    let (is_revoked, is_unregistered) = (matches!(revoked, Ok(true)), matches!(unregistered, Ok(true)));
    let problems = [
        revoked
            .err()
            .map(|fault| format!("the tokens may still be good: {fault}")),
        unregistered
            .err()
            .map(|fault| format!("the registration may still be there: {fault}")),
    ];
    Ok(json!({
        "server": server,
        "logged_in": true,
        "forgotten": is_forgotten,
        "revoked": is_revoked,
        "unregistered": is_unregistered,
        "problems": problems.into_iter().flatten().collect::<Vec<_>>(),
    }))
}

fn tell(ended: &Value) {
    let server = ended["server"].as_str().unwrap_or_default();
    if ended["logged_in"] == false {
        remark(&format!("You were not logged in to {server}."));
        return;
    }
    let done = |name: &str| ended[name] == true;
    remark(
        &match (done("revoked"), done("unregistered"), done("forgotten")) {
            (true, true, _) => format!("Logged out of {server}: its tokens and the registration have ended."),
            (true, false, _) => format!("Logged out of {server}: its tokens have ended."),
            (false, _, true) => {
                format!("Logged out of {server} here. The server was not told: its tokens end by themselves.")
            }
            (false, _, false) => {
                format!(
                    "Not logged out of {server}: try again later, or forget the tokens here with --forget."
                )
            }
        },
    );
    let problems = ended["problems"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for problem in problems.iter().filter_map(Value::as_str) {
        remark(&format!("But {problem}."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_token_lives_is_told_in_words() {
        let grant = |left: Option<u64>, refresh: Option<&str>| -> Grant {
            let tokens = json!({
                "access_token": "a", "token_type": "Bearer", "scopes": "read",
                "expires_at": left.map(|left| 1_000_000 + left * 1000), "refresh_token": refresh,
            });
            serde_json::from_value(json!({
                "server": "https://mcp.example.com/mcp", "resource": "https://mcp.example.com/mcp",
                "metadata": { "issuer": "https://auth.example.com" }, "client_id": "c", "requested": "read",
                "tokens": tokens, "dpop": null,
            }))
            .unwrap()
        };
        let now = Timestamp::from_millis(1_000_000);
        for (left, refresh, words) in [
            (None, None, "has no end"),
            (Some(0), None, "ended: log in again"),
            (Some(0), Some("r"), "refreshed at the next use"),
            (Some(90), Some("r"), "90 seconds, then refreshed"),
            (Some(1800), None, "30 minutes, then log in again"),
            (Some(86_400), Some("r"), "24 hours, then refreshed"),
            (Some(864_000), Some("r"), "10 days, then refreshed"),
        ] {
            assert_eq!(life(&grant(left, refresh), now), words);
        }
    }
}
