//! A client proves itself by its key ([RFC 7523 §3](https://www.rfc-editor.org/rfc/rfc7523#section-3)).

use std::{fmt, time::Duration};

use mcp_gateway_model::{
    client::AssertionAlgorithm,
    clock::Timestamp,
    secret::{Secret, random_text},
};
use serde_json::json;

use super::{BadKey, jws::SigningKey};

/// How long an assertion holds.
const LIFETIME: Duration = Duration::from_secs(60);

/// A private key that signs assertions.
pub struct AssertionKey {
    key: SigningKey,
    algorithm: AssertionAlgorithm,
    id: Option<String>,
}

impl AssertionKey {
    /// Reads a private key in PEM (PKCS#8); `id` is how the server calls it (`kid`).
    ///
    /// # Errors
    /// [`BadKey`] when it is none for the algorithm.
    pub fn parse(pem: &Secret, algorithm: &str, id: Option<String>) -> Result<Self, BadKey> {
        let known = AssertionAlgorithm::parse(algorithm);
        let algorithm = known.ok_or_else(|| BadKey::Unknown(crate::words::shown(algorithm)))?;
        let key = SigningKey::parse_pem(pem, algorithm)?;
        Ok(Self { key, algorithm, id })
    }

    /// What proves `client_id` to `issuer`, once, for a minute.
    ///
    /// # Errors
    /// [`BadKey::CannotSign`].
    pub fn client_assertion(&self, client_id: &str, issuer: &str, now: Timestamp) -> Result<String, BadKey> {
        let mut header = json!({"typ": "JWT", "alg": self.algorithm.as_str()});
        if let Some(id) = &self.id {
            header["kid"] = id.as_str().into();
        }
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": issuer,
            "jti": random_text::<16>(),
            "iat": now.secs(),
            "exp": now.plus(LIFETIME).secs(),
        });
        self.key.sign(&header, &claims)
    }
}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AssertionKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
    };
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    fn pem(pkcs8: &[u8]) -> Secret {
        let body = STANDARD.encode(pkcs8);
        Secret::presented(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n{}\n-----END PRIVATE KEY-----\n",
            &body[..64],
            &body[64..]
        ))
    }

    #[test]
    fn a_key_signs_by_its_own_algorithm_only() {
        let random = SystemRandom::new();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        for (pkcs8, algorithm, other) in [
            (p256.as_ref(), "ES256", "EdDSA"),
            (ed25519.as_ref(), "EdDSA", "RS256"),
        ] {
            let key = AssertionKey::parse(&pem(pkcs8), algorithm, Some("k1".into())).unwrap();
            let text = key
                .client_assertion("me", "https://a.example", Timestamp::from_secs(100))
                .unwrap();
            let header = jsonwebtoken::decode_header(&text).unwrap();
            assert_eq!(header.kid.as_deref(), Some("k1"));
            assert_eq!(
                format!("{:?}", header.alg).to_uppercase(),
                algorithm.to_uppercase()
            );
            assert!(AssertionKey::parse(&pem(pkcs8), other, None).is_err());
        }
        let unknown = AssertionKey::parse(&pem(p256.as_ref()), "HS256", None).unwrap_err();
        assert_eq!(unknown, BadKey::Unknown("HS256".into()));
        let garbage = Secret::presented("-----BEGIN PRIVATE KEY-----\nAAAA".into());
        assert!(AssertionKey::parse(&garbage, "ES256", None).is_err());
    }
}
