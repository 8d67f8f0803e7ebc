//! From the address of an MCP server to what can be asked of its authorization server
//! ([MCP authorization, revision 2026-07-28](https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization/authorization-server-discovery)).
//!
//! Every step is noted in a [`Trail`], so that somebody else can say what is wrong.

mod challenge;
mod metadata;
mod place;
mod probe;
mod read;
mod resource;
mod server;
mod trail;

use std::time::Duration;

use url::Url;

pub use challenge::Challenge;
pub use metadata::{ResourceMetadata, ServerMetadata};
pub use place::{ResourcePlace, ServerPlace, resource_places, server_places};
pub use probe::probe;
pub use resource::resource;
pub use server::{legacy, server};
pub use trail::{Question, Step, Trail, Verdict};

use crate::http::{Http, HttpFault};

/// How many calls that take as long as they may a whole discovery takes at the most.
const CALLS: u32 = 3;

/// How the authorization server became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The resource's metadata names it, and it publishes its own.
    Named,
    /// It is the MCP server's origin, which publishes its metadata: revision 2025-03-26.
    Legacy,
    /// It is the MCP server's origin, and publishes nothing: revision 2025-03-26.
    Presumed,
}

/// A protected MCP server, and the authorization server that issues its tokens.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// What tokens are asked for, byte for byte: the metadata's `resource`, else the server's own address.
    pub resource: String,
    /// The resource's metadata; none with servers of revision 2025-03-26.
    pub metadata: Option<ResourceMetadata>,
    /// The authorization server's.
    pub server: ServerMetadata,
    /// How the authorization server became known.
    pub origin: Origin,
}

/// Finds the authorization server of `server`. `challenge` is what came with its 401; where the resource names several issuers,
/// the first of `preferred` that is among them is taken, else its own first.
///
/// # Errors
/// [`DiscoverFault`] says what is missing or wrong, the trail where.
pub async fn discover(
    http: &Http,
    server: &Url,
    hints: (Option<&Challenge>, &[&str]),
    trail: &mut Trail,
) -> Result<Discovered, DiscoverFault> {
    let patience = http.settings().call * CALLS;
    let walk = walk(http, server, hints, trail);
    let walked = tokio::time::timeout(patience, walk).await;
    walked.unwrap_or_else(|_| {
        Err(DiscoverFault::TooSlow {
            server: server.as_str().to_owned(),
            patience,
        })
    })
}

async fn walk(
    http: &Http,
    server: &Url,
    (challenge, preferred): (Option<&Challenge>, &[&str]),
    trail: &mut Trail,
) -> Result<Discovered, DiscoverFault> {
    let Some(metadata) = resource::resource(http, server, challenge, trail).await? else {
        let mut origin = server.clone();
        origin.set_path("/");
        origin.set_query(None);
        let (found, is_published) = server::legacy(http, &origin, trail).await?;
        return Ok(Discovered {
            resource: own_resource(server),
            metadata: None,
            server: found,
            origin: if is_published {
                Origin::Legacy
            } else {
                Origin::Presumed
            },
        });
    };
    let issuers = &metadata.authorization_servers;
    let mut preferred = preferred.iter().copied();
    let known = preferred.find(|known| issuers.iter().any(|issuer| issuer == known));
    let first = issuers.first().map(String::as_str);
    let issuer = known.or(first).unwrap_or_default();
    let found = server::server(http, issuer, trail).await?;
    Ok(Discovered {
        resource: metadata.resource.clone(),
        server: found,
        metadata: Some(metadata),
        origin: Origin::Named,
    })
}

/// The identifier of a server that names none itself ([RFC 8707
/// §2](https://www.rfc-editor.org/rfc/rfc8707#section-2)): without a fragment, and a bare origin without its slash.
fn own_resource(server: &Url) -> String {
    let mut url = server.clone();
    url.set_fragment(None);
    match (url.path(), url.query()) {
        ("/", None) => url.as_str().trim_end_matches('/').to_owned(),
        _ => url.into(),
    }
}

/// Why no authorization server was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoverFault {
    /// Nobody answers where a document should be.
    #[error("{url} cannot be read: {fault}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        fault: HttpFault,
    },
    /// All in all it takes too long.
    #[error("finding the authorization server of {server} takes longer than {} seconds: try again later", .patience.as_secs())]
    TooSlow {
        /// The MCP server.
        server: String,
        /// How long was waited.
        patience: Duration,
    },
    /// Somebody answers, but not now.
    #[error("{url} answers with status {status}: try again later")]
    Busy {
        /// Where.
        url: String,
        /// How.
        status: u16,
    },
    /// The document is about something else.
    #[error(
        "{url} is about \"{found}\" instead of \"{expected}\": it must not be used. Its operator has to mend it"
    )]
    Mismatch {
        /// Where.
        url: String,
        /// What it should be about.
        expected: String,
        /// What it is about.
        found: String,
    },
    /// The document lacks what it must have.
    #[error("{url} has no \"{member}\". Its operator has to add it")]
    Lacks {
        /// Where.
        url: String,
        /// What is missing.
        member: &'static str,
    },
    /// The issuer that the resource names is none.
    #[error("the server names \"{0}\" as its authorization server, which is not an issuer's URL")]
    BadIssuer(String),
    /// The issuer publishes nothing.
    #[error("the authorization server \"{0}\" publishes no metadata (RFC 8414, OpenID Connect Discovery)")]
    NoServerMetadata(String),
}
