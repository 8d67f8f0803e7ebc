//! A client proves who it is by a signed assertion ([RFC 7523 §2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)):
//! a JSON Web Token about itself, for us, made for this one request.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_model::{
    client::{AssertionAlgorithm, AuthMethod, Client},
    clock::Timestamp,
    error::ErrorCode,
    issuer::Issuer,
    secret::{Digest, Secret},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Number, Value};

use super::{client_keys::Signed, guessing::wrong_secret, invalid_client, key_source};
use crate::{
    door::Rejection,
    request::{Context, Parameters},
};

/// The one kind of assertion there is (RFC 7523 §2.2).
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The most bytes an assertion may have.
const LIMIT: usize = 8 * 1024;
/// The most bytes of `jti`.
const JTI_LIMIT: usize = 256;
/// How far ahead `exp` may be.
const LONGEST: Duration = Duration::from_secs(300);
/// How far the client's clock may be ahead of ours.
const SKEW: Duration = Duration::from_secs(60);

/// What every assertion that is not accepted is answered with, for whatever reason.
const RULES: &str = "the client is unknown, or its client_assertion does not prove who it is: it must be signed by a \
    registered key of the client with RS256, PS256, ES256 or EdDSA, its iss and sub must be the client_id, its aud the \
    issuer or its token endpoint and nothing else, its exp at most 5 minutes ahead, and its jti one that was never sent before";

/// An assertion as it was sent. Nothing that it says is believed yet.
pub(crate) struct Assertion {
    text: Secret,
    header: Header,
    claims: Claims,
}

/// The assertion opens something until it is used.
impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion(..)")
    }
}

/// RFC 7515 §4.1.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// RFC 7523 §3. A member that is there twice is refused.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    exp: Number,
    nbf: Option<Number>,
    iat: Option<Number>,
    jti: Option<String>,
}

impl Assertion {
    /// Takes the assertion out of a form, if there is one.
    ///
    /// # Errors
    /// `invalid_request` for half of one, `invalid_client` for what is none.
    pub(super) fn take(form: &mut Parameters) -> Result<Option<Self>, Rejection> {
        match (form.take("client_assertion_type"), form.take("client_assertion")) {
            (None, None) => Ok(None),
            (Some(kind), Some(text)) if kind == TYPE => {
                let read = Self::read(Secret::presented(text));
                read.map(Some).ok_or_else(|| not_accepted("assertion_malformed"))
            }
            (Some(_), Some(_)) => Err(invalid_client(
                format!("client_assertion_type must be {TYPE}"),
                "assertion_type_unknown",
            )),
            _ => Err(Rejection::new(
                ErrorCode::InvalidRequest,
                "client_assertion and client_assertion_type belong together: one of them is missing",
                "half_an_assertion",
            )),
        }
    }

    fn read(text: Secret) -> Option<Self> {
        let parts: Vec<_> = text.reveal().split('.').collect();
        let &[header, claims, _] = parts.as_slice() else {
            return None;
        };
        if text.reveal().len() > LIMIT {
            return None;
        }
        let (header, claims) = (part(header)?, part(claims)?);
        Some(Self { text, header, claims })
    }

    /// Whom the assertion in a form says it is about: for the log.
    pub(super) fn claimed(form: &Parameters) -> Option<String> {
        let text = form.get("client_assertion").filter(|text| text.len() <= LIMIT)?;
        part::<Claims>(text.split('.').nth(1)?).map(|claims| claims.sub)
    }

    /// Whom it says it is about.
    pub(super) fn subject(&self) -> &str {
        &self.claims.sub
    }

    /// Whether it proves that it comes from `client`. It can do so once: what it takes to be used up is a good signature
    /// and claims that are all in order.
    ///
    /// # Errors
    /// `invalid_client` when it does not, 429 for who guesses, 503 when the client's keys cannot be read.
    pub(super) async fn prove(&self, context: &Context, client: &Client) -> Result<(), Rejection> {
        if client.metadata.token_endpoint_auth_method != AuthMethod::PrivateKeyJwt {
            return Err(not_accepted("assertion_of_a_client_without_keys"));
        }
        let algorithm = self.header.algorithm().map_err(not_accepted)?;
        let once = self
            .claims
            .check(client, &context.server.settings.issuer, context.now)
            .map_err(not_accepted)?;
        let (message, signature) = self.text.reveal().rsplit_once('.').unwrap_or_default();
        let signed = Signed {
            kid: self.header.kid.as_deref(),
            algorithm,
            message,
            signature,
        };
        if !key_source::signed(context, client, &signed).await? {
            wrong_secret(context, client.id.as_str()).await?;
            return Err(not_accepted("assertion_signature"));
        }
        let store = &context.server.store;
        if store.use_once(&once.name, once.until, context.now).await? {
            Ok(())
        } else {
            Err(not_accepted("assertion_replayed"))
        }
    }
}

/// The one answer to every assertion that does not prove anything.
pub(super) fn not_accepted(reason: &'static str) -> Rejection {
    invalid_client(RULES, reason)
}

fn part<T: DeserializeOwned>(encoded: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

impl Header {
    /// The algorithm, if the header asks for nothing that is not understood here (RFC 7515 §4.1.11).
    fn algorithm(&self) -> Result<AssertionAlgorithm, &'static str> {
        let is_ours = self.typ.as_deref().is_none_or(|typ| {
            ["jwt", "client-authentication+jwt"].contains(&typ.to_ascii_lowercase().as_str())
        });
        match AssertionAlgorithm::parse(&self.alg) {
            Some(algorithm) if is_ours && self.crit.is_none() => Ok(algorithm),
            Some(_) => Err("assertion_header"),
            None => Err("assertion_algorithm"),
        }
    }
}

/// What an assertion uses up.
struct Once {
    name: Digest,
    until: Timestamp,
}

impl Claims {
    /// RFC 7523 §3, in its order.
    fn check(&self, client: &Client, issuer: &Issuer, now: Timestamp) -> Result<Once, &'static str> {
        let id = client.id.as_str();
        if self.iss != id || self.sub != id {
            return Err("assertion_of_another_client");
        }
        if !self.aud.as_str().is_some_and(|aud| is_ours(aud, issuer)) {
            return Err("assertion_audience");
        }
        let until = time(&self.exp)?;
        if until.has_passed(now) {
            return Err("assertion_expired");
        }
        if until > now.plus(LONGEST) {
            return Err("assertion_too_long");
        }
        for beginning in [&self.nbf, &self.iat].into_iter().flatten() {
            if time(beginning)? > now.plus(SKEW) {
                return Err("assertion_not_yet");
            }
        }
        let jti = self.jti.as_deref().unwrap_or_default();
        if jti.is_empty() || jti.len() > JTI_LIMIT {
            return Err("assertion_jti");
        }
        Ok(Once {
            name: Digest::of(format!("assertion {id} {jti}").as_bytes()),
            until,
        })
    }
}

/// The issuer, or its token endpoint under either of its names.
fn is_ours(audience: &str, issuer: &Issuer) -> bool {
    audience == issuer.as_str()
        || ["/token", "/oauth/token"]
            .map(|path| issuer.endpoint(path))
            .contains(&audience.to_owned())
}

/// A `NumericDate` (RFC 7519 §2), whose fraction of a second counts for nothing.
fn time(number: &Number) -> Result<Timestamp, &'static str> {
    let text = number.to_string();
    let seconds = text.split('.').next().and_then(|seconds| seconds.parse().ok());
    seconds.map(Timestamp::from_secs).ok_or("assertion_malformed")
}
