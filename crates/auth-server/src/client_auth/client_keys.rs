//! The public keys of a client ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)), and what each of them verifies.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use mcp_gateway_model::client::AssertionAlgorithm;
use serde_json::{Map, Value};

/// The most keys a set may have.
const MOST: usize = 20;
/// How long an RSA key may be, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// The members that only a private or a shared key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
pub(crate) const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A set of keys that sign a client's assertions. Keys for anything else are not in it.
pub(crate) struct ClientKeys(Vec<ClientKey>);

/// One of them.
struct ClientKey {
    kid: Option<String>,
    /// What it may be used with: an RSA key with two algorithms, unless it says with which.
    algorithms: Vec<AssertionAlgorithm>,
    key: DecodingKey,
}

/// Why a set is none. Each says what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadKeySet {
    /// It has another form.
    #[error("must be an object whose member keys is an array of keys")]
    Malformed,
    /// It has too many.
    #[error("must have at most 20 keys")]
    TooMany,
    /// It has a private key, or a secret.
    #[error(
        "must have public keys only: a private key or a shared secret in it is known to others from now on"
    )]
    Private,
    /// It has no key for an assertion.
    #[error("must have a key for signatures: RSA of 2048 to 8192 bits, EC on P-256, or OKP with Ed25519")]
    NoneSigns,
}

impl ClientKeys {
    /// Reads a key set (RFC 7517 §5). A key of another kind, or for another use, is passed over as the RFC asks for.
    ///
    /// # Errors
    /// [`BadKeySet`] says what the set must be.
    pub(crate) fn parse(set: &Value) -> Result<Self, BadKeySet> {
        let keys = set.get("keys").and_then(Value::as_array);
        Self::of(keys.ok_or(BadKeySet::Malformed)?)
    }

    /// Reads the keys of a set.
    ///
    /// # Errors
    /// As [`ClientKeys::parse`].
    pub(crate) fn of(keys: &[Value]) -> Result<Self, BadKeySet> {
        if keys.len() > MOST {
            return Err(BadKeySet::TooMany);
        }
        let objects: Option<Vec<_>> = keys.iter().map(Value::as_object).collect();
        let objects = objects.ok_or(BadKeySet::Malformed)?;
        if objects.iter().any(|jwk| is_private(jwk)) {
            return Err(BadKeySet::Private);
        }
        let usable: Vec<_> = objects.into_iter().filter_map(ClientKey::read).collect();
        if usable.is_empty() {
            return Err(BadKeySet::NoneSigns);
        }
        Ok(Self(usable))
    }

    /// Whether one of the keys made this signature: one with this id, if an id is named.
    pub(super) fn verify(&self, signed: &Signed<'_>) -> bool {
        self.0
            .iter()
            .filter(|key| signed.kid.is_none() || key.kid.as_deref() == signed.kid)
            .any(|key| key.verifies(signed))
    }
}

/// What was signed, and how it says that it was.
pub(super) struct Signed<'a> {
    /// The id of the key.
    pub(super) kid: Option<&'a str>,
    /// The algorithm.
    pub(super) algorithm: AssertionAlgorithm,
    /// What was signed: header and payload.
    pub(super) message: &'a str,
    /// The signature, in base64url.
    pub(super) signature: &'a str,
}

fn is_private(jwk: &Map<String, Value>) -> bool {
    PRIVATE.iter().any(|name| jwk.contains_key(*name)) || text(jwk, "kty") == Some("oct")
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    jwk.get(name).and_then(Value::as_str)
}

impl ClientKey {
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let is_for_signatures = jwk.get("use").is_none_or(|usage| usage == "sig");
        let verifies = jwk.get("key_ops").is_none_or(|operations| {
            operations
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one == "verify"))
        });
        if !is_for_signatures || !verifies {
            return None;
        }
        let (possible, key) = match (text(jwk, "kty")?, text(jwk, "crv")) {
            ("RSA", _) => (
                &[AssertionAlgorithm::Rs256, AssertionAlgorithm::Ps256][..],
                rsa(jwk)?,
            ),
            ("EC", Some("P-256")) => (
                &[AssertionAlgorithm::Es256][..],
                DecodingKey::from_ec_components(text(jwk, "x")?, text(jwk, "y")?).ok()?,
            ),
            ("OKP", Some("Ed25519")) => (
                &[AssertionAlgorithm::EdDsa][..],
                DecodingKey::from_ed_components(text(jwk, "x")?).ok()?,
            ),
            _ => return None,
        };
        let mut algorithms = possible.to_vec();
        if let Some(named) = jwk.get("alg") {
            algorithms.retain(|algorithm| named == algorithm.as_str());
        }
        (!algorithms.is_empty()).then(|| Self {
            kid: text(jwk, "kid").map(ToOwned::to_owned),
            algorithms,
            key,
        })
    }

    /// The algorithm is one that the key is for, whatever the header of the assertion says.
    fn verifies(&self, signed: &Signed<'_>) -> bool {
        let algorithm = match signed.algorithm {
            AssertionAlgorithm::Rs256 => Algorithm::RS256,
            AssertionAlgorithm::Ps256 => Algorithm::PS256,
            AssertionAlgorithm::Es256 => Algorithm::ES256,
            AssertionAlgorithm::EdDsa => Algorithm::EdDSA,
        };
        self.algorithms.contains(&signed.algorithm)
            && crypto::verify(signed.signature, signed.message.as_bytes(), &self.key, algorithm)
                .unwrap_or(false)
    }
}

fn rsa(jwk: &Map<String, Value>) -> Option<DecodingKey> {
    let number = |name| URL_SAFE_NO_PAD.decode(text(jwk, name)?).ok();
    let (modulus, exponent) = (number("n")?, number("e")?);
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = &modulus[zeros..];
    let unused = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    let bits = modulus.len() * 8 - unused;
    RSA_BITS
        .contains(&bits)
        .then(|| DecodingKey::from_rsa_raw_components(modulus, &exponent))
}

#[cfg(test)]
mod tests;
