//! The keys that access tokens are signed with: where they come from, how they are kept, how one replaces another.
//!
//! | module | what it does |
//! |---|---|
//! | `signing_key` | a key that signs, and its public part ([RFC 7518](https://www.rfc-editor.org/rfc/rfc7518)) |
//! | `pem` | reads and writes keys as PEM ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)) |
//! | `ring` | what becomes of the ring in the store |
//! | `chain` | the keys of a running server |
//! | `signers` | the threads that sign |
//! | [`admin`] | what an operator does with them |

pub mod admin;
mod chain;
mod pem;
mod ring;
mod signers;
mod signing_key;

use std::sync::Arc;

use mcp_gateway_model::{
    id::KeyId,
    key::{Algorithm, shared_key_id},
    secret::Secret,
};
use mcp_gateway_store::StoreError;

pub(crate) use chain::KeyChain;
pub(crate) use signers::{Place, Signers};
pub(crate) use signing_key::SigningKey;

use crate::{seal::Sealer, settings::SigningSettings};

/// The fewest bytes a secret of HS256 has (RFC 7518 §3.2).
const SHARED_SECRET_BYTES: usize = 32;

/// What is wrong with a key or the ring of keys. The text names the setting that mends it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The configured key is no PEM of a private key.
    #[error(
        "JWT_PRIVATE_KEY_B64 is not a private key: it must be the base64 of an unencrypted PEM (PKCS#1, PKCS#8 or SEC1)"
    )]
    NotAKey,
    /// The configured key is of another kind than the algorithm.
    #[error(
        "JWT_PRIVATE_KEY_B64 is not a key for {0}: set JWT_ALGORITHM to the key's algorithm, or another key"
    )]
    OtherAlgorithm(Algorithm),
    /// RFC 7518 §3.3.
    #[error("JWT_PRIVATE_KEY_B64 is not an RSA key of 2048 to 8192 bits")]
    RsaSize,
    /// HS256 without a secret, or with a short one.
    #[error("JWT_ALGORITHM=HS256 needs a JWT_SECRET of at least 32 bytes")]
    NoSharedSecret,
    /// The private key in the store was sealed under another secret.
    #[error(
        "the signing key {0} in the store cannot be opened: STORE_ENCRYPTION_KEY (or JWT_SECRET, if that is unset) is not \
         the one it was sealed with; set it back, or list the old value after the new one"
    )]
    Sealed(KeyId),
    /// The operator asked for a key that is not there.
    #[error("there is no key {0}")]
    Unknown(KeyId),
    /// The operator asked to retire the key that signs.
    #[error("key {0} signs: rotate first, and retire it when the tokens it signed have ended")]
    Signs(KeyId),
    /// The operator asked to rotate a key that the configuration holds.
    #[error("the signing key comes from the configuration: put a new one into {0} instead")]
    Configured(&'static str),
    /// Other processes kept changing the ring.
    #[error("other processes keep changing the signing keys: try again")]
    Contended,
    /// More is to be signed than can be.
    #[error("too many tokens are being signed")]
    Busy,
    /// The cryptographic library refused; nothing that a setting mends.
    #[error("a key could not be made or used")]
    Crypto,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The keys as configured, read once.
pub(crate) struct Configured {
    /// What new keys are made for.
    pub(crate) algorithm: Algorithm,
    /// The key of the configuration, if it holds one.
    pub(crate) key: Option<Arc<SigningKey>>,
    /// Seals the private keys that the store keeps.
    pub(crate) sealer: Sealer,
}

impl Configured {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`KeyError`] names the setting.
    pub(crate) fn read(signing: &SigningSettings, sealing: &[Secret]) -> Result<Self, KeyError> {
        let key = if signing.algorithm.is_symmetric() {
            let secret = signing
                .shared_secret
                .as_ref()
                .filter(|secret| secret.reveal().len() >= SHARED_SECRET_BYTES)
                .ok_or(KeyError::NoSharedSecret)?;
            Some(SigningKey::shared(secret, shared_key_id(secret)))
        } else {
            signing
                .private_key_pem
                .as_ref()
                .map(|pem| SigningKey::from_pem(signing.algorithm, pem))
                .transpose()?
        };
        Ok(Self {
            algorithm: signing.algorithm,
            key: key.map(Arc::new),
            sealer: Sealer::new(sealing),
        })
    }
}
