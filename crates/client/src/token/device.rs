//! The device authorization grant ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)): the person types a short code in any
//! browser, on any machine.

use std::time::Duration;

use mcp_gateway_model::secret::Secret;
use oauth2::basic::BasicTokenResponse;
use serde::Deserialize;
use url::Url;

use super::{For, TokenEndpoint, TokenFault, Tokens};
use crate::words::shown;

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How long it is until the next question, where the server does not say ([RFC 8628
/// §3.2](https://www.rfc-editor.org/rfc/rfc8628#section-3.2)).
const INTERVAL: u64 = 5;
/// The longest that a code is waited for, whatever the server says, in seconds.
const LONGEST: u64 = 3600;

/// A login that waits for its person ([RFC 8628 §3.2](https://www.rfc-editor.org/rfc/rfc8628#section-3.2)).
#[derive(Debug)]
pub struct DeviceLogin {
    device_code: Secret,
    /// What the person types.
    pub user_code: String,
    /// Where they type it.
    pub verification_uri: Url,
    /// An address that has the code in it.
    pub verification_uri_complete: Option<Url>,
    /// How long the code is good.
    pub lifetime: Duration,
    /// How long it is until the next question.
    pub interval: Duration,
}

#[derive(Deserialize)]
struct Answer {
    device_code: String,
    user_code: String,
    // some servers follow an early draft
    #[serde(alias = "verification_url")]
    verification_uri: Url,
    #[serde(default)]
    verification_uri_complete: Option<Url>,
    expires_in: u64,
    #[serde(default)]
    interval: Option<u64>,
}

/// What a question after a login brought ([RFC 8628 §3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5)).
#[derive(Debug)]
pub enum Polled {
    /// The person has logged in.
    Tokens(Tokens),
    /// They have not yet.
    Pending,
    /// They have not yet, and the questions come too often.
    SlowDown,
}

impl TokenEndpoint<'_> {
    /// Begins a login with a code ([RFC 8628 §3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.1)).
    ///
    /// # Errors
    /// [`TokenFault`] when the server has no such way, or refuses.
    pub async fn begin_device(&self, wanted: For<'_>) -> Result<DeviceLogin, TokenFault> {
        let url = self.server.device_authorization_endpoint.as_ref();
        let url = url.ok_or_else(|| TokenFault::NoDeviceEndpoint(self.server.issuer.clone()))?;
        let scopes = wanted
            .scopes
            .map(ToString::to_string)
            .filter(|text| !text.is_empty());
        let mut fields = vec![("resource", wanted.resource)];
        fields.extend(scopes.as_deref().map(|scopes| ("scope", scopes)));
        let answer = self.post(url, &fields).await?;
        let answer = answer.json::<Answer>().map_err(|_| TokenFault::Malformed)?;
        let is_page = |url: &Url| self.http.settings().targets.allow(url).is_ok();
        if !is_page(&answer.verification_uri) {
            return Err(TokenFault::Malformed);
        }
        Ok(DeviceLogin {
            device_code: Secret::presented(answer.device_code),
            user_code: shown(&answer.user_code),
            verification_uri: answer.verification_uri,
            verification_uri_complete: answer.verification_uri_complete.filter(is_page),
            lifetime: Duration::from_secs(answer.expires_in.min(LONGEST)),
            interval: Duration::from_secs(answer.interval.unwrap_or(INTERVAL).clamp(1, LONGEST)),
        })
    }

    /// Asks whether the person has logged in ([RFC 8628 §3.4](https://www.rfc-editor.org/rfc/rfc8628#section-3.4)).
    ///
    /// # Errors
    /// [`TokenFault`] when they never will with this code.
    pub async fn poll_device(&self, login: &DeviceLogin, wanted: For<'_>) -> Result<Polled, TokenFault> {
        let url = self.server.token_endpoint.as_ref();
        let url = url.ok_or_else(|| TokenFault::NoEndpoint(self.server.issuer.clone()))?;
        let fields = [
            ("grant_type", DEVICE),
            ("device_code", login.device_code.reveal()),
            ("resource", wanted.resource),
        ];
        match self.post(url, &fields).await {
            Ok(answer) => {
                let tokens = answer
                    .json::<BasicTokenResponse>()
                    .map_err(|_| TokenFault::Malformed)?;
                self.tokens(&tokens, wanted.scopes).map(Polled::Tokens)
            }
            Err(TokenFault::Refused { error, .. }) if error == "authorization_pending" => Ok(Polled::Pending),
            Err(TokenFault::Refused { error, .. }) if error == "slow_down" => Ok(Polled::SlowDown),
            // the next question comes later ([RFC 8628 §3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5))
            Err(fault) if fault.is_passing() => Ok(Polled::SlowDown),
            Err(fault) => Err(fault),
        }
    }
}
