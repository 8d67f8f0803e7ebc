//! Keys that sign the tokens of a run, with the library and in the way the gateway does.

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use mcp_gateway_model::{
    clock::{Clock, SystemClock},
    key::{Algorithm, PublicNumbers},
    secret::random_text,
    token::ACCESS_TOKEN_TYPE,
};
use serde_json::json;

use crate::{
    Answer,
    seed::Seed,
    stage::{ISSUER, RESOURCE, SCOPES},
};

/// How long a token lives: longer than any run.
const LIFETIME: u64 = 86_400;

/// A key pair.
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    pair: Pair,
    pkcs8: Vec<u8>,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    /// A new key.
    ///
    /// # Errors
    /// With HS256, and when the library fails.
    pub(crate) fn generate(algorithm: Algorithm) -> Answer<Self> {
        let pkcs8 = match algorithm {
            Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048)?
                .as_der()?
                .as_ref()
                .to_vec(),
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?
                .to_pkcs8v1()?
                .as_ref()
                .to_vec(),
            Algorithm::EdDsa => Ed25519KeyPair::generate()?.to_pkcs8v1()?.as_ref().to_vec(),
            Algorithm::Hs256 => return Err("HS256 has no key pair".into()),
        };
        Self::read(algorithm, pkcs8)
    }

    /// The key in PKCS#8.
    ///
    /// # Errors
    /// When it is none of this algorithm.
    pub(crate) fn read(algorithm: Algorithm, pkcs8: Vec<u8>) -> Answer<Self> {
        let pair = match algorithm {
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(&pkcs8).map(Box::new).map(Pair::Rsa),
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).map(Pair::P256)
            }
            _ => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).map(Pair::Ed25519),
        };
        Ok(Self {
            algorithm,
            pair: pair?,
            pkcs8,
        })
    }

    /// The key in PKCS#8 and base64, for a process of our own.
    pub(crate) fn to_base64(&self) -> String {
        STANDARD.encode(&self.pkcs8)
    }

    /// The key as `JWT_PRIVATE_KEY_B64` wants it.
    pub(crate) fn setting(&self) -> String {
        let text = STANDARD.encode(&self.pkcs8);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines.join("\n")
        );
        STANDARD.encode(pem)
    }

    /// The public part of an RSA key in PKCS#1 and base64.
    ///
    /// # Errors
    /// With a key of another kind.
    pub(crate) fn rsa_public(&self) -> Answer<String> {
        match &self.pair {
            Pair::Rsa(pair) => Ok(STANDARD.encode(pair.public_key())),
            _ => Err("not an RSA key".into()),
        }
    }

    fn numbers(&self) -> PublicNumbers {
        match &self.pair {
            Pair::Rsa(pair) => PublicNumbers::rsa(
                pair.public_key().modulus().big_endian_without_leading_zero(),
                pair.public_key().exponent().big_endian_without_leading_zero(),
            ),
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                PublicNumbers::p256(&point[1..33], &point[33..])
            }
            Pair::Ed25519(pair) => PublicNumbers::ed25519(pair.public_key().as_ref()),
        }
    }

    /// The signature of a message, as RFC 7518 writes it.
    ///
    /// # Errors
    /// When the library fails.
    pub(crate) fn sign(&self, message: &[u8]) -> Answer<Vec<u8>> {
        let random = SystemRandom::new();
        Ok(match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
            Pair::P256(pair) => pair.sign(&random, message)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        })
    }

    /// An access token for a grant that lies in the store, for the server that most of the load is for.
    ///
    /// # Errors
    /// When the library fails.
    pub(crate) fn token(&self, seed: &Seed) -> Answer<String> {
        self.token_for(seed, RESOURCE)
    }

    /// An access token for a grant that lies in the store.
    ///
    /// # Errors
    /// When the library fails.
    pub(crate) fn token_for(&self, seed: &Seed, audience: &str) -> Answer<String> {
        let now = SystemClock.now().secs();
        let header = json!({
            "alg": self.algorithm.as_str(),
            "kid": self.numbers().thumbprint().as_str(),
            "typ": ACCESS_TOKEN_TYPE,
        });
        let claims = json!({
            "iss": ISSUER, "sub": seed.user.to_string(), "aud": audience, "client_id": seed.client,
            "scope": SCOPES, "jti": random_text::<16>(), "iat": now, "exp": now + LIFETIME,
            "grant": seed.grant, "username": "OctoCat",
        });
        let part = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = self.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
