//! Signed objects in the compact form ([RFC 7515 §7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)).

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaEncoding, RsaKeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use mcp_gateway_model::{client::AssertionAlgorithm, secret::Secret};
use serde_json::Value;

use super::BadKey;

/// A private key, for one algorithm.
pub(super) enum SigningKey {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl SigningKey {
    /// Reads a key in PKCS#8.
    pub(super) fn parse(pkcs8: &[u8], algorithm: AssertionAlgorithm) -> Result<Self, BadKey> {
        let rsa = |padding: &'static dyn RsaEncoding| {
            RsaKeyPair::from_pkcs8(pkcs8).map(|pair| Self::Rsa(pair, padding))
        };
        let read = match algorithm {
            AssertionAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Self::Ecdsa)
            }
            AssertionAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).map(Self::Ed25519),
            AssertionAlgorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
            AssertionAlgorithm::Ps256 => rsa(&RSA_PSS_SHA256),
        };
        read.map_err(|_| BadKey::Unreadable(algorithm.as_str()))
    }

    /// Reads a key in PKCS#8 and PEM ([RFC 7468 §10](https://www.rfc-editor.org/rfc/rfc7468#section-10)).
    pub(super) fn parse_pem(pem: &Secret, algorithm: AssertionAlgorithm) -> Result<Self, BadKey> {
        let unreadable = || BadKey::Unreadable(algorithm.as_str());
        let (_, rest) = pem
            .reveal()
            .split_once("-----BEGIN PRIVATE KEY-----")
            .ok_or_else(unreadable)?;
        let (body, _) = rest
            .split_once("-----END PRIVATE KEY-----")
            .ok_or_else(unreadable)?;
        let body: String = body.split_whitespace().collect();
        let pkcs8 = STANDARD.decode(body).map_err(|_| unreadable())?;
        Self::parse(&pkcs8, algorithm)
    }

    /// `claims` under `header`, signed.
    pub(super) fn sign(&self, header: &Value, claims: &Value) -> Result<String, BadKey> {
        let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encoded(header), encoded(claims));
        let signature = self
            .signature(signed.as_bytes())
            .map_err(|_| BadKey::CannotSign)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, aws_lc_rs::error::Unspecified> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*padding, &random, message, &mut signature)?;
                Ok(signature)
            }
        }
    }
}
