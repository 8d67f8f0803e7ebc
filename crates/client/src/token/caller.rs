//! The one way to a token endpoint: bounded, never redirected, with a proof of possession where tokens are bound.

use std::{future::Future, pin::Pin};

use mcp_gateway_model::clock::Timestamp;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use serde::Deserialize;

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
