//! What there is: authorization server metadata ([RFC 8414](https://www.rfc-editor.org/rfc/rfc8414)) and the keys that
//! verify ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)).

use actix_web::{HttpResponse, http::header};
use mcp_gateway_model::metadata::AuthorizationServerMetadata;

use crate::{door::Rejection, request::Context};

/// How long caches may keep the metadata.
const METADATA_CACHE: &str = "public, max-age=300";
/// How long caches may keep the keys: a new key must be seen soon.
const KEYS_CACHE: &str = "public, max-age=60";

/// The metadata document, the same under every name and suffix
/// ([RFC 8414 §3](https://www.rfc-editor.org/rfc/rfc8414#section-3)).
pub(crate) async fn metadata(context: Context) -> HttpResponse {
    let settings = &context.server.settings;
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, METADATA_CACHE))
        .json(AuthorizationServerMetadata::new(
            &settings.issuer,
            &settings.resources,
            settings.offers,
        ))
}

/// The public keys ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).
pub(crate) async fn jwks(context: Context) -> Result<HttpResponse, Rejection> {
    let server = &context.server;
    let keys = server.keys.published(server.store.as_ref(), context.now).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, KEYS_CACHE))
        .json(keys))
}
