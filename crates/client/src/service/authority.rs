//! What is asked of authorization servers on behalf of users: registration and tokens.

use std::time::Duration;

use mcp_gateway_model::clock::Timestamp;
use oauth2::basic::BasicErrorResponse;
use reqwest::{Method, header};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::{
    fault::Fault,
    store::{ClientAt, Grant, UserId},
};
use crate::{
    http::{Answer, Http},
    token::TokenEndpoint,
    words::shown,
};

/// The longest token, and the longest of other texts, that is kept.
const LONGEST_TOKEN: usize = 16 * 1024;
const LONGEST: usize = 4 * 1024;

/// A token response ([RFC 6749 §5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)). It has no `Debug` text.
#[derive(Clone, Deserialize)]
pub(super) struct TokenResponse {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: Option<Seconds>,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    scope: Option<String>,
}

/// A number, or a number written as text: both are sent.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Seconds {
    fn duration(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().ok()?,
        };
        Duration::try_from_secs_f64(seconds).ok()
    }
}

impl TokenResponse {
    /// The grant that it is: what it does not say stays as it was asked for.
    pub(super) fn into_grant(self, asked: &Asked<'_>, now: Timestamp) -> Grant {
        let life = self.expires_in.as_ref().and_then(Seconds::duration);
        Grant {
            user: asked.user.clone(),
            resource: asked.resource.to_owned(),
            client: asked.client.clone(),
            access_token: self.access_token,
            expires_at: life.map(|life| now.plus(life)),
            refresh_token: self
                .refresh_token
                .or_else(|| asked.refresh_token.map(ToOwned::to_owned)),
            scope: self.scope.or_else(|| asked.scope.map(ToOwned::to_owned)),
            issued_at: now,
        }
    }
}

/// What a token response answers.
pub(super) struct Asked<'a> {
    pub(super) user: &'a UserId,
    pub(super) client: &'a ClientAt,
    pub(super) resource: &'a str,
    pub(super) scope: Option<&'a str>,
    /// The refresh token that stays good if no other comes.
    pub(super) refresh_token: Option<&'a str>,
}

/// Asks a token endpoint ([RFC 6749 §3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)), with the client's secret if
/// it has one.
///
/// # Errors
/// A [`Fault`]: 400 when the server refuses, 502 and 504 when it does not answer as it must.
pub(super) async fn token(
    http: &Http,
    client: &ClientAt,
    parameters: &[(&str, &str)],
    now: Timestamp,
) -> Result<TokenResponse, Fault> {
    let endpoint = &client.token_endpoint;
    let unusable = |what: &str| Fault::bad_gateway(format!("{endpoint} {what}."));
    let url = Url::parse(endpoint).map_err(|_| unusable("is not a URL"))?;
    let (server, identity) = (client.server(), client.identity());
    let asking = TokenEndpoint {
        http,
        server: &server.ok_or_else(|| unusable("is not a URL"))?,
        identity: &identity,
        key: None,
        dpop: None,
        now,
    };
    let answer = asking.post(&url, parameters).await?;
    let response = answer.json::<TokenResponse>().ok();
    let Some(response) = response.filter(|response| !response.access_token.is_empty()) else {
        // some servers send errors with status 200
        return Err(refused(endpoint, &answer));
    };
    bounded(endpoint, "access_token", Some(&response.access_token))?;
    bounded(endpoint, "refresh_token", response.refresh_token.as_deref())?;
    bounded(endpoint, "scope", response.scope.as_deref())?;
    if !response.token_type.eq_ignore_ascii_case("bearer") {
        return Err(unusable("issues tokens that are no bearer tokens"));
    }
    Ok(response)
}

/// Registers a client ([RFC 7591 §3](https://www.rfc-editor.org/rfc/rfc7591#section-3)); answers what the server answers.
///
/// # Errors
/// As [`token`].
pub(super) async fn register(
    http: &Http,
    endpoint: &Url,
    metadata: &Map<String, Value>,
) -> Result<Map<String, Value>, Fault> {
    let request = http
        .request(Method::POST, endpoint.clone())
        .header(header::ACCEPT, "application/json")
        .json(metadata)
        .build()
        .map_err(|error| Fault::server(error.without_url().to_string()))?;
    let answer = http
        .call(request)
        .await
        .map_err(|fault| Fault::of_call(endpoint.as_str(), &fault))?;
    if !matches!(answer.status.as_u16(), 200 | 201) {
        return Err(refused(endpoint.as_str(), &answer));
    }
    let metadata = answer
        .json()
        .map_err(|_| Fault::bad_gateway(format!("{endpoint} does not answer with JSON.")))?;
    Ok(metadata)
}

/// Refuses what is too long to be kept: whoever has a server of their own could fill the store.
///
/// # Errors
/// A [`Fault`] with status 502 that names the member.
pub(super) fn bounded(endpoint: &str, member: &str, text: Option<&str>) -> Result<(), Fault> {
    let most = if member.ends_with("_token") {
        LONGEST_TOKEN
    } else {
        LONGEST
    };
    if text.is_none_or(|text| text.len() <= most) {
        return Ok(());
    }
    Err(Fault::bad_gateway(format!(
        "{endpoint} answers with a {member} of more than {most} bytes."
    )))
}

/// The error that an answer is ([RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2), [RFC 7591
/// §3.2.2](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2)).
fn refused(endpoint: &str, answer: &Answer) -> Fault {
    let status = answer.status;
    // a list would be read as well
    let is_object = answer.json::<Map<String, Value>>().is_ok();
    match answer.json::<BasicErrorResponse>() {
        Ok(said) if is_object && !status.is_server_error() => {
            let description = said
                .error_description()
                .map_or_else(String::new, |text| format!(": {}", shown(text)));
            Fault::bad(
                shown(said.error().as_ref()),
                format!("{endpoint} refuses{description}."),
            )
        }
        _ => Fault::bad_gateway(format!(
            "{endpoint} answers with status {} instead of what it must.",
            status.as_u16()
        )),
    }
}
