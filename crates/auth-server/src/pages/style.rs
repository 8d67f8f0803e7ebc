//! The one style sheet.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse, http::header};
use mcp_gateway_model::secret::Digest;

const SHEET: &str = include_str!("../../templates/style.css");

/// Its address changes with its content, so that it can be kept for ever.
static ADDRESS: LazyLock<String> = LazyLock::new(|| format!("/assets/style.css?v={}", version()));

/// The address that pages link to.
pub(super) fn address() -> &'static str {
    &ADDRESS
}

fn version() -> String {
    Digest::of(SHEET.as_bytes())
        .to_string()
        .chars()
        .take(12)
        .collect()
}

/// `GET /assets/style.css`.
pub(crate) async fn style(request: HttpRequest) -> HttpResponse {
    let tag = format!("\"{}\"", version());
    let known = request
        .headers()
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if known {
        return response.finish();
    }
    response.content_type("text/css; charset=utf-8").body(SHEET)
}
