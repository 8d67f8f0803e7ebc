//! `allow` of a resource: the people, organisations and teams that may use it.

use config::{Map, Value};
use mcp_gateway_model::{
    access::{Allow, AllowedUsers, Team},
    id::Login,
};

use super::reader::Reader;

/// Who may use a resource; nobody where that is not clear, so that a fault opens nothing.
pub(super) fn read(r: &mut Reader<'_>, setting: &str, value: &Value) -> Allow {
    let table: Map<String, Value> = value.clone().into_table().unwrap_or_default();
    let mut allow = Allow::users(AllowedUsers::nobody());
    if table.is_empty() {
        r.faults.add(setting, "must be { users = [\"octocat\"] }");
    }
    for (key, value) in &table {
        let problem = match key.as_str() {
            "users" => users(value).map(|users| allow.users = users).err(),
            "orgs" => entries(value, "organisations, such as [\"acme\"]", |org| {
                Login::parse(org).map_err(|_| format!("\"{org}\" is no name of an organisation at GitHub"))
            })
            .map(|orgs| allow.orgs = orgs.into_iter().collect())
            .err(),
            "teams" => entries(value, "teams, such as [\"acme/platform\"]", |team| {
                Team::parse(team).map_err(|_| format!("\"{team}\" must be written organisation/team"))
            })
            .map(|teams| allow.teams = teams.into_iter().collect())
            .err(),
            _ => Some("is not a key of allow: there are users, orgs, teams".to_owned()),
        };
        if let Some(problem) = problem {
            r.faults.add(format!("{setting}.{key}"), problem);
        }
    }
    allow
}

fn users(value: &Value) -> Result<AllowedUsers, String> {
    let list = strings(value).ok_or("must be a list of logins or numbers, such as [\"octocat\"]")?;
    AllowedUsers::of(list.iter().map(String::as_str)).map_err(|bad| bad.to_string())
}

fn entries<T>(
    value: &Value,
    of_what: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let list = strings(value).ok_or_else(|| format!("must be a list of {of_what}"))?;
    list.iter().map(|entry| parse(entry)).collect()
}

fn strings(value: &Value) -> Option<Vec<String>> {
    let list = value.clone().into_array().ok()?;
    list.into_iter().map(|entry| entry.into_string().ok()).collect()
}
