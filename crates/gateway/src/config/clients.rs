//! Clients that the operator enters: the tables `[[client]]`.

use config::{Map, Value};
use mcp_gateway_auth_server::preregister::Entry;
use mcp_gateway_model::{
    client::Client,
    clock::{Clock, SystemClock},
    issuer::Issuer,
    resource::Resources,
    secret::Digest,
};

use super::{Role, reader::Reader, sources::read_secret};

/// How many characters a secret needs: nobody slows down who guesses one of a weak one for good.
pub(crate) const STRONG: usize = 32;

/// The keys of `[[client]]`.
const KEYS: [&str; 10] = [
    "id",
    "name",
    "redirect_uris",
    "token_endpoint_auth_method",
    "secret_file",
    "jwks_file",
    "jwks_uri",
    "grant_types",
    "scopes",
    "resources",
];

/// The clients. A verifier knows none, and reads none of their files.
pub(super) fn read(
    r: &mut Reader<'_>,
    issuer: Option<&Issuer>,
    resources: &Resources,
    role: Role,
) -> Vec<Client> {
    let mut clients: Vec<Client> = Vec::new();
    if role == Role::Verifier {
        return clients;
    }
    for (index, table) in r.sources.clients.iter().enumerate() {
        let setting = format!("client {}", index + 1);
        for key in table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let problem = format!("is not a key of [[client]]: there are {}", KEYS.join(", "));
            r.faults.add(format!("{setting}: {key}"), problem);
        }
        let (Some(entry), Some(issuer)) = (entry(r, &setting, table), issuer) else {
            continue;
        };
        match entry.client(issuer, resources, SystemClock.now()) {
            Ok(client) if clients.iter().any(|known| known.id == client.id) => {
                r.faults.add(format!("{setting}: id"), "is configured twice");
            }
            Ok(client) => clients.push(client),
            Err(bad) => r.faults.add(format!("{setting}: {}", bad.part), bad.rule),
        }
    }
    clients
}

fn entry(r: &mut Reader<'_>, setting: &str, table: &Map<String, Value>) -> Option<Entry> {
    let mut is_good = true;
    let mut text = |r: &mut Reader<'_>, key: &str| {
        let text = table.get(key)?.clone().into_string();
        is_good &= text.is_ok();
        text.map_err(|_| r.faults.add(format!("{setting}: {key}"), "must be a text"))
            .ok()
    };
    let (id, name) = (text(r, "id"), text(r, "name"));
    let (auth_method, jwks_uri) = (text(r, "token_endpoint_auth_method"), text(r, "jwks_uri"));
    let (secret_file, jwks_file) = (text(r, "secret_file"), text(r, "jwks_file"));
    let mut list = |r: &mut Reader<'_>, key: &str| {
        let list = table.get(key)?.clone().into_array().ok().and_then(|all| {
            let texts = all.into_iter().map(|one| one.into_string().ok());
            texts.collect::<Option<Vec<_>>>()
        });
        is_good &= list.is_some();
        if list.is_none() {
            r.faults
                .add(format!("{setting}: {key}"), "must be a list of texts");
        }
        list
    };
    let (redirect_uris, grant_types) = (list(r, "redirect_uris"), list(r, "grant_types"));
    let (scopes, resources) = (list(r, "scopes"), list(r, "resources"));
    let secret = match secret_file {
        Some(path) => Some(secret(r, setting, &path)?),
        None => None,
    };
    let jwks = match jwks_file {
        Some(path) => Some(keys(r, setting, &path)?),
        None => None,
    };
    is_good.then(|| Entry {
        id: id.unwrap_or_default(),
        name,
        redirect_uris: redirect_uris.unwrap_or_default(),
        auth_method,
        secret,
        jwks,
        jwks_uri,
        grant_types: grant_types.unwrap_or_default(),
        scopes: scopes.unwrap_or_default(),
        resources,
    })
}

fn secret(r: &mut Reader<'_>, setting: &str, path: &str) -> Option<Digest> {
    let setting = format!("{setting}: secret_file");
    let text = read_secret(&setting, path, r.faults)?;
    if text.len() < STRONG {
        let problem = "must hold 32 characters or more; try: openssl rand -hex 32";
        r.faults.add(setting, problem);
        return None;
    }
    Some(Digest::of(text.as_bytes()))
}

fn keys(r: &mut Reader<'_>, setting: &str, path: &str) -> Option<serde_json::Value> {
    let read = std::fs::read_to_string(path)
        .map_err(|error| format!("{path} cannot be read: {error}"))
        .and_then(|text| serde_json::from_str(&text).map_err(|_| format!("{path} is not JSON")));
    read.map_err(|problem| r.faults.add(format!("{setting}: jwks_file"), problem))
        .ok()
}
