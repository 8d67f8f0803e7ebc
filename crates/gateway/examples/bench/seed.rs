//! Grants and clients in bulk. One of each is written by the store itself, into a Redis of its own; what lies there then is
//! the pattern for all others, with other names in it.

use mcp_gateway_model::{
    clock::{Clock, SystemClock, Timestamp},
    grant::{Code, Grant},
    id::{ClientId, GrantId},
    pkce::CodeChallenge,
    secret::{Digest, SecretKind, random_text},
};
use mcp_gateway_store::{
    Calls, Look, Permitted, Prolong, Redemption, RedisStore, Seen, Store, testing::RedisServer,
};
use redis::{Connection, Pipeline, cmd, pipe};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    Answer,
    stage::{REDIRECT, RESOURCE, SCOPES, TOOLS, VERIFIER},
};

/// The number of the person in the pattern; no other number in it has these digits.
const USER: u64 = 7_654_321_012_345;
/// How many records go to Redis at once.
const CHUNK: usize = 1000;
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// One grant or client to be written.
pub(crate) struct Seed {
    pub(crate) grant: String,
    pub(crate) client: String,
    pub(crate) user: u64,
    /// The code that the grant began with.
    pub(crate) code: String,
}

impl Seed {
    /// A new grant of this client to this person.
    pub(crate) fn new(client: &str, user: u64) -> Self {
        let grant = GrantId::generate().as_str().to_owned();
        Self {
            code: format!("{}{grant}.{}", SecretKind::Code.prefix(), random_text::<32>()),
            client: client.to_owned(),
            grant,
            user,
        }
    }

    /// So many grants of one client, each to another person.
    pub(crate) fn of_client(client: &str, count: usize) -> Vec<Self> {
        (0..)
            .take(count)
            .map(|number| Self::new(client, 1_000_000 + number))
            .collect()
    }

    /// What stands for each slot.
    fn values(&self) -> [String; 5] {
        [
            self.grant.clone(),
            Digest::of(self.client.as_bytes()).to_string(),
            self.client.clone(),
            Digest::of(self.code.as_bytes()).to_string(),
            self.user.to_string(),
        ]
    }
}

/// What is to be written.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A client that registered itself.
    Client,
    /// A grant whose code is still out.
    Fresh,
    /// A grant whose code was exchanged for tokens.
    Used,
}

/// A text with slots in it.
struct Text(Vec<Piece>);

enum Piece {
    Plain(String),
    Slot(usize),
}

impl Text {
    fn new(text: &str, slots: &[String; 5]) -> Self {
        let mut pieces = vec![Piece::Plain(text.to_owned())];
        for (slot, value) in slots.iter().enumerate() {
            pieces = pieces
                .into_iter()
                .flat_map(|piece| match piece {
                    Piece::Plain(text) => split(&text, value, slot),
                    slot @ Piece::Slot(_) => vec![slot],
                })
                .collect();
        }
        Self(pieces)
    }

    fn fill(&self, values: &[String; 5]) -> String {
        self.0.iter().fold(String::new(), |mut text, piece| {
            text.push_str(match piece {
                Piece::Plain(plain) => plain,
                Piece::Slot(slot) => &values[*slot],
            });
            text
        })
    }
}

fn split(text: &str, value: &str, slot: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, part) in text.split(value).enumerate() {
        if index > 0 {
            pieces.push(Piece::Slot(slot));
        }
        if !part.is_empty() {
            pieces.push(Piece::Plain(part.to_owned()));
        }
    }
    pieces
}

/// One key of the pattern.
struct Record {
    key: Text,
    value: Value,
    /// Milliseconds to live.
    life: Option<u64>,
}

enum Value {
    Plain(Text),
    /// A sorted set: members and scores.
    Sorted(Vec<(Text, String)>),
}

/// What the store wrote for one of a kind.
pub(crate) struct Pattern(Vec<Record>);

impl Pattern {
    /// Lets the store write one of a kind, and reads what lies there then.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn of(kind: Kind) -> Answer<Self> {
        let redis = RedisServer::start();
        let store = RedisStore::connect(&redis.options())?;
        let seed = Seed::new(ClientId::generate().as_str(), USER);
        write(&store, kind, &seed).await?;
        let slots = seed.values();
        let mut connection = redis.connection();
        let keys: Vec<String> = cmd("KEYS").arg("*").query(&mut connection)?;
        let mut records = Vec::new();
        for key in keys.iter().filter(|key| !key.ends_with(":schema")) {
            records.push(Record {
                key: Text::new(key, &slots),
                value: value(&mut connection, key, &slots)?,
                life: cmd("PTTL")
                    .arg(key)
                    .query::<i64>(&mut connection)
                    .map(|life| u64::try_from(life).ok())?,
            });
        }
        Ok(Self(records))
    }

    /// Writes all of them.
    ///
    /// # Errors
    /// When Redis fails.
    pub(crate) fn write(&self, connection: &mut Connection, seeds: &[Seed]) -> Answer<()> {
        for chunk in seeds.chunks(CHUNK) {
            let mut commands = pipe();
            for seed in chunk {
                let values = seed.values();
                for record in &self.0 {
                    record.write(&mut commands, &values);
                }
            }
            commands.exec(connection)?;
        }
        Ok(())
    }

    /// The key under which a grant lies.
    pub(crate) fn key_of_grant(&self, seed: &Seed) -> Answer<String> {
        let values = seed.values();
        let keys = self.0.iter().map(|record| record.key.fill(&values));
        keys.into_iter()
            .find(|key| key.contains(":grant:"))
            .ok_or_else(|| "the store has no key of the grant".into())
    }
}

impl Record {
    fn write(&self, commands: &mut Pipeline, values: &[String; 5]) {
        let key = self.key.fill(values);
        match &self.value {
            Value::Plain(text) => {
                commands.set(&key, text.fill(values)).ignore();
            }
            Value::Sorted(members) => {
                for (member, score) in members {
                    commands
                        .cmd("ZADD")
                        .arg(&key)
                        .arg(score)
                        .arg(member.fill(values))
                        .ignore();
                }
            }
        }
        if let Some(life) = self.life {
            commands.cmd("PEXPIRE").arg(&key).arg(life).ignore();
        }
    }
}

fn value(connection: &mut Connection, key: &str, slots: &[String; 5]) -> Answer<Value> {
    let kind: String = cmd("TYPE").arg(key).query(connection)?;
    if kind == "string" {
        let text: String = cmd("GET").arg(key).query(connection)?;
        return Ok(Value::Plain(Text::new(&text, slots)));
    }
    if kind != "zset" {
        return Err(format!("{key} is a {kind}, which this loader does not know").into());
    }
    let members: Vec<(String, String)> = cmd("ZRANGE")
        .arg(key)
        .arg(0)
        .arg(-1)
        .arg("WITHSCORES")
        .query(connection)?;
    let member = |(member, score): (String, String)| (Text::new(&member, slots), score);
    Ok(Value::Sorted(members.into_iter().map(member).collect()))
}

/// Writes one of a kind with the verbs that the servers write it with.
async fn write(store: &RedisStore, kind: Kind, seed: &Seed) -> Answer<()> {
    let now = SystemClock.now();
    let end = now.plus(DAY);
    if matches!(kind, Kind::Client) {
        let client = of_json(&json!({
            "id": seed.client, "origin": "registered", "revision": 0, "issued_at": now, "expires_at": end,
            "seen": false, "secret": Digest::of(b"secret"), "registration_token": Digest::of(b"management"),
            "previous_registration_token": null,
            "metadata": {
                "client_name": "Bench", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_basic",
                "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            },
        }))?;
        return Ok(store.add_client(&client, now).await?);
    }
    let (grant, code) = grant(seed, now, end)?;
    store.begin_grant(&grant, &code, end, now).await?;
    if matches!(kind, Kind::Used) {
        redeem(store, &grant.id, &code.digest, (end, now)).await?;
    }
    Ok(())
}

/// Uses a code as the token endpoint does.
async fn redeem(
    store: &RedisStore,
    grant: &GrantId,
    code: &Digest,
    (until, now): (Timestamp, Timestamp),
) -> Answer<Redemption> {
    let look = Look {
        grant: Some(grant),
        ..Look::default()
    };
    let Permitted::Yes(Seen {
        grant: Some(held), ..
    }) = store.look(look, now).await?
    else {
        return Err("the store did not look at the grant".into());
    };
    let prolong = Prolong { permit: None, until };
    match store.redeem(held, code, prolong, now).await? {
        Permitted::Yes(redemption) => Ok(redemption),
        Permitted::Wait(_) => Err("the store asked for a permit".into()),
    }
}

fn grant(seed: &Seed, now: Timestamp, end: Timestamp) -> Answer<(Grant, Code)> {
    let grant = of_json(&json!({
        "id": seed.grant, "client": seed.client, "audiences": [RESOURCE, TOOLS], "scopes": SCOPES,
        "user": {
            "id": seed.user, "login": "octocat", "shown_login": "OctoCat", "name": "The Octocat",
            "email": "octocat@bench.test",
        },
        "authenticated_at": now, "created_at": now, "expires_at": end,
    }))?;
    let code = of_json(&json!({
        "grant": seed.grant, "client": seed.client, "digest": Digest::of(seed.code.as_bytes()),
        "redirect_uri": REDIRECT, "redirect_uri_was_sent": true, "challenge": CodeChallenge::of(VERIFIER),
        "expires_at": end,
    }))?;
    Ok((grant, code))
}

/// A record in the form the store keeps it in: releases with more fields can read it.
fn of_json<T: DeserializeOwned>(record: &serde_json::Value) -> Answer<T> {
    Ok(serde_json::from_value(record.clone())?)
}

#[cfg(test)]
mod tests {
    use mcp_gateway_model::id::UserId;
    use mcp_gateway_store::GrantReader;

    use super::*;

    #[tokio::test]
    async fn what_is_loaded_in_bulk_is_what_the_store_reads() {
        let redis = RedisServer::start();
        let client = ClientId::generate();
        let (used, fresh) = (
            Seed::of_client(client.as_str(), 3),
            Seed::of_client(client.as_str(), 2),
        );
        for (kind, seeds) in [(Kind::Used, &used), (Kind::Fresh, &fresh)] {
            let pattern = Pattern::of(kind).await.unwrap();
            pattern.write(&mut redis.connection(), seeds).unwrap();
        }
        let clients = Pattern::of(Kind::Client).await.unwrap();
        clients.write(&mut redis.connection(), &used[..1]).unwrap();

        let (store, now) = (RedisStore::connect(&redis.options()).unwrap(), SystemClock.now());
        assert!(store.client(&client, now).await.unwrap().is_some());
        assert_eq!(store.grants_of_client(&client, now).await.unwrap().len(), 5);
        for (seed, digest) in used
            .iter()
            .chain(&fresh)
            .map(|s| (s, Digest::of(s.code.as_bytes())))
        {
            let id = GrantId::parse(&seed.grant).unwrap();
            let grant = store.grant(&id, now).await.unwrap().unwrap();
            assert_eq!((&grant.client, grant.is_of(UserId(seed.user))), (&client, true));
            assert!(store.code(&id, &digest, now).await.unwrap().is_some());
        }
        let again = GrantId::parse(&used[0].grant).unwrap();
        let digest = Digest::of(used[0].code.as_bytes());
        let redemption = redeem(&store, &again, &digest, (now, now)).await.unwrap();
        assert_eq!(redemption, Redemption::Replayed);
    }

    #[test]
    fn every_place_of_a_name_is_a_slot() {
        let seed = |grant: &str| Seed {
            grant: grant.into(),
            client: "c".into(),
            user: 7,
            code: "code".into(),
        };
        let text = Text::new("a:{GRANT} GRANT", &seed("GRANT").values());
        assert_eq!(text.fill(&seed("other").values()), "a:{other} other");
    }
}
