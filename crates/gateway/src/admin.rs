//! What an operator does to a running gateway: signing keys, pinned logins, and users who are thrown out. With Redis it is done there, and every
//! process notices; the embedded store belongs to one process, so that one is asked over its socket.

pub(crate) mod clients;
pub(crate) mod socket;
pub(crate) mod tokens;

use std::sync::Arc;

use mcp_gateway_auth_server::{
    Settings,
    audit::{Event, Line},
    keys::admin as keys,
};
use mcp_gateway_model::{
    access::Person,
    clock::{Clock, SystemClock, Timestamp},
    id::{ClientId, KeyId, Login, RequestId},
    secret::Secret,
};
use mcp_gateway_store::Store;
use serde::{Deserialize, Serialize};

use crate::{
    config::{Config, Role, StoreConfig},
    failure::Failure,
    logs,
    serve::parts::auth_settings,
    store,
};

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Show the signing keys.
    ListKeys,
    /// Make a new key that signs from now on.
    RotateKeys,
    /// Remove a key.
    RetireKey(KeyId),
    /// Forget whom a login is pinned to, and end what that user allowed.
    Unpin(Login),
    /// Throw a user out.
    Block(Person),
    /// Let a user in again.
    Unblock(Person),
    /// Show who is blocked.
    ListBlocks,
    /// Do something about personal access tokens.
    Tokens(tokens::Order),
    /// Do something about clients.
    Clients(clients::Order),
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Done {
    /// The keys.
    Keys(Vec<Key>),
    /// The key that signs now.
    Rotated(KeyId),
    /// The key is gone.
    Retired(KeyId),
    /// The login is free again.
    Unpinned {
        /// Whom it was pinned to; `None` if to nobody.
        user: Option<u64>,
        /// How many grants of that user ended.
        grants: usize,
    },
    /// The user is out.
    Blocked {
        /// The accounts that are known to be meant, by number.
        users: Vec<u64>,
        /// How many of their grants ended.
        grants: u64,
    },
    /// Who may come in again; nobody if nobody was blocked.
    Unblocked(Vec<String>),
    /// Who is blocked.
    Blocks(Vec<BlockedUser>),
    /// What was done about personal access tokens.
    Tokens(tokens::Done),
    /// What was done about clients.
    Clients(clients::Done),
}

/// Somebody who is blocked, as an operator sees them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BlockedUser {
    /// The login or the number that the operator named.
    pub(crate) named: String,
    /// The accounts that are known to be meant, by number.
    pub(crate) users: Vec<u64>,
    /// Seconds since the epoch.
    pub(crate) since: u64,
}

/// A signing key, as an operator sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) kid: KeyId,
    pub(crate) algorithm: String,
    /// Seconds since the epoch.
    pub(crate) created_at: u64,
    /// Seconds since the epoch; `None` while it signs.
    pub(crate) replaced_at: Option<u64>,
    pub(crate) signs: bool,
    /// Whether the store keeps the private part; else the configuration does.
    pub(crate) kept_in_store: bool,
}

/// What orders are carried out on.
#[derive(Clone)]
pub(crate) struct Office {
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
}

impl Office {
    /// For a store that is open here.
    pub(crate) fn new(config: &Config, store: &Arc<dyn Store>, sealing_secrets: &[Secret]) -> Self {
        Self {
            store: Arc::clone(store),
            settings: Arc::new(auth_settings(config, sealing_secrets)),
        }
    }

    /// Carries out an order.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(crate) async fn carry_out(&self, order: &Order) -> Result<Done, String> {
        let now = SystemClock.now();
        let (store, settings) = (self.store.as_ref(), self.settings.as_ref());
        let done = match order {
            Order::ListKeys => Done::Keys(self.list().await?),
            Order::RotateKeys => keys::rotate(store, &settings.signing, &settings.sealing_secrets, now)
                .await
                .map(Done::Rotated)
                .map_err(|error| error.to_string())?,
            Order::RetireKey(kid) => {
                keys::retire(store, kid)
                    .await
                    .map_err(|error| error.to_string())?;
                Done::Retired(kid.clone())
            }
            Order::Unpin(login) => self.unpin(login).await?,
            Order::Block(person) => {
                let done = store.block(person, now).await.map_err(|e| e.to_string())?;
                Done::Blocked {
                    users: done.block.users.iter().map(|id| id.0).collect(),
                    grants: done.grants,
                }
            }
            Order::Unblock(person) => {
                let lifted = store.unblock(person).await.map_err(|e| e.to_string())?;
                Done::Unblocked(lifted.iter().map(Person::to_string).collect())
            }
            Order::ListBlocks => Done::Blocks(self.blocks().await?),
            Order::Clients(order) => Done::Clients(clients::carry_out(store, settings, order, now).await?),
            Order::Tokens(order) => Done::Tokens(tokens::carry_out(store, settings, order, now).await?),
        };
        // what is done about tokens leaves lines that name their grants
        let only_looks = matches!(
            order,
            Order::ListKeys
                | Order::ListBlocks
                | Order::Clients(clients::Order::List | clients::Order::Show(_))
        );
        if !only_looks && !matches!(order, Order::Tokens(_)) {
            note(order);
        }
        Ok(done)
    }

    async fn list(&self) -> Result<Vec<Key>, String> {
        let listed = keys::list(self.store.as_ref())
            .await
            .map_err(|error| error.to_string())?;
        let keys = listed.into_iter().map(|key| Key {
            kid: key.kid,
            algorithm: key.algorithm.to_string(),
            created_at: key.created_at.secs(),
            replaced_at: key.replaced_at.map(Timestamp::secs),
            signs: key.signs,
            kept_in_store: key.is_kept,
        });
        Ok(keys.collect())
    }

    async fn blocks(&self) -> Result<Vec<BlockedUser>, String> {
        let blocks = self.store.blocks().await.map_err(|e| e.to_string())?;
        let blocks = blocks.into_iter().map(|block| BlockedUser {
            named: block.named.to_string(),
            users: block.users.iter().map(|id| id.0).collect(),
            since: block.since.secs(),
        });
        Ok(blocks.collect())
    }

    /// Grants of the user go too: a refresh of theirs would pin the login to them again.
    async fn unpin(&self, login: &Login) -> Result<Done, String> {
        let problem = |error: mcp_gateway_store::StoreError| error.to_string();
        let now = SystemClock.now();
        let user = self.store.unpin(login).await.map_err(problem)?;
        let mut ended = 0;
        if let Some(user) = user {
            for grant in self.store.grants_of_user(user, now).await.map_err(problem)? {
                ended += usize::from(self.store.end_grant(&grant.id, now).await.map_err(problem)?);
            }
        }
        Ok(Done::Unpinned {
            user: user.map(|user| user.0),
            grants: ended,
        })
    }
}

fn note(order: &Order) {
    let request_id = RequestId::generate();
    let mut line = Line::new(Event::Administered, &request_id);
    match order {
        Order::ListKeys => line.reason = Some("keys_listed"),
        Order::RotateKeys => line.reason = Some("keys_rotated"),
        Order::RetireKey(_) => line.reason = Some("key_retired"),
        Order::Unpin(login) => {
            line.reason = Some("login_unpinned");
            line.login = Some(login.as_str());
        }
        Order::ListBlocks => line.reason = Some("blocks_listed"),
        Order::Tokens(_) => line.reason = Some("tokens_administered"),
        Order::Clients(order) => {
            let (reason, id) = match order {
                clients::Order::Add(entry) => ("client_entered", Some(entry.id.as_str())),
                clients::Order::Remove(id) => ("client_removed", Some(id.as_str())),
                clients::Order::List | clients::Order::Show(_) => ("clients_listed", None),
            };
            let client = id.and_then(|id| ClientId::parse(id).ok());
            line.reason = Some(reason);
            line.client = client.as_ref();
            return line.write();
        }
        Order::Block(person) => {
            line.reason = Some("user_blocked");
            about(&mut line, person);
        }
        Order::Unblock(person) => {
            line.reason = Some("user_unblocked");
            about(&mut line, person);
        }
    }
    line.write();
}

fn about<'a>(line: &mut Line<'a>, person: &'a Person) {
    match person {
        Person::Id(id) => line.user = Some(*id),
        Person::Login(login) => line.login = Some(login.as_str()),
    }
}

/// Has an order carried out: by the running gateway if its store is embedded, else here.
///
/// # Errors
/// [`Failure`] says what is in the way.
pub(crate) async fn order(config: &Config, order: &Order) -> Result<Done, Failure> {
    if let StoreConfig::Directory(directory) = &config.store
        && let Some(answer) = socket::ask(directory, order).await?
    {
        return answer.map_err(Failure::Runtime);
    }
    // what is done here leaves its audit line here
    logs::begin(&config.logs)?;
    let opened = store::open(config, Role::Serve)?;
    let store = opened
        .store
        .ok_or_else(|| Failure::Runtime("there is no store to work on".to_owned()))?;
    let office = Office::new(config, &store, &opened.sealing_secrets);
    office.carry_out(order).await.map_err(Failure::Runtime)
}
