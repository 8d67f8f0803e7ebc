//! What is kept between two runs: what was granted for each server, and who the client is to each issuer. Nothing that
//! belongs to one issuer is ever shown to another.

mod file;
#[cfg(feature = "keyring")]
mod keyring;
mod memory;

use std::{any::Any, fmt, sync::Arc};

use async_trait::async_trait;
use mcp_gateway_model::{
    scope::ScopeSet,
    secret::{Digest, Secret},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

pub use file::FileKeep;
#[cfg(feature = "keyring")]
pub use keyring::KeyringKeep;
pub use memory::MemoryKeep;

use crate::{discover::ServerMetadata, identity::Identity, token::Tokens, words::kept};

/// Somewhere to keep named secrets. Programs bring their own where these do not fit: a service keeps those of many people
/// apart by the names.
///
/// ```
/// use mcp_gateway_client::credentials::{Keep, MemoryKeep};
/// use mcp_gateway_model::secret::Secret;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keep = MemoryKeep::default();
/// keep.save("a name", &Secret::presented("a secret".into())).await?;
/// assert_eq!(keep.load("a name").await?.unwrap().reveal(), "a secret");
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Keep: Send + Sync + fmt::Debug {
    /// What is kept under `name`.
    ///
    /// # Errors
    /// [`KeepFault`] when it cannot be read.
    async fn load(&self, name: &str) -> Result<Option<Secret>, KeepFault>;

    /// Keeps `value` under `name`, wholly or not at all.
    ///
    /// # Errors
    /// [`KeepFault`] when it cannot be written.
    async fn save(&self, name: &str, value: &Secret) -> Result<(), KeepFault>;

    /// Forgets what is kept under `name`. Nothing there is fine.
    ///
    /// # Errors
    /// [`KeepFault`] when it cannot be written.
    async fn remove(&self, name: &str) -> Result<(), KeepFault>;

    /// All names.
    ///
    /// # Errors
    /// [`KeepFault`] when they cannot be read.
    async fn names(&self) -> Result<Vec<String>, KeepFault>;

    /// Waits until nobody else holds `name`, in this process or another, and holds it as long as the value lives. Loading and
    /// saving do not ask for it: it is for whoever does both, with a call to a server in between.
    ///
    /// # Errors
    /// [`KeepFault`] when it cannot be held.
    async fn hold(&self, name: &str) -> Result<Held, KeepFault>;
}

/// Nobody else holds a name as long as this lives.
pub struct Held(#[expect(dead_code, reason = "it is there to be dropped")] Box<dyn Any + Send + Sync>);

impl Held {
    /// Something whose end lets others in.
    #[must_use]
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held(..)")
    }
}

/// Why nothing was kept, or what was kept cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeepFault {
    /// The place cannot be read or written.
    #[error("{place} cannot be used: {reason}")]
    Place {
        /// Which.
        place: String,
        /// Why.
        reason: String,
    },
    /// Others can read it.
    #[error("{0} can be read by others: chmod 600 it, and log out everywhere if somebody may have")]
    Open(String),
    /// What is there was not written by this program, or by a newer one.
    #[error("{0} was not written by this version: move it away and log in again")]
    Foreign(String),
}

/// What was granted for one server.
#[derive(Debug, Serialize, Deserialize)]
pub struct Grant {
    /// The server's address, as it was given.
    pub server: Url,
    /// What the tokens are for, byte for byte.
    pub resource: String,
    /// The authorization server, as it was then.
    pub metadata: ServerMetadata,
    /// Who the client is there.
    pub client_id: String,
    /// What was asked for, all logins together.
    pub requested: ScopeSet,
    /// The tokens.
    pub tokens: Tokens,
    /// The key that they are bound to, if they are.
    #[serde(with = "kept::maybe")]
    pub dpop: Option<Secret>,
}

const GRANT: &str = "grant ";
const CLIENT: &str = "client ";

/// The name of an identity. What stands behind the last space is a digest: no issuer and no id, whatever is in them, make the
/// name of others.
fn client(issuer: &str, client_id: &str) -> String {
    format!("{CLIENT}{issuer} {}", Digest::of(client_id.as_bytes()))
}

/// Grants and identities in a [`Keep`].
#[derive(Clone, Debug)]
pub struct Credentials(Arc<dyn Keep>);

impl Credentials {
    /// What is in `keep`.
    #[must_use]
    pub fn new(keep: Arc<dyn Keep>) -> Self {
        Self(keep)
    }

    /// What was granted for `server`.
    ///
    /// # Errors
    /// [`KeepFault`].
    pub async fn grant(&self, server: &Url) -> Result<Option<Grant>, KeepFault> {
        self.read(&format!("{GRANT}{server}")).await
    }

    /// Keeps a grant in place of the one before it.
    ///
    /// # Errors
    /// [`KeepFault`].
    pub async fn save_grant(&self, grant: &Grant) -> Result<(), KeepFault> {
        self.write(&format!("{GRANT}{}", grant.server), grant).await
    }

    /// Forgets what was granted for `server`.
    ///
    /// # Errors
    /// [`KeepFault`].
    pub async fn remove_grant(&self, server: &Url) -> Result<(), KeepFault> {
        self.0.remove(&format!("{GRANT}{server}")).await
    }

    /// All grants.
    ///
    /// # Errors
    /// [`KeepFault`].
    pub async fn grants(&self) -> Result<Vec<Grant>, KeepFault> {
        let mut names = self.0.names().await?;
        names.sort();
        let mut grants = Vec::new();
        for name in names.iter().filter(|name| name.starts_with(GRANT)) {
            grants.extend(self.read(name).await?);
        }
        Ok(grants)
    }

    /// Who the client is to `issuer` by the name of `client_id`.
    ///
    /// # Errors
    /// [`KeepFault`].
    pub async fn identity(&self, issuer: &str, client_id: &str) -> Result<Option<Identity>, KeepFault> {
        let found: Option<Identity> = self.read(&client(issuer, client_id)).await?;
        Ok(found.filter(|identity| identity.issuer == issuer && identity.client_id == client_id))
    }

    /// All that the client is to `issuer`, and to no other: grants need what they were given to.
    ///
    /// # Errors
    /// [`KeepFault`].
    pub async fn identities(&self, issuer: &str) -> Result<Vec<Identity>, KeepFault> {
        let mut names = self.0.names().await?;
        names.sort();
        let all = format!("{CLIENT}{issuer} ");
        let mut identities = Vec::new();
        for name in names.iter().filter(|name| name.starts_with(&all)) {
            let found: Option<Identity> = self.read(name).await?;
            identities.extend(found.filter(|identity| identity.issuer == issuer));
        }
        Ok(identities)
    }

    /// Keeps who the client is to an issuer, beside what else it is there.
    ///
    /// # Errors
    /// [`KeepFault`].
    pub async fn save_identity(&self, identity: &Identity) -> Result<(), KeepFault> {
        self.write(&client(&identity.issuer, &identity.client_id), identity)
            .await
    }

    /// Forgets who the client is to an issuer.
    ///
    /// # Errors
    /// [`KeepFault`].
    pub async fn remove_identity(&self, identity: &Identity) -> Result<(), KeepFault> {
        self.0
            .remove(&client(&identity.issuer, &identity.client_id))
            .await
    }

    /// Waits for the turn to log in to `server`. Whoever only refreshes does not wait for it: a person may take their time.
    ///
    /// # Errors
    /// [`KeepFault`].
    pub async fn hold_login(&self, server: &Url) -> Result<Held, KeepFault> {
        self.0.hold(&format!("login {server}")).await
    }

    /// Waits for the turn to change what is kept for `server`.
    ///
    /// # Errors
    /// [`KeepFault`].
    pub async fn hold(&self, server: &Url) -> Result<Held, KeepFault> {
        self.0.hold(&format!("{GRANT}{server}")).await
    }

    async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, KeepFault> {
        let Some(text) = self.0.load(name).await? else {
            return Ok(None);
        };
        let read = serde_json::from_str(text.reveal());
        read.map(Some)
            .map_err(|_| KeepFault::Foreign(format!("what is kept as \"{name}\"")))
    }

    async fn write<T: Serialize + Sync>(&self, name: &str, value: &T) -> Result<(), KeepFault> {
        let text = serde_json::to_string(value).map_err(|error| KeepFault::Place {
            place: format!("what is kept as \"{name}\""),
            reason: error.to_string(),
        })?;
        self.0.save(name, &Secret::presented(text)).await
    }
}
