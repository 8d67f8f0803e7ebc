//! What a person's browser gets instead of what it asked for.

use actix_web::HttpResponse;
use mcp_gateway_store::StoreError;

use super::{Page, Redirect};
use crate::browser::Browser;

/// A page, or a redirect to an address that the client registered.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// For the person.
    Page(Page),
    /// For the client.
    Redirect(Redirect),
}

impl Refusal {
    /// The refusal as an answer.
    pub(crate) fn respond(self, browser: &Browser) -> HttpResponse {
        match self {
            Self::Page(page) => page.respond(browser),
            Self::Redirect(redirect) => redirect.respond(browser),
        }
    }
}

impl From<Page> for Refusal {
    fn from(page: Page) -> Self {
        Self::Page(page)
    }
}

impl From<Redirect> for Refusal {
    fn from(redirect: Redirect) -> Self {
        Self::Redirect(redirect)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Page(error.into())
    }
}
