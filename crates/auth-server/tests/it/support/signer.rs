//! Private keys of clients, and assertions signed with them.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use aws_lc_rs::{
    encoding::PublicKeyX509Der,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKey, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RSA_PSS_SHA256,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A client's key. RSA signs in two ways.
pub(crate) enum Signer {
    Rsa(Box<RsaKey>, &'static str),
    P256(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Signer {
    pub(crate) fn rs256() -> Self {
        Self::Rsa(Box::new(RsaKey::generate(KeySize::Rsa2048).unwrap()), "RS256")
    }

    pub(crate) fn ps256() -> Self {
        Self::Rsa(Box::new(RsaKey::generate(KeySize::Rsa2048).unwrap()), "PS256")
    }

    pub(crate) fn es256() -> Self {
        Self::P256(Box::new(
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        ))
    }

    pub(crate) fn eddsa() -> Self {
        Self::Ed25519(Box::new(Ed25519KeyPair::generate().unwrap()))
    }

    /// One of each.
    pub(crate) fn all() -> [Self; 4] {
        [Self::rs256(), Self::ps256(), Self::es256(), Self::eddsa()]
    }

    pub(crate) const fn alg(&self) -> &'static str {
        match self {
            Self::Rsa(_, alg) => alg,
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    /// The public key, with this id.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(key, _) => {
                let key = key.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                json!({
                    "kty": "RSA",
                    "kid": kid,
                    "n": text(n.big_endian_without_leading_zero()),
                    "e": text(e.big_endian_without_leading_zero()),
                })
            }
            Self::P256(key) => {
                let point = key.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": text(&point[1..33]), "y": text(&point[33..]) })
            }
            Self::Ed25519(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(key.public_key().as_ref()) })
            }
        }
    }

    /// The public key as what was signed with it in mind: DER, as a confused verifier would take it for a secret.
    pub(crate) fn public_der(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key, _) => {
                let der: PublicKeyX509Der<'_> = aws_lc_rs::encoding::AsDer::as_der(key.public_key()).unwrap();
                der.as_ref().to_vec()
            }
            Self::P256(key) => key.public_key().as_ref().to_vec(),
            Self::Ed25519(key) => key.public_key().as_ref().to_vec(),
        }
    }

    fn signature(&self, message: &[u8], alg: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key, _) => {
                let padding: &dyn aws_lc_rs::signature::RsaEncoding = if alg == "PS256" {
                    &RSA_PSS_SHA256
                } else {
                    &RSA_PKCS1_SHA256
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::P256(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// Signs claims under any header, with what `alg` in it says if the key can do that.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let alg = header["alg"].as_str().unwrap_or_default();
        let signature = self.signature(message.as_bytes(), alg);
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Signs claims as a well-behaved client does.
    pub(crate) fn assertion(&self, kid: &str, claims: &Value) -> String {
        self.sign(&json!({ "alg": self.alg(), "kid": kid, "typ": "JWT" }), claims)
    }
}

/// Header and payload, not signed yet.
pub(crate) fn message(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}", part(header), part(claims))
}
