//! Access tokens of the gateway ([RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068#section-4)), checked with its public
//! keys alone. That a grant was ended is seen only when its token ends: where that is too late, the gateway belongs in front.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk},
};
use mcp_gateway_model::{clock::Timestamp, token::ACCESS_TOKEN_TYPE};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::nobody;
use crate::{
    discover::{self, Question, Trail},
    http::Http,
    service::{fault::Fault, settings::TokenSettings, store::UserId},
};

/// How far the gateway's clock may be ahead of ours.
const LEEWAY: Duration = Duration::from_secs(60);
/// How long keys are used before they are read again, so that one that was withdrawn does not count for ever.
const FRESH: Duration = Duration::from_secs(600);
/// How often keys are read for the sake of one that is not known.
const AGAIN: Duration = Duration::from_secs(10);
/// The most keys of a set.
const MOST: usize = 20;

/// Says whose access tokens are whose.
pub(in crate::service) struct Tokens {
    settings: TokenSettings,
    http: Http,
    keys: Mutex<Option<Keys>>,
}

/// The gateway's public keys, and when they were read.
#[derive(Clone)]
struct Keys {
    read_at: Timestamp,
    keys: Arc<Vec<Key>>,
}

struct Key {
    kid: String,
    algorithm: Algorithm,
    verifying: DecodingKey,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u64,
    #[serde(default)]
    nbf: u64,
    #[serde(default)]
    iat: u64,
}

/// One audience, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn has(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

#[derive(Deserialize)]
struct Published {
    jwks_uri: Url,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

impl Tokens {
    /// Believes the tokens that `settings` say; the keys are read with `http`.
    pub(in crate::service) fn new(settings: TokenSettings, http: Http) -> Self {
        Self {
            settings,
            http,
            keys: Mutex::new(None),
        }
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// A [`Fault`] with status 401 when it is not good, or 502 or 504 when the keys cannot be read.
    pub(super) async fn user(&self, token: &str, now: Timestamp) -> Result<UserId, Fault> {
        let bad = || nobody("The access token is not a good one of the gateway, or not for this service.");
        let header = jsonwebtoken::decode_header(token).map_err(|_| bad())?;
        let is_access_token = header.typ.as_deref().is_some_and(|typ| {
            typ.eq_ignore_ascii_case(ACCESS_TOKEN_TYPE) || typ.eq_ignore_ascii_case("application/at+jwt")
        });
        let kid = header.kid.filter(|_| is_access_token).ok_or_else(bad)?;
        let keys = self.keys(&kid, now).await?;
        let key = keys.iter().find(|key| key.kid == kid).ok_or_else(bad)?;
        // the time is an argument, and the rest is compared here
        let mut validation = Validation::new(key.algorithm);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(token, &key.verifying, &validation)
            .map_err(|_| bad())?
            .claims;
        let begins = Timestamp::from_secs(claims.nbf.max(claims.iat));
        let is_good = claims.iss == self.settings.issuer
            && claims.aud.has(&self.settings.audience)
            && !Timestamp::from_secs(claims.exp).has_passed(now)
            && begins.has_passed(now.plus(LEEWAY));
        UserId::parse(&claims.sub).filter(|_| is_good).ok_or_else(bad)
    }

    /// The keys; read again when they are old, or `kid` is not among them.
    async fn keys(&self, kid: &str, now: Timestamp) -> Result<Arc<Vec<Key>>, Fault> {
        let mut known = self.keys.lock().await;
        if let Some(known) = &*known {
            let patience = if known.keys.iter().any(|key| key.kid == kid) {
                FRESH
            } else {
                AGAIN
            };
            if !known.read_at.plus(patience).has_passed(now) {
                return Ok(Arc::clone(&known.keys));
            }
        }
        match self.read().await {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *known = Some(Keys {
                    read_at: now,
                    keys: Arc::clone(&keys),
                });
                Ok(keys)
            }
            // what was known goes on to count while the gateway cannot be asked
            Err(fault) => match &mut *known {
                Some(known) => {
                    known.read_at = now;
                    tracing::warn!(%fault, "the gateway's keys cannot be read again");
                    Ok(Arc::clone(&known.keys))
                }
                None => Err(fault),
            },
        }
    }

    async fn read(&self) -> Result<Vec<Key>, Fault> {
        let mut trail = Trail::default();
        let issuer = &self.settings.issuer;
        discover::server(&self.http, issuer, &mut trail).await?;
        let used = trail.used(|question| matches!(question, Question::Server(_)));
        let published = used.and_then(|step| step.answer.as_ref()?.json::<Published>().ok());
        let Published { jwks_uri } =
            published.ok_or_else(|| Fault::bad_gateway(format!("{issuer} publishes no jwks_uri.")))?;
        let answer = self.http.get(&jwks_uri).await;
        let answer = answer.map_err(|fault| Fault::of_call(jwks_uri.as_str(), &fault))?;
        let set = answer.json::<KeySet>().ok().filter(|_| answer.status == 200);
        let set = set.ok_or_else(|| Fault::bad_gateway(format!("{jwks_uri} is no key set.")))?;
        Ok(set.keys.into_iter().take(MOST).filter_map(Key::read).collect())
    }
}

impl Key {
    /// Reads a public key; another kind, or another use, is passed over.
    fn read(jwk: serde_json::Value) -> Option<Self> {
        let is_for_signatures = jwk.get("use").is_none_or(|usage| usage == "sig");
        let jwk: Jwk = serde_json::from_value(jwk).ok()?;
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
            _ => return None,
        };
        Some(Self {
            kid: jwk.common.key_id.clone().filter(|_| is_for_signatures)?,
            algorithm,
            verifying: DecodingKey::from_jwk(&jwk).ok()?,
        })
    }
}
