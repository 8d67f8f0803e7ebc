//! Access tokens of the gateway ([RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068#section-4)), checked with its public
//! keys alone. That a grant was ended is seen only when its token ends: where that is too late, the gateway belongs in front.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk},
};
use mcp_gateway_model::{clock::Timestamp, token::ACCESS_TOKEN_TYPE};
use serde::Deserialize;
use tokio::sync::Mutex as Turn;
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
/// How often keys are read for the sake of one that is not known, or after they could not be read.
const AGAIN: Duration = Duration::from_secs(10);
/// The most keys of a set.
const MOST: usize = 20;

/// Says whose access tokens are whose.
pub(in crate::service) struct Tokens {
    settings: TokenSettings,
    http: Http,
    known: RwLock<Known>,
    /// Whose turn it is to read the keys: nobody waits for that who can do without.
    reading: Turn<()>,
}

/// The gateway's public keys as far as they are known.
#[derive(Clone, Default)]
struct Known {
    /// When they were read, or could not be.
    asked_at: Option<Timestamp>,
    keys: Option<Arc<Vec<Key>>>,
    /// Why they could not.
    fault: Option<Fault>,
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
            known: RwLock::default(),
            reading: Turn::new(()),
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
        let known = self.known();
        if !known.is_due(kid, now) {
            return known.outcome();
        }
        // what is known goes on to count while somebody else reads
        let _turn = match (self.reading.try_lock(), &known.keys) {
            (Ok(turn), _) => turn,
            (Err(_), Some(keys)) => return Ok(Arc::clone(keys)),
            (Err(_), None) => self.reading.lock().await,
        };
        let known = self.known();
        if !known.is_due(kid, now) {
            return known.outcome();
        }
        let read = self.read().await;
        let next = match read {
            Ok(keys) => Known {
                keys: Some(Arc::new(keys)),
                fault: None,
                asked_at: Some(now),
            },
            // and while the gateway cannot be asked
            Err(fault) => {
                tracing::warn!(%fault, "the gateway's keys cannot be read");
                Known {
                    fault: Some(fault),
                    asked_at: Some(now),
                    ..known
                }
            }
        };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = next.clone();
        next.outcome()
    }

    fn known(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
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

impl Known {
    /// Whether the keys have to be read, again or for the first time.
    fn is_due(&self, kid: &str, now: Timestamp) -> bool {
        let has = self
            .keys
            .as_ref()
            .is_some_and(|keys| keys.iter().any(|key| key.kid == kid));
        let patience = if has { FRESH } else { AGAIN };
        self.asked_at.is_none_or(|at| at.plus(patience).has_passed(now))
    }

    fn outcome(self) -> Result<Arc<Vec<Key>>, Fault> {
        let unread = || Fault::server("the gateway's keys were never read");
        self.keys.ok_or_else(|| self.fault.unwrap_or_else(unread))
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
