//! A key that signs ([RFC 7518 §3](https://www.rfc-editor.org/rfc/rfc7518#section-3)), parsed once and kept.

use std::fmt;

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use mcp_gateway_model::{
    id::KeyId,
    key::{Algorithm, PublicKey, PublicNumbers},
    secret::Secret,
};
use rsa::{RsaPublicKey, pkcs1::DecodeRsaPublicKey, traits::PublicKeyParts};

use super::{
    KeyError,
    pem::{self, Label},
};

/// A key that signs.
pub(crate) struct SigningKey {
    kid: KeyId,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Shared(Box<hmac::Key>),
}

impl SigningKey {
    /// A new key. Takes a while for RSA: not for a thread that serves requests.
    pub(crate) fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048)
                .map(Box::new)
                .map(Pair::Rsa),
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::P256),
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::Ed25519),
            Algorithm::Hs256 => return Err(KeyError::NoSharedSecret),
        };
        Self::new(pair.map_err(|_| KeyError::Crypto)?)
    }

    /// The key of HS256. Its id is that of the secret, as no thumbprint may tell it.
    pub(crate) fn shared(secret: &Secret, kid: KeyId) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        Self {
            kid,
            pair: Pair::Shared(Box::new(key)),
        }
    }

    /// The key of the configuration.
    ///
    /// # Errors
    /// [`KeyError`] when it is none, or of another kind than `algorithm`.
    pub(crate) fn from_pem(algorithm: Algorithm, text: &Secret) -> Result<Self, KeyError> {
        let (label, der) = pem::read(text.reveal()).ok_or(KeyError::NotAKey)?;
        let found = match label {
            Label::Pkcs1 => Pair::rsa(RsaKeyPair::from_der(&der))?,
            Label::Sec1 => EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
                .map(Pair::P256)
                .map_err(|_| KeyError::NotAKey)?,
            Label::Pkcs8 => Pair::from_any_pkcs8(&der)?,
        };
        if found.algorithm() != algorithm {
            return Err(KeyError::OtherAlgorithm(algorithm));
        }
        Self::new(found)
    }

    /// The key that [`SigningKey::to_pkcs8`] wrote.
    pub(crate) fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        Self::new(Pair::from_pkcs8(algorithm, der)?)
    }

    /// The key as PKCS#8, for sealing and for an operator. There is none of a shared secret.
    pub(crate) fn to_pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        let crypto = |_| KeyError::Crypto;
        match &self.pair {
            Pair::Rsa(pair) => Ok(pair.as_der().map_err(crypto)?.as_ref().to_vec()),
            Pair::P256(pair) => Ok(pair.to_pkcs8v1().map_err(crypto)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.to_pkcs8v1().map_err(crypto)?.as_ref().to_vec()),
            Pair::Shared(_) => Err(KeyError::NoSharedSecret),
        }
    }

    /// The key as PEM.
    pub(crate) fn to_pem(&self) -> Result<Secret, KeyError> {
        Ok(pem::write(&self.to_pkcs8()?))
    }

    /// Its id.
    pub(crate) const fn kid(&self) -> &KeyId {
        &self.kid
    }

    /// What it signs with.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.pair.algorithm()
    }

    /// Whether a signature takes so long that it belongs on a thread of its own.
    pub(crate) const fn takes_long(&self) -> bool {
        matches!(self.pair, Pair::Rsa(_))
    }

    /// What verifies; nothing for a shared secret, which is never published.
    pub(crate) fn public(&self) -> Result<Option<PublicKey>, KeyError> {
        let numbers = self.pair.numbers()?;
        Ok(numbers.map(|numbers| PublicKey::new(self.algorithm(), numbers)))
    }

    /// The signature of `message`, as RFC 7518 writes it.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| KeyError::Crypto)?;
                Ok(signature)
            }
            Pair::P256(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| KeyError::Crypto)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Shared(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
        }
    }

    fn new(pair: Pair) -> Result<Self, KeyError> {
        let numbers = pair.numbers()?.ok_or(KeyError::NoSharedSecret)?;
        Ok(Self {
            kid: numbers.thumbprint(),
            pair,
        })
    }
}

impl Pair {
    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::Shared(_) => Algorithm::Hs256,
        }
    }

    fn rsa(read: Result<RsaKeyPair, aws_lc_rs::error::KeyRejected>) -> Result<Self, KeyError> {
        match read {
            Ok(pair) => Ok(Self::Rsa(Box::new(pair))),
            Err(rejected) if ["TooSmall", "TooLarge"].contains(&rejected.description_()) => {
                Err(KeyError::RsaSize)
            }
            Err(_) => Err(KeyError::NotAKey),
        }
    }

    fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::Rs256 => Self::rsa(RsaKeyPair::from_pkcs8(der)),
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                .map(Self::P256)
                .map_err(|_| KeyError::NotAKey),
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
                .map(Self::Ed25519)
                .map_err(|_| KeyError::NotAKey),
            Algorithm::Hs256 => Err(KeyError::NoSharedSecret),
        }
    }

    /// A key whose kind only its bytes tell.
    fn from_any_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let elliptic = [Algorithm::Es256, Algorithm::EdDsa]
            .into_iter()
            .find_map(|algorithm| Self::from_pkcs8(algorithm, der).ok());
        elliptic.map_or_else(|| Self::from_pkcs8(Algorithm::Rs256, der), Ok)
    }

    fn numbers(&self) -> Result<Option<PublicNumbers>, KeyError> {
        Ok(match self {
            Self::Rsa(pair) => {
                let public =
                    RsaPublicKey::from_pkcs1_der(pair.public_key().as_ref()).map_err(|_| KeyError::Crypto)?;
                Some(PublicNumbers::rsa(
                    &public.n().to_bytes_be(),
                    &public.e().to_bytes_be(),
                ))
            }
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point
                    .strip_prefix(&[4])
                    .and_then(|point| point.split_at_checked(32))
                    .ok_or(KeyError::Crypto)?;
                Some(PublicNumbers::p256(x, y))
            }
            Self::Ed25519(pair) => Some(PublicNumbers::ed25519(pair.public_key().as_ref())),
            Self::Shared(_) => None,
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_survives_its_pem_and_signs_alike() {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            let key = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_pem(algorithm, &key.to_pem().unwrap()).unwrap();
            assert_eq!(key.kid(), again.kid());
            assert_eq!(
                key.public().unwrap().unwrap().kid,
                *SigningKey::from_pkcs8(algorithm, &key.to_pkcs8().unwrap())
                    .unwrap()
                    .kid()
            );
        }
    }

    #[test]
    fn a_key_of_another_kind_than_the_algorithm_is_refused() {
        let pem = SigningKey::generate(Algorithm::EdDsa).unwrap().to_pem().unwrap();
        assert!(matches!(
            SigningKey::from_pem(Algorithm::Rs256, &pem),
            Err(KeyError::OtherAlgorithm(Algorithm::Rs256))
        ));
        let text = Secret::presented("your_base64_encoded_rsa_key".into());
        assert!(matches!(
            SigningKey::from_pem(Algorithm::Rs256, &text),
            Err(KeyError::NotAKey)
        ));
    }
}
