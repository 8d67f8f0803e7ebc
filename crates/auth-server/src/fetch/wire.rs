//! One GET: to a checked address, never redirected, bounded in size.

use std::{error::Error, sync::Arc};

use mcp_gateway_model::clock::Timestamp;
use reqwest::{
    Certificate, Client, Response, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{self, HeaderMap},
    redirect::Policy,
};
use url::Url;

use super::{BadFetcher, FetchFault, Fetched, Freshness, TOO_LONG, names::Names, public::Judge};
use crate::{outbound::Outbound, settings::FetchSettings};

/// The most header fields of an answer.
const HEADERS: usize = 100;

/// The HTTP client.
pub(super) struct Wire(Outbound);

impl Wire {
    /// A client whose connections go only where `judge` lets them.
    pub(super) fn new(settings: &FetchSettings, names: Names, judge: Judge) -> Result<Self, BadFetcher> {
        let patience = settings.patience;
        let names = Arc::new(CheckedNames { names, judge });
        let extra_roots = settings.extra_roots.as_deref().map(roots).transpose()?;
        Ok(Self(Outbound::new(move || {
            Client::builder()
                .https_only(true)
                .no_proxy()
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .timeout(patience)
                .pool_max_idle_per_host(0)
                .http1_only()
                .http1_max_headers(HEADERS)
                .no_gzip()
                .no_brotli()
                .no_deflate()
                .no_zstd()
                .user_agent(concat!("mcp-oauth-gateway/", env!("CARGO_PKG_VERSION")))
                .dns_resolver(Arc::clone(&names))
                .tls_certs_merge(extra_roots.clone().unwrap_or_default())
                .build()
        })))
    }

    /// The document at `url`.
    pub(super) async fn get(&self, url: &Url, limit: usize, now: Timestamp) -> Result<Fetched, FetchFault> {
        let no_client = |_| FetchFault::Unreachable("this server can make no calls");
        let request = self
            .0
            .client()
            .await
            .map_err(no_client)?
            .get(url.clone())
            .header(header::ACCEPT, "application/json, application/*+json;q=0.9")
            .header(header::ACCEPT_ENCODING, "identity");
        let mut response = request.send().await.map_err(|error| fault(&error))?;
        is_a_document(&response, limit)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
            if body.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched {
            body,
            fresh_until: now.plus(Freshness::of(response.headers(), now).lifetime()),
        })
    }
}

/// What can be said before the body is read.
fn is_a_document(response: &Response, limit: usize) -> Result<(), FetchFault> {
    let status = response.status();
    let is_passing = status.is_server_error()
        || [
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
        ]
        .contains(&status);
    if is_passing {
        return Err(FetchFault::Unreachable(
            "its server says that it cannot answer now",
        ));
    }
    if status.is_redirection() {
        return Err(FetchFault::Unacceptable(
            "its server redirects elsewhere: redirects are not followed".into(),
        ));
    }
    if status != StatusCode::OK {
        let text = format!(
            "its server answers with status {} instead of 200",
            status.as_u16()
        );
        return Err(FetchFault::Unacceptable(text));
    }
    if !is_json(response.headers()) {
        return Err(FetchFault::Unacceptable(
            "its server does not say that it is JSON: its Content-Type must be application/json".into(),
        ));
    }
    let is_encoded = |value: &header::HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if response
        .headers()
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(is_encoded)
    {
        return Err(FetchFault::Unacceptable(
            "its server compresses it although it was asked not to".into(),
        ));
    }
    match response.content_length() {
        Some(length) if length > limit as u64 => Err(too_large(limit)),
        _ => Ok(()),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn too_large(limit: usize) -> FetchFault {
    FetchFault::Unacceptable(format!("it has more than {limit} bytes"))
}

fn roots(pem: &[u8]) -> Result<Vec<Certificate>, BadFetcher> {
    let roots = Certificate::from_pem_bundle(pem).map_err(|error| BadFetcher::Roots(error.to_string()))?;
    if roots.is_empty() {
        return Err(BadFetcher::Roots("there is no certificate in it".into()));
    }
    // the client that is made later must not be the first to find out
    let client = Client::builder().tls_certs_only(roots.clone()).build();
    client
        .map(|_| roots)
        .map_err(|error| BadFetcher::Roots(error.to_string()))
}

/// Resolves a name, and answers with its addresses only if every one of them may be asked.
struct CheckedNames {
    names: Names,
    judge: Judge,
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, judge) = (self.names.clone(), self.judge.clone());
        Box::pin(async move {
            let addresses = names.resolve(name.as_str()).await?;
            let checked = judge.all(addresses.into_iter().map(|address| (address, 0).into()))?;
            Ok(Box::new(checked.into_iter()) as Addrs)
        })
    }
}

/// The kind of failure, without its details: they may tell of networks that the client cannot see.
fn fault(error: &reqwest::Error) -> FetchFault {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(fault) = error.downcast_ref::<FetchFault>() {
            return fault.clone();
        }
        cause = error.source();
    }
    if error.is_timeout() {
        return TOO_LONG;
    }
    FetchFault::Unreachable(if error.is_connect() {
        "its server cannot be connected to, or has no certificate that is trusted"
    } else {
        "its server broke the connection off"
    })
}
