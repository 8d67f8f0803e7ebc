//! What a call brought.

use std::time::Duration;

use reqwest::{
    Response, StatusCode,
    header::{self, HeaderMap, HeaderName},
};
use serde::de::DeserializeOwned;
use url::Url;

use super::HttpFault;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whose answer it is: the address that was asked last.
    pub url: Url,
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// The addresses that the first one redirected to, in order.
    pub redirects: Vec<Url>,
    /// How long it took, redirects included.
    pub elapsed: Duration,
}

impl Answer {
    /// A header field that is there once, as text.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?;
        values.next().is_none().then(|| value.to_str().ok()).flatten()
    }

    /// The media type without its parameters, in lower case.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let text = self.header(&header::CONTENT_TYPE)?;
        let essence = text.split(';').next().unwrap_or_default().trim();
        Some(essence.to_ascii_lowercase())
    }

    /// Whether it says that it is JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.media_type().is_some_and(|essence| {
            essence == "application/json"
                || (essence.starts_with("application/") && essence.ends_with("+json"))
        })
    }

    /// Where it redirects to, if it does.
    #[must_use]
    pub fn location(&self) -> Option<Url> {
        let text = self
            .header(&header::LOCATION)
            .filter(|_| self.status.is_redirection())?;
        self.url.join(text).ok()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON, or not of this form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// Status, header and body of `response`, which has at most `limit` bytes.
pub(super) async fn read(
    mut response: Response,
    limit: usize,
    fault: impl Fn(reqwest::Error) -> HttpFault,
) -> Result<(StatusCode, HeaderMap, Vec<u8>), HttpFault> {
    if response
        .content_length()
        .is_some_and(|length| length > limit as u64)
    {
        return Err(HttpFault::TooLarge(limit));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(&fault)? {
        if body.len() + chunk.len() > limit {
            return Err(HttpFault::TooLarge(limit));
        }
        body.extend_from_slice(&chunk);
    }
    let headers = std::mem::take(response.headers_mut());
    Ok((response.status(), headers, body))
}
