//! Faults on demand: how GitHub fails, as far as a client can see it.

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::json;

/// How the next calls of the token endpoint and the API fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// They do not.
    #[default]
    None,
    /// The token endpoint answers an error with status 200.
    ErrorWithStatus200,
    /// 403 with `x-ratelimit-remaining: 0` and `retry-after`.
    RateLimited,
    /// 429 with `retry-after`.
    TooManyRequests,
    /// A status of the 5xx class with an HTML page.
    Outage(u16),
    /// No answer, ever.
    Hang,
    /// HTML with status 200.
    Html,
    /// JSON without the members that count.
    MissingMembers,
    /// A body of several megabytes.
    HugeBody,
    /// A redirect to another host.
    Redirect,
}

impl Fault {
    /// The answer that this fault gives; `None` for the real one.
    pub(super) async fn answer(self) -> Option<HttpResponse> {
        Some(match self {
            Self::None => return None,
            Self::ErrorWithStatus200 => HttpResponse::Ok().json(json!({
                "error": "bad_verification_code",
                "error_description": "The code passed is incorrect or expired.",
            })),
            Self::RateLimited => HttpResponse::Forbidden()
                .insert_header(("x-ratelimit-remaining", "0"))
                .insert_header(("retry-after", "60"))
                .json(json!({ "message": "API rate limit exceeded" })),
            Self::TooManyRequests => HttpResponse::TooManyRequests()
                .insert_header(("retry-after", "60"))
                .json(json!({ "message": "You have exceeded a secondary rate limit" })),
            Self::Outage(status) => {
                HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY))
                    .content_type("text/html")
                    .body("<html><body>Unicorn!</body></html>")
            }
            Self::Hang => std::future::pending().await,
            Self::Html => HttpResponse::Ok()
                .content_type("text/html")
                .body("<html><body>Hello</body></html>"),
            Self::MissingMembers => HttpResponse::Ok().json(json!({ "hello": "world" })),
            Self::HugeBody => HttpResponse::Ok()
                .content_type("application/json")
                .body(format!("{{\"padding\":\"{}\"}}", "x".repeat(8 * 1024 * 1024))),
            Self::Redirect => HttpResponse::Found()
                .insert_header(("location", "http://127.0.0.1:1/elsewhere"))
                .finish(),
        })
    }
}
