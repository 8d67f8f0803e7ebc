//! The one way to a token endpoint: bounded, never redirected, with a proof of possession where tokens are bound.

use std::{future::Future, pin::Pin, time::Duration};

use mcp_gateway_model::clock::Timestamp;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    extensions::{
        BadKey,
        dpop::{DPOP, DpopKey},
    },
    http::{Answer, Http, HttpFault},
};

/// Makes the calls.
pub(super) struct Caller<'a> {
    pub(super) http: &'a Http,
    pub(super) dpop: Option<&'a DpopKey>,
    pub(super) now: Timestamp,
}

/// Why a call brought nothing to be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallerFault {
    #[error(transparent)]
    Http(HttpFault),
    #[error("status {0}")]
    Busy(u16),
    #[error(transparent)]
    Key(BadKey),
}

impl<'c> AsyncHttpClient<'c> for Caller<'_> {
    type Error = CallerFault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallerFault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self.send(request).await?;
            let mut response = HttpResponse::new(answer.body);
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        })
    }
}

impl Caller<'_> {
    /// Sends a request; once more if the server wants a nonce in the proof ([RFC 9449
    /// §8](https://www.rfc-editor.org/rfc/rfc9449#section-8)).
    pub(super) async fn send(&self, request: HttpRequest) -> Result<Answer, CallerFault> {
        let again = request.clone();
        let answer = self.once(request).await?;
        let answer = if self.dpop.is_some() && wants_nonce(&answer) {
            self.once(again).await?
        } else {
            answer
        };
        let answer = in_form(answer);
        match answer.status.as_u16() {
            429 | 500..=599 if !says_why(&answer) => Err(CallerFault::Busy(answer.status.as_u16())),
            _ => Ok(answer),
        }
    }

    async fn once(&self, request: HttpRequest) -> Result<Answer, CallerFault> {
        let unwritable = |_| CallerFault::Http(HttpFault::Broken("the request cannot be written".to_owned()));
        let mut request = reqwest::Request::try_from(request).map_err(unwritable)?;
        if let Some(key) = self.dpop {
            let proof = key.proof(request.method(), request.url(), None, self.now);
            request
                .headers_mut()
                .insert(DPOP, proof.map_err(CallerFault::Key)?);
        }
        let url = request.url().clone();
        let answer = self.http.call(request).await.map_err(CallerFault::Http)?;
        if let Some(key) = self.dpop {
            key.note_nonce(&url, &answer.headers);
        }
        Ok(answer)
    }
}

/// The answer as RFC 6749 has it: some servers call JSON something else, write a lifetime as text, or send an error with the
/// status of a success.
fn in_form(mut answer: Answer) -> Answer {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(&answer.body) else {
        return answer;
    };
    let json = HeaderValue::from_static("application/json");
    answer.headers.insert(CONTENT_TYPE, json);
    if answer.status.is_success() && members.get("error").is_some_and(Value::is_string) {
        answer.status = StatusCode::BAD_REQUEST;
    }
    let seconds = members.get("expires_in").and_then(|life| match life {
        Value::String(text) => text.trim().parse::<f64>().ok(),
        life => life.as_f64(),
    });
    let whole = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if let Some(whole) = whole {
        members.insert("expires_in".to_owned(), whole.as_secs().into());
        answer.body = Value::Object(members).to_string().into_bytes();
    }
    answer
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

fn wants_nonce(answer: &Answer) -> bool {
    !answer.status.is_success()
        && answer
            .json::<Refusal>()
            .is_ok_and(|refusal| refusal.error == "use_dpop_nonce")
}

fn says_why(answer: &Answer) -> bool {
    answer.json::<Refusal>().is_ok()
}
