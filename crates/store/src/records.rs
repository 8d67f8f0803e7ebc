//! What is stored that is not already a word of the model.

mod device;
mod document;
mod login;

use std::{collections::BTreeSet, fmt, time::Duration};

use mcp_gateway_model::{
    access::Person,
    clock::Timestamp,
    grant::User,
    id::{KeyId, UserId},
    key::{Algorithm, PublicKey},
};
use serde::{Deserialize, Serialize};

pub use device::{DeviceRequest, DeviceStage};
pub use document::Document;
pub use login::{Login, LoginAnswer, LoginStage, RedirectAnswer};

/// A person who logged in at GitHub a short while ago, in one browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserLogin {
    /// Who it is.
    pub user: User,
    /// When they logged in.
    pub authenticated_at: Timestamp,
    /// When this is forgotten.
    pub expires_at: Timestamp,
}

/// That somebody is thrown out, and stays out until the operator says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Whom the operator named.
    pub named: Person,
    /// The accounts that are known to be meant.
    pub users: BTreeSet<UserId>,
    /// Since when.
    pub since: Timestamp,
}

/// Bytes encrypted by the owner of the sealing key. The store cannot read them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)")
    }
}

/// A signing key as kept between starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingKey {
    /// What verifies.
    pub public: PublicKey,
    /// What signs, sealed; `None` for a key that comes from the configuration.
    pub private: Option<Sealed>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last needed for signing; `None` while it signs. It verifies until it is retired.
    pub replaced_at: Option<Timestamp>,
}

/// All signing keys. Replaced as a whole, by revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRing {
    /// Counts replacements.
    pub revision: u64,
    /// The keys.
    pub keys: Vec<RingKey>,
    /// The one that signs, if it is one of these.
    pub signing: Option<KeyId>,
}

impl KeyRing {
    /// What the verifier may know.
    #[must_use]
    pub fn public_keys(&self) -> Vec<StoredPublicKey> {
        self.keys
            .iter()
            .map(|k| StoredPublicKey {
                key: k.public.clone(),
            })
            .collect()
    }

    /// The key with this id.
    #[must_use]
    pub fn key(&self, id: &KeyId) -> Option<&RingKey> {
        self.keys.iter().find(|k| k.public.kid == *id)
    }

    /// The algorithm of the key that signs.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.signing
            .as_ref()
            .and_then(|id| self.key(id))
            .map(|k| k.public.alg)
    }
}

/// A public key as published for verifiers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPublicKey {
    /// The key.
    pub key: PublicKey,
}

/// How often something may happen: `burst` at once, and `count` within each `period` in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many within a period.
    pub count: u32,
    /// The period.
    pub period: Duration,
    /// How many at once; at least 1.
    pub burst: u32,
}
