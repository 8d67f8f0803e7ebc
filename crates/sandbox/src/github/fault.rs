//! Faults on demand: GitHub on a bad day.

use std::{future, io};

use actix_web::{
    HttpResponse,
    body::SizedStream,
    http::{StatusCode, header},
};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

/// What can be called, counted and broken one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `GET /login/oauth/authorize`
    Authorize,
    /// `POST /login/oauth/access_token`
    Token,
    /// `GET /user`
    User,
    /// `GET /user/emails`
    Emails,
    /// `GET /user/orgs`
    Orgs,
    /// `GET /user/memberships/orgs/{org}`
    Membership,
    /// `GET /user/teams`
    Teams,
    /// `GET /users/{login}`
    Account,
}

impl Endpoint {
    /// Those that another server calls, not a browser.
    pub(super) const CALLED_BY_SERVERS: [Self; 7] = [
        Self::Token,
        Self::User,
        Self::Emails,
        Self::Orgs,
        Self::Membership,
        Self::Teams,
        Self::Account,
    ];
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Status 200 and `{"error": ..}`, as GitHub's token endpoint refuses.
    ErrorWith200(String),
    /// 403 with `x-ratelimit-remaining: 0` and `retry-after`, in seconds: the primary rate limit.
    RateLimited {
        /// Seconds until the next attempt.
        retry_after: u32,
    },
    /// 429 with `retry-after`, in seconds: the secondary rate limit.
    TooManyRequests {
        /// Seconds until the next attempt.
        retry_after: u32,
    },
    /// A bare 5xx: 502 and 503 are what an outage looks like.
    Outage(u16),
    /// No answer, ever.
    Hang,
    /// HTML with status 200.
    Html,
    /// JSON with status 200 that lacks what matters (`id`, `access_token`).
    MissingFields,
    /// JSON that begins well and goes on for 64 MiB.
    HugeBody,
    /// A redirect to another host, which a client must not follow with its token.
    Redirect,
    /// The connection is cut in the middle of the answer.
    Reset,
}

const MEBIBYTE: usize = 1024 * 1024;
const HUGE: usize = 64;
static FILLER: [u8; MEBIBYTE] = [b'a'; MEBIBYTE];

impl Fault {
    /// The broken answer; for [`Fault::Hang`] none comes.
    pub(super) async fn answer(self) -> HttpResponse {
        match self {
            Self::ErrorWith200(error) => HttpResponse::Ok().json(json!({
                "error": error,
                "error_description": "The stand-in was told to refuse.",
                "error_uri": "https://docs.github.com/apps/oauth-apps/maintaining-oauth-apps",
            })),
            Self::RateLimited { retry_after } => limited(StatusCode::FORBIDDEN, retry_after),
            Self::TooManyRequests { retry_after } => limited(StatusCode::TOO_MANY_REQUESTS, retry_after),
            Self::Outage(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                HttpResponse::build(status)
                    .content_type("text/html; charset=utf-8")
                    .body("<!doctype html><title>Unicorn!</title><p>No server is available to handle this.")
            }
            Self::Hang => future::pending().await,
            Self::Html => HttpResponse::Ok()
                .content_type("text/html; charset=utf-8")
                .body("<!doctype html><title>Sign in</title><p>This is not what you asked for."),
            Self::MissingFields => HttpResponse::Ok().json(json!({ "message": "everything is fine" })),
            Self::HugeBody => huge(),
            Self::Redirect => HttpResponse::Found()
                .insert_header((header::LOCATION, "https://elsewhere.invalid/"))
                .finish(),
            Self::Reset => cut(),
        }
    }
}

fn limited(status: StatusCode, retry_after: u32) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::RETRY_AFTER, retry_after.to_string()))
        .insert_header(("x-ratelimit-limit", "5000"))
        .insert_header(("x-ratelimit-remaining", "0"))
        .json(json!({
            "message": "API rate limit exceeded for user.",
            "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
        }))
}

fn huge() -> HttpResponse {
    let opening = Bytes::from_static(b"{\"login\":\"");
    let chunks = std::iter::once(opening)
        .chain(std::iter::repeat_n(Bytes::from_static(&FILLER), HUGE))
        .chain(std::iter::once(Bytes::from_static(b"\"}")))
        .map(Ok::<_, io::Error>);
    HttpResponse::Ok()
        .content_type("application/json")
        .streaming(stream::iter(chunks))
}

fn cut() -> HttpResponse {
    let error = io::Error::from(io::ErrorKind::ConnectionReset);
    let body = SizedStream::new(1000, stream::iter([Err::<Bytes, _>(error)]));
    HttpResponse::Ok().content_type("application/json").body(body)
}
