//! Keys that sign tokens, good ones and forged ones.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_model::{
    id::KeyId,
    key::{Algorithm, PublicKey, PublicNumbers},
};
use serde_json::{Value, json};

pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Secret(Vec<u8>, KeyId),
}

impl Signer {
    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(crate) fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    /// What verifiers are told; nothing for a secret.
    pub(crate) fn public(&self) -> Option<PublicKey> {
        let (algorithm, numbers) = match self {
            Self::Rsa(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                (
                    Algorithm::Rs256,
                    PublicNumbers::rsa(
                        n.big_endian_without_leading_zero(),
                        e.big_endian_without_leading_zero(),
                    ),
                )
            }
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                (Algorithm::Es256, PublicNumbers::p256(&point[1..33], &point[33..]))
            }
            Self::Ed25519(pair) => (
                Algorithm::EdDsa,
                PublicNumbers::ed25519(pair.public_key().as_ref()),
            ),
            Self::Secret(..) => return None,
        };
        Some(PublicKey::new(algorithm, numbers))
    }

    pub(crate) fn kid(&self) -> String {
        match self {
            Self::Secret(_, kid) => kid.to_string(),
            _ => self.public().unwrap().kid.to_string(),
        }
    }

    /// The header of an honest token.
    pub(crate) fn header(&self) -> Value {
        let algorithm = self.public().map_or(Algorithm::Hs256, |key| key.alg);
        json!({ "alg": algorithm.as_str(), "typ": "at+jwt", "kid": self.kid() })
    }

    /// A token with this header and these claims, whatever they say.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.signature(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::P256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Secret(secret, _) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }
}

pub(crate) fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
