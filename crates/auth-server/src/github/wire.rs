//! Calls to GitHub: bounded in time and size, never redirected, with the headers that GitHub wants.

use std::{future::Future, pin::Pin, time::Duration};

use mcp_gateway_model::clock::Timestamp;
use oauth2::{
    AsyncHttpClient, HttpRequest, HttpResponse,
    http::{HeaderMap, StatusCode, header},
};
use reqwest::{Client, redirect::Policy};
use url::Url;

use super::{GithubFault, Patience, fault::Wait};
use crate::{outbound::Outbound, settings::GithubSettings};

/// The most bytes an answer may have.
const LIMIT: usize = 64 * 1024;
/// The most bytes a page of a list may have: a hundred entries.
const PAGE_LIMIT: usize = 1024 * 1024;
/// The scopes of which one is needed to see organisations and teams.
const READ_ORG: [&str; 3] = ["read:org", "write:org", "admin:org"];

/// A page of a list.
pub(super) struct Page {
    pub(super) body: Vec<u8>,
    pub(super) next: Option<Url>,
}

/// The HTTP client.
pub(super) struct Wire(Outbound);

impl Wire {
    /// A client with its limits. Proxies of the environment are not asked when GitHub is on this machine (`here`).
    pub(super) fn new(patience: Patience, here: bool) -> Self {
        Self(Outbound::new(move || {
            let builder = Client::builder()
                .connect_timeout(patience.connect)
                .timeout(patience.call)
                .redirect(Policy::none())
                .user_agent(concat!("mcp-oauth-gateway/", env!("CARGO_PKG_VERSION")));
            let builder = if here { builder.no_proxy() } else { builder };
            builder.build()
        }))
    }

    /// What the API answers at `url`.
    pub(super) async fn get(&self, url: &Url, token: &str) -> Result<Vec<u8>, GithubFault> {
        let response = self.call_once(self.question(url, token).await?, LIMIT).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            StatusCode::UNAUTHORIZED => Err(GithubFault::nonsense("its own token is not accepted")),
            StatusCode::NOT_FOUND => Err(GithubFault::Misconfigured(
                "GITHUB_API_URL has no /user: an Enterprise Server's ends in /api/v3".into(),
            )),
            status => Err(GithubFault::Nonsense(format!("status {}", status.as_u16()))),
        }
    }

    /// A page of what the user belongs to. `None` when they did not let us see that.
    pub(super) async fn page(&self, url: &Url, token: &str) -> Result<Option<Page>, GithubFault> {
        let response = self
            .call_once(self.question(url, token).await?, PAGE_LIMIT)
            .await?;
        match response.status() {
            StatusCode::OK => Ok(Some(Page {
                next: next(response.headers(), url)?,
                body: response.into_body(),
            })),
            StatusCode::UNAUTHORIZED => Err(GithubFault::TokenEnded),
            StatusCode::FORBIDDEN if !may_read_orgs(response.headers()) => Ok(None),
            status => Err(GithubFault::Unreachable(format!("status {}", status.as_u16()))),
        }
    }

    async fn question(&self, url: &Url, token: &str) -> Result<reqwest::Request, GithubFault> {
        self.client()
            .await?
            .get(url.clone())
            .bearer_auth(token)
            .header(header::ACCEPT, "application/vnd.github+json")
            .header("X-GitHub-Api-Version", "2022-11-28")
            .build()
            .map_err(|_| GithubFault::nonsense("a token that no header can carry"))
    }

    /// What the API answers at `url` to the app itself: nobody's token is needed for what is public, and the app is asked
    /// less often to wait than a stranger. `None` where there is nothing.
    pub(super) async fn get_as_app(
        &self,
        url: &Url,
        app: &GithubSettings,
    ) -> Result<Option<Vec<u8>>, GithubFault> {
        let mut request = self
            .client()
            .await?
            .get(url.clone())
            .header(header::ACCEPT, "application/vnd.github+json")
            .header("X-GitHub-Api-Version", "2022-11-28");
        if !app.client_id.is_empty() {
            request = request.basic_auth(&app.client_id, Some(app.client_secret.reveal()));
        }
        let request = request
            .build()
            .map_err(|_| GithubFault::nonsense("an app that no header can carry"))?;
        let response = self.call_once(request, LIMIT).await?;
        match response.status() {
            StatusCode::OK => Ok(Some(response.into_body())),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED => Err(GithubFault::Misconfigured(
                "it does not accept GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET".into(),
            )),
            status => Err(GithubFault::Nonsense(format!("status {}", status.as_u16()))),
        }
    }

    async fn client(&self) -> Result<&Client, GithubFault> {
        let no_client = |_| GithubFault::Unreachable("no call can be made from here".into());
        self.0.client().await.map_err(no_client)
    }

    async fn call_once(&self, request: reqwest::Request, limit: usize) -> Result<HttpResponse, GithubFault> {
        let client = self.client().await?;
        let mut response = client.execute(request).await.map_err(|e| unreachable(&e))?;
        let status = response.status();
        if is_rate_limit(status, response.headers()) {
            return Err(GithubFault::RateLimited(wait(response.headers())));
        }
        if status.is_server_error() {
            return Err(GithubFault::Unreachable(format!("status {}", status.as_u16())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| unreachable(&e))? {
            if body.len() + chunk.len() > limit {
                return Err(GithubFault::Nonsense(format!(
                    "an answer of more than {} KiB",
                    limit / 1024
                )));
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = response.headers().clone();
        Ok(answer)
    }
}

impl<'c> AsyncHttpClient<'c> for Wire {
    type Error = GithubFault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, GithubFault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request)
                .map_err(|_| GithubFault::nonsense("a request that cannot be sent"))?;
            let response = self.call_once(request, LIMIT).await?;
            if response.status() == StatusCode::NOT_FOUND {
                return Err(GithubFault::Misconfigured(
                    "there is no such OAuth app, or GITHUB_WEB_URL is not GitHub's".into(),
                ));
            }
            Ok(response)
        })
    }
}

/// Whether the token has the scope to see organisations and teams, as far as GitHub says.
fn may_read_orgs(headers: &HeaderMap) -> bool {
    let scopes = headers
        .get("x-oauth-scopes")
        .and_then(|value| value.to_str().ok());
    // without a word about scopes it is something else that GitHub does not like
    scopes.is_none_or(|scopes| scopes.split(',').any(|scope| READ_ORG.contains(&scope.trim())))
}

/// Where the next page is (RFC 8288): the token goes nowhere but to the API it is for.
fn next(headers: &HeaderMap, url: &Url) -> Result<Option<Url>, GithubFault> {
    let links = headers.get_all(header::LINK);
    let links = links.iter().filter_map(|value| value.to_str().ok());
    let Some(address) = links.flat_map(|value| value.split(',')).find_map(next_in) else {
        return Ok(None);
    };
    match url.join(address) {
        Ok(next) if next.origin() == url.origin() => Ok(Some(next)),
        _ => Err(GithubFault::nonsense("the next page is somewhere else")),
    }
}

/// The address of a link, if its relation is `next`.
fn next_in(link: &str) -> Option<&str> {
    let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = |parameter: &str| {
        let relation = parameter.trim().strip_prefix("rel=");
        relation.is_some_and(|relation| relation.trim_matches('"') == "next")
    };
    parameters.split(';').any(is_next).then_some(address)
}

/// 429, or a 403 that says it is about the rate.
fn is_rate_limit(status: StatusCode, headers: &HeaderMap) -> bool {
    let spent = headers
        .get("x-ratelimit-remaining")
        .is_some_and(|left| left.as_bytes() == b"0");
    status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::FORBIDDEN && (spent || headers.contains_key(header::RETRY_AFTER))
}

/// The secondary rate limit says how many seconds to wait, the primary one at which second it ends.
fn wait(headers: &HeaderMap) -> Wait {
    let seconds = |name: &str| headers.get(name)?.to_str().ok()?.parse().ok();
    let retry_after = seconds("retry-after").map(|wait| Wait::For(Duration::from_secs(wait)));
    let reset = || seconds("x-ratelimit-reset").map(|time| Wait::Until(Timestamp::from_secs(time)));
    retry_after.or_else(reset).unwrap_or(Wait::Unsaid)
}

/// The kind of failure, without the address: it may carry what the log must not have.
fn unreachable(error: &reqwest::Error) -> GithubFault {
    let what = if error.is_timeout() {
        "it takes too long"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    GithubFault::Unreachable(what.into())
}
