//! Pages for people: plain HTML with one style sheet, no script, nothing from elsewhere.

mod code_entry;
mod consent;
mod message;
mod style;
pub(crate) mod text;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use askama::Template;

pub(crate) use code_entry::CodeEntry;
pub(crate) use consent::{ConsentPage, Destination};
pub(crate) use message::{Link, Message};
pub(crate) use style::style;

use crate::browser::Browser;

/// What every page has around its own content.
pub(crate) struct Frame<'a> {
    /// The address of the style sheet.
    style: &'static str,
    /// The host of this server.
    host: &'a str,
    /// The name of the request, for questions to the operator.
    request_id: &'a str,
    /// Whether there is something to log out of.
    log_out: bool,
}

impl<'a> Frame<'a> {
    /// The frame of a page for `browser`.
    pub(crate) fn of(browser: &'a Browser) -> Self {
        Self {
            style: style::address(),
            host: browser.server().settings.issuer.authority(),
            request_id: browser.context.request_id.as_str(),
            log_out: browser.may_be_logged_in(),
        }
    }
}

/// Nothing may be loaded but the style sheet, nobody may frame the page, forms go to this server.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                      frame-ancestors 'none'; form-action 'self'";

/// The same without `form-action`. Browsers apply that to every redirect after the form was sent: to GitHub, back, on to
/// the client, and to wherever the client's own page goes then, which nobody here can list.
const POLICY_OF_CONSENT: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page as an answer, with the headers that every page has.
pub(crate) fn respond(status: StatusCode, page: &impl Template) -> HttpResponse {
    respond_under(POLICY, status, page)
}

/// The consent page as an answer.
pub(crate) fn respond_with_consent(page: &ConsentPage<'_>) -> HttpResponse {
    respond_under(POLICY_OF_CONSENT, StatusCode::OK, page)
}

fn respond_under(policy: &'static str, status: StatusCode, page: &impl Template) -> HttpResponse {
    let Ok(html) = page.render() else {
        return HttpResponse::InternalServerError().body("This page cannot be shown.");
    };
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // With `no-referrer` a browser would send `Origin: null` with the forms of these pages.
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .insert_header(("cross-origin-resource-policy", "same-origin"))
        .insert_header((
            "permissions-policy",
            "camera=(), geolocation=(), microphone=(), payment=()",
        ))
        .insert_header(("x-robots-tag", "noindex"));
    response.body(html)
}
