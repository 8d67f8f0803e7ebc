//! A browser, and the person in front of it.

use async_trait::async_trait;
use mcp_gateway_client::{
    connection::{UserAgent, UserAgentFault},
    http::{Http, Settings},
};
use reqwest::Method;
use url::Url;

/// Where it comes back to.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:1/callback";

/// A browser whose person consents at once.
pub(crate) struct Browser {
    http: Http,
    redirect_uri: &'static str,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self::at(REDIRECT)
    }

    /// One that comes back elsewhere.
    pub(crate) fn at(redirect_uri: &'static str) -> Self {
        Self {
            http: Http::new(Settings::default()).unwrap(),
            redirect_uri,
        }
    }
}

#[async_trait]
impl UserAgent for Browser {
    async fn redirect_uri(&self) -> Result<String, UserAgentFault> {
        Ok(self.redirect_uri.to_owned())
    }

    async fn visit(&self, url: &Url) -> Result<Url, UserAgentFault> {
        let request = self.http.request(Method::GET, url.clone()).build().unwrap();
        let answer = self.http.call(request).await.unwrap();
        answer
            .location()
            .ok_or_else(|| UserAgentFault(answer.status.to_string()))
    }
}
