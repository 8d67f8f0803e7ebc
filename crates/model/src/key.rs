//! Signing algorithms, key ids and public keys (RFC 7517, 7518, 7638, 8037).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    id::{BadId, KeyId},
    secret::{Digest, Secret, derive_bytes},
};

/// An algorithm that access tokens may be signed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[default]
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// HMAC with SHA-256: whoever verifies can also sign.
    #[serde(rename = "HS256")]
    Hs256,
}

impl Algorithm {
    /// Reads an algorithm's name in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Rs256, Self::Es256, Self::EdDsa, Self::Hs256]
            .into_iter()
            .find(|a| a.as_str().eq_ignore_ascii_case(text))
    }

    /// The name as in a header's `alg`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    /// Whether verifying needs the secret that signs.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The public part of a key, in the numbers of RFC 7518 §6 and RFC 8037 (each in base64url).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub enum PublicNumbers {
    /// An RSA key.
    #[serde(rename = "RSA")]
    Rsa {
        /// The modulus.
        n: String,
        /// The exponent.
        e: String,
    },
    /// A point on P-256.
    #[serde(rename = "EC")]
    P256 {
        /// Always `P-256`.
        crv: String,
        /// The x coordinate.
        x: String,
        /// The y coordinate.
        y: String,
    },
    /// An Ed25519 key.
    #[serde(rename = "OKP")]
    Ed25519 {
        /// Always `Ed25519`.
        crv: String,
        /// The key.
        x: String,
    },
}

impl PublicNumbers {
    /// An RSA key from its big-endian modulus and exponent.
    #[must_use]
    pub fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self::Rsa {
            n: URL_SAFE_NO_PAD.encode(n),
            e: URL_SAFE_NO_PAD.encode(e),
        }
    }

    /// A P-256 key from its coordinates.
    #[must_use]
    pub fn p256(x: &[u8], y: &[u8]) -> Self {
        Self::P256 {
            crv: "P-256".into(),
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
        }
    }

    /// An Ed25519 key from its 32 bytes.
    #[must_use]
    pub fn ed25519(x: &[u8]) -> Self {
        Self::Ed25519 {
            crv: "Ed25519".into(),
            x: URL_SAFE_NO_PAD.encode(x),
        }
    }

    /// The RFC 7638 thumbprint: the SHA-256 of the required members in alphabetical order.
    #[must_use]
    pub fn thumbprint(&self) -> KeyId {
        let canonical = match self {
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            Self::P256 { crv, x, y } => format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Self::Ed25519 { crv, x } => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
        };
        let text = Digest::of(canonical.as_bytes()).to_string();
        KeyId::parse(&text).unwrap_or_else(|BadId| unreachable!("a digest is 43 characters of base64url"))
    }
}

/// A public key as JWKS lists it (RFC 7517 §4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// Its id.
    pub kid: KeyId,
    /// What it verifies.
    pub alg: Algorithm,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: KeyUse,
    /// Its numbers.
    #[serde(flatten)]
    pub numbers: PublicNumbers,
}

/// What a key is for (RFC 7517 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyUse {
    /// Signatures.
    #[serde(rename = "sig")]
    Signature,
}

impl PublicKey {
    /// The key with its thumbprint as id.
    #[must_use]
    pub fn new(alg: Algorithm, numbers: PublicNumbers) -> Self {
        Self {
            kid: numbers.thumbprint(),
            alg,
            usage: KeyUse::Signature,
            numbers,
        }
    }
}

/// The id of the HS256 key that `secret` is: a digest that does not help to guess it. Signer and verifier derive the same.
#[must_use]
pub fn shared_key_id(secret: &Secret) -> KeyId {
    let derived = derive_bytes(secret.reveal().as_bytes(), "mcp-gateway shared key id 1");
    let text = Digest::of(&derived).to_string();
    KeyId::parse(&text).unwrap_or_else(|BadId| unreachable!("a digest is 43 characters of base64url"))
}

/// A JWK set (RFC 7517 §5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<PublicKey>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_of_rfc_7638_section_3_1_comes_out() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let numbers = PublicNumbers::Rsa {
            n: n.into(),
            e: "AQAB".into(),
        };
        assert_eq!(
            numbers.thumbprint().as_str(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn the_id_of_a_shared_key_is_its_secrets_own() {
        let id = |text: &str| shared_key_id(&Secret::presented(text.into()));
        assert_eq!(id("one"), id("one"));
        assert_ne!(id("one"), id("two"));
    }

    #[test]
    fn a_key_is_written_as_rfc_7517_wants() {
        let key = PublicKey::new(Algorithm::EdDsa, PublicNumbers::ed25519(&[0; 32]));
        let json = serde_json::to_value(&key).unwrap();
        assert_eq!(json["kty"], "OKP");
        assert_eq!(json["use"], "sig");
        assert_eq!(json["alg"], "EdDSA");
        assert_eq!(serde_json::from_value::<PublicKey>(json).unwrap(), key);
    }
}
