//! JSON Web Tokens of ours ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)): each kind has a `typ` of its own, so that
//! none passes for another.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, Validation};
use mcp_gateway_model::{
    clock::Timestamp,
    id::KeyId,
    key::{Algorithm, PublicKey, PublicNumbers},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    keys::{KeyError, Place, SigningKey},
    state::AuthServer,
};

/// The most characters of a token that is looked at.
const LIMIT: usize = 8 * 1024;

#[derive(Serialize)]
struct Header<'a> {
    alg: Algorithm,
    kid: &'a KeyId,
    typ: &'a str,
}

/// The key that signs now, and a place among those who have something to sign.
pub(crate) struct Pen {
    pub(crate) key: Arc<SigningKey>,
    place: Place,
}

impl Pen {
    /// Takes it up. What is used up for a token is used up afterwards: nothing that is signed with it fails for want of a place.
    ///
    /// # Errors
    /// [`KeyError::Store`] when the store cannot be asked, [`KeyError::Busy`] when too much is being signed.
    pub(crate) async fn take(server: &AuthServer, now: Timestamp) -> Result<Self, KeyError> {
        let key = server.keys.signing(server.store.as_ref(), now).await?;
        Ok(Self {
            place: server.signers.place(&key)?,
            key,
        })
    }
}

/// Signs claims.
pub(crate) async fn sign(
    server: &AuthServer,
    pen: &Pen,
    typ: &'static str,
    claims: &impl Serialize,
) -> Result<String, KeyError> {
    let header = Header {
        alg: pen.key.algorithm(),
        kid: pen.key.kid(),
        typ,
    };
    let mut token = encoded(&header)?;
    token.push('.');
    token.push_str(&encoded(claims)?);
    let key = Arc::clone(&pen.key);
    let signature = server.signers.sign(&pen.place, key, &token).await?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

fn encoded(part: &impl Serialize) -> Result<String, KeyError> {
    let json = serde_json::to_vec(part).map_err(|_| KeyError::Crypto)?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// The claims of a token of kind `typ` that a key of ours signed, whatever they say. `None` for anything else.
///
/// # Errors
/// [`KeyError::Store`] when the store cannot be asked.
pub(crate) async fn claims<C: DeserializeOwned + Clone>(
    server: &AuthServer,
    token: &str,
    typ: &str,
    now: Timestamp,
) -> Result<Option<C>, KeyError> {
    if token.len() > LIMIT || token.bytes().filter(|b| *b == b'.').count() != 2 {
        return Ok(None);
    }
    let Ok(header) = jsonwebtoken::decode_header(token) else {
        return Ok(None);
    };
    let is_of_kind = header.typ.is_some_and(|found| found.eq_ignore_ascii_case(typ));
    let kid = header.kid.and_then(|kid| KeyId::parse(&kid).ok());
    let Some(kid) = kid.filter(|_| is_of_kind) else {
        return Ok(None);
    };
    let Some((algorithm, key)) = verifying_key(server, &kid, now).await? else {
        return Ok(None);
    };
    if header.alg != algorithm {
        return Ok(None);
    }
    // Time is compared by the caller, with the time of the request: the library would read the machine's clock.
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let decoded = jsonwebtoken::decode::<C>(token, &key, &validation);
    Ok(decoded.ok().map(|decoded| decoded.claims))
}

async fn verifying_key(
    server: &AuthServer,
    kid: &KeyId,
    now: Timestamp,
) -> Result<Option<(jsonwebtoken::Algorithm, DecodingKey)>, KeyError> {
    if server.keys.is_shared(kid) {
        let secret = server.settings.signing.shared_secret.as_ref();
        return Ok(secret.map(|secret| {
            let key = DecodingKey::from_secret(secret.reveal().as_bytes());
            (jsonwebtoken::Algorithm::HS256, key)
        }));
    }
    let published = server.keys.published(server.store.as_ref(), now).await?;
    let key = published.keys.iter().find(|key| key.kid == *kid);
    Ok(key.and_then(decoding_key))
}

fn decoding_key(key: &PublicKey) -> Option<(jsonwebtoken::Algorithm, DecodingKey)> {
    let (algorithm, decoding) = match (key.alg, &key.numbers) {
        (Algorithm::Rs256, PublicNumbers::Rsa { n, e }) => (
            jsonwebtoken::Algorithm::RS256,
            DecodingKey::from_rsa_components(n, e),
        ),
        (Algorithm::Es256, PublicNumbers::P256 { x, y, .. }) => (
            jsonwebtoken::Algorithm::ES256,
            DecodingKey::from_ec_components(x, y),
        ),
        (Algorithm::EdDsa, PublicNumbers::Ed25519 { x, .. }) => {
            (jsonwebtoken::Algorithm::EdDSA, DecodingKey::from_ed_components(x))
        }
        _ => return None,
    };
    decoding.ok().map(|decoding| (algorithm, decoding))
}
