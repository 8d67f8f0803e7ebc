//! Clients that an operator enters, shows and removes.

use mcp_gateway_auth_server::{Settings, preregister::Entry};
use mcp_gateway_model::{
    client::{Client, ClientMetadata, ClientOrigin},
    clock::Timestamp,
    id::ClientId,
};
use mcp_gateway_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Enter a client.
    Add(Box<Entry>),
    /// Show those that were entered, and those of the configuration.
    List,
    /// Show one, however it came.
    Show(String),
    /// Remove one, however it came, and end its grants.
    Remove(String),
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Done {
    /// The client that was entered.
    Added(Box<Listed>),
    /// The clients.
    Listed(Vec<Listed>),
    /// One client.
    Shown(Box<Listed>),
    /// It is gone.
    Removed {
        /// How many of its grants ended.
        grants: u64,
    },
}

/// A client, as an operator sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: ClientId,
    /// Whether it stands in the configuration; else it is in the store.
    pub(crate) configured: bool,
    pub(crate) origin: ClientOrigin,
    /// Seconds since the epoch; `None` for a client that stands in the configuration.
    pub(crate) since: Option<u64>,
    /// Seconds since the epoch; `None` for never.
    pub(crate) expires_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) resources: Option<Vec<String>>,
    #[serde(flatten)]
    pub(crate) metadata: ClientMetadata,
}

impl Listed {
    fn new(client: Client, configured: bool) -> Self {
        let texts = |uris: Vec<_>| uris.iter().map(ToString::to_string).collect();
        Self {
            id: client.id,
            configured,
            origin: client.origin,
            since: (!configured).then(|| client.issued_at.secs()),
            expires_at: client.expires_at.map(Timestamp::secs),
            resources: client.resources.map(texts),
            metadata: client.metadata,
        }
    }
}

/// Carries out an order.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn carry_out(
    store: &dyn Store,
    settings: &Settings,
    order: &Order,
    now: Timestamp,
) -> Result<Done, String> {
    let configured = |id: &str| settings.clients.iter().find(|client| client.id.as_str() == id);
    match order {
        Order::Add(entry) if configured(&entry.id).is_some() => {
            Err(format!("{} stands in the configuration already", entry.id))
        }
        Order::Add(entry) => add(store, settings, entry, now).await,
        Order::List => {
            let of_file = settings.clients.iter().cloned();
            let mut listed: Vec<_> = of_file.map(|client| Listed::new(client, true)).collect();
            for client in store
                .entered_clients(now)
                .await
                .map_err(|error| problem(&error))?
            {
                if configured(client.id.as_str()).is_none() {
                    listed.push(Listed::new(client, false));
                }
            }
            Ok(Done::Listed(listed))
        }
        Order::Show(id) => {
            let listed = if let Some(client) = configured(id) {
                Listed::new(client.clone(), true)
            } else {
                Listed::new(stored(store, id, now).await?, false)
            };
            Ok(Done::Shown(Box::new(listed)))
        }
        Order::Remove(id) if configured(id).is_some() => Err(format!(
            "{id} stands in the configuration: remove it there, and start the gateway again"
        )),
        Order::Remove(id) => {
            let client = stored(store, id, now).await?;
            let grants = store
                .end_client(&client.id, now)
                .await
                .map_err(|error| problem(&error))?;
            Ok(Done::Removed { grants })
        }
    }
}

async fn add(store: &dyn Store, settings: &Settings, entry: &Entry, now: Timestamp) -> Result<Done, String> {
    let client = entry
        .client(&settings.issuer, &settings.resources, now)
        .map_err(|bad| bad.to_string())?;
    store
        .add_client(&client, now)
        .await
        .map_err(|error| match error {
            StoreError::Refused(reason) => reason,
            error => error.to_string(),
        })?;
    Ok(Done::Added(Box::new(Listed::new(client, false))))
}

async fn stored(store: &dyn Store, id: &str, now: Timestamp) -> Result<Client, String> {
    let unknown = || format!("there is no client {id}");
    let parsed = ClientId::parse(id).map_err(|_| unknown())?;
    let found = store
        .client(&parsed, now)
        .await
        .map_err(|error| problem(&error))?;
    found.ok_or_else(unknown)
}

fn problem(error: &StoreError) -> String {
    error.to_string()
}
