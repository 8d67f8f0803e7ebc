//! Authorization server metadata ([RFC 8414](https://www.rfc-editor.org/rfc/rfc8414), OpenID Connect Discovery).

use url::Url;

use super::{DiscoverFault, Question, ServerMetadata, Trail, Verdict, place, read};
use crate::http::Http;

/// The metadata of `issuer`, from the first of its well-known addresses that has any.
///
/// # Errors
/// [`DiscoverFault`] when there is none, or a document names another issuer: it must not be used then ([RFC 8414
/// §3.3](https://www.rfc-editor.org/rfc/rfc8414#section-3.3)).
pub async fn server(http: &Http, issuer: &str, trail: &mut Trail) -> Result<ServerMetadata, DiscoverFault> {
    let url = Url::parse(issuer).map_err(|_| DiscoverFault::BadIssuer(issuer.to_owned()))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(DiscoverFault::BadIssuer(issuer.to_owned()));
    }
    let mut unasked = None;
    for (place, url) in place::server_places(&url) {
        let question = Question::Server(place);
        let checked = |found: &ServerMetadata| check(issuer, found);
        match read::document(http, (question, &url), checked, trail).await {
            read::Document::Good(found) => return Ok(found),
            read::Document::Refused(fault) => return Err(fault),
            read::Document::Unasked(fault) => unasked = Some(fault),
            read::Document::Absent => {}
        }
    }
    Err(unasked.unwrap_or_else(|| DiscoverFault::NoServerMetadata(issuer.to_owned())))
}

/// The metadata that a server of revision 2025-03-26 publishes at the MCP server's origin, else what it is presumed to have.
///
/// # Errors
/// [`DiscoverFault`] when a document names another issuer, or nobody can be asked.
pub async fn legacy(
    http: &Http,
    origin: &Url,
    trail: &mut Trail,
) -> Result<(ServerMetadata, bool), DiscoverFault> {
    let presumed = ServerMetadata::presumed(origin);
    let issuer = presumed.issuer.clone();
    let (_, url) = place::server_places(origin).swap_remove(0);
    let checked = |found: &ServerMetadata| check(&issuer, found);
    match read::document(http, (Question::Legacy, &url), checked, trail).await {
        read::Document::Good(found) => Ok((found, true)),
        read::Document::Absent => Ok((presumed, false)),
        read::Document::Refused(fault) | read::Document::Unasked(fault) => Err(fault),
    }
}

/// The issuer is compared byte for byte.
fn check(issuer: &str, found: &ServerMetadata) -> Result<(), Verdict> {
    if found.issuer == issuer {
        return Ok(());
    }
    Err(Verdict::Mismatch {
        expected: issuer.to_owned(),
        found: found.issuer.clone(),
    })
}
