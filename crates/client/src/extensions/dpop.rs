//! Tokens that only the holder of a key can use ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)).

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_model::{
    clock::Timestamp,
    secret::{Secret, random_text},
};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use url::Url;

use super::{BadKey, jws::SigningKey};

/// The field that carries a proof.
pub const DPOP: HeaderName = HeaderName::from_static("dpop");
/// The field that carries a nonce.
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// The one algorithm that is used.
pub const ALGORITHM: &str = "ES256";
/// The most bytes of a nonce.
const LONGEST: usize = 1024;
/// The most servers whose nonces are remembered.
const MOST: usize = 64;

/// A key that tokens are bound to: P-256, made here, and never sent.
pub struct DpopKey {
    key: SigningKey,
    pkcs8: Secret,
    jwk: Value,
    /// The last nonce of each origin.
    nonces: Mutex<HashMap<String, String>>,
}

impl DpopKey {
    /// A new key.
    ///
    /// # Errors
    /// [`BadKey::CannotSign`] when the system has no randomness to give.
    pub fn generate() -> Result<Self, BadKey> {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new());
        let document = document.map_err(|_| BadKey::CannotSign)?;
        Self::parse(Secret::presented(URL_SAFE_NO_PAD.encode(document.as_ref())))
    }

    /// A key as [`DpopKey::secret`] wrote it.
    ///
    /// # Errors
    /// [`BadKey::Unreadable`] when it is none.
    pub fn parse(text: Secret) -> Result<Self, BadKey> {
        let unreadable = BadKey::Unreadable(ALGORITHM);
        let bytes = URL_SAFE_NO_PAD
            .decode(text.reveal())
            .map_err(|_| unreadable.clone())?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &bytes)
            .map_err(|_| unreadable.clone())?;
        // an uncompressed point: 4, then x and y
        let point = pair.public_key().as_ref();
        let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else {
            return Err(unreadable);
        };
        let jwk = json!({
            "kty": "EC",
            "crv": "P-256",
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
        });
        Ok(Self {
            key: SigningKey::Ecdsa(pair),
            pkcs8: text,
            jwk,
            nonces: Mutex::default(),
        })
    }

    /// The key as it is kept.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.pkcs8
    }

    /// A fresh proof for one request ([RFC 9449 §4.2](https://www.rfc-editor.org/rfc/rfc9449#section-4.2)), which is bound to
    /// the access token if it carries one.
    ///
    /// # Errors
    /// [`BadKey::CannotSign`].
    pub fn proof(
        &self,
        method: &Method,
        url: &Url,
        access_token: Option<&Secret>,
        now: Timestamp,
    ) -> Result<HeaderValue, BadKey> {
        let mut target = url.clone();
        target.set_query(None);
        target.set_fragment(None);
        let mut claims = json!({
            "jti": random_text::<16>(),
            "htm": method.as_str(),
            "htu": target.as_str(),
            "iat": now.secs(),
        });
        if let Some(token) = access_token {
            let hash = digest::digest(&digest::SHA256, token.reveal().as_bytes());
            claims["ath"] = URL_SAFE_NO_PAD.encode(hash).into();
        }
        if let Some(nonce) = self.nonce(url) {
            claims["nonce"] = nonce.into();
        }
        let header = json!({"typ": "dpop+jwt", "alg": ALGORITHM, "jwk": self.jwk});
        let proof = self.key.sign(&header, &claims)?;
        let mut value = HeaderValue::try_from(proof).map_err(|_| BadKey::CannotSign)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Remembers the nonce of an answer, if it has one ([RFC 9449
    /// §8.2](https://www.rfc-editor.org/rfc/rfc9449#section-8.2)); answers whether it has.
    pub fn note_nonce(&self, url: &Url, headers: &HeaderMap) -> bool {
        let nonce = headers.get(NONCE).and_then(|value| value.to_str().ok());
        let Some(nonce) = nonce.filter(|nonce| !nonce.is_empty() && nonce.len() <= LONGEST) else {
            return false;
        };
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = url.origin().ascii_serialization();
        if nonces.len() >= MOST && !nonces.contains_key(&origin) {
            nonces.clear();
        }
        nonces.insert(origin, nonce.to_owned());
        true
    }

    fn nonce(&self, url: &Url) -> Option<String> {
        let nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        nonces.get(&url.origin().ascii_serialization()).cloned()
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DpopKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::Jwk};

    use super::*;

    fn read(proof: &HeaderValue) -> (jsonwebtoken::Header, Value) {
        let text = proof.to_str().unwrap();
        let header = jsonwebtoken::decode_header(text).unwrap();
        let jwk: Jwk = header.jwk.clone().unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let key = DecodingKey::from_jwk(&jwk).unwrap();
        (
            header,
            jsonwebtoken::decode(text, &key, &validation).unwrap().claims,
        )
    }

    #[test]
    fn a_proof_is_signed_by_the_key_it_carries_and_names_the_request() {
        let key = DpopKey::generate().unwrap();
        let url = Url::parse("https://mcp.example.com/mcp?a=b#c").unwrap();
        let token = Secret::presented("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".into());
        let proof = key
            .proof(&Method::POST, &url, Some(&token), Timestamp::from_secs(7))
            .unwrap();
        let (header, claims) = read(&proof);
        assert_eq!(header.typ.as_deref(), Some("dpop+jwt"));
        assert_eq!(claims["htm"], "POST");
        assert_eq!(claims["htu"], "https://mcp.example.com/mcp");
        assert_eq!(claims["iat"], 7);
        // the vector of RFC 9449 §7.1
        assert_eq!(claims["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    }

    #[test]
    fn every_proof_is_another_and_carries_the_last_nonce_of_its_server() {
        let key = DpopKey::generate().unwrap();
        let url = Url::parse("https://a.example/token").unwrap();
        let elsewhere = Url::parse("https://b.example/mcp").unwrap();
        let mut headers = HeaderMap::new();
        assert!(!key.note_nonce(&url, &headers));
        headers.insert(NONCE, HeaderValue::from_static("n1"));
        assert!(key.note_nonce(&url, &headers));
        let proof = |url: &Url| {
            read(
                &key.proof(&Method::POST, url, None, Timestamp::from_secs(7))
                    .unwrap(),
            )
            .1
        };
        let (one, two) = (proof(&url), proof(&url));
        assert_eq!((&one["nonce"], &two["nonce"]), (&json!("n1"), &json!("n1")));
        assert_ne!(one["jti"], two["jti"]);
        assert_eq!(proof(&elsewhere)["nonce"], Value::Null);
    }

    #[test]
    fn a_key_survives_being_kept() {
        let key = DpopKey::generate().unwrap();
        let kept = Secret::presented(key.secret().reveal().to_owned());
        assert_eq!(DpopKey::parse(kept).unwrap().jwk, key.jwk);
        assert!(DpopKey::parse(Secret::presented("abc".into())).is_err());
    }
}
