//! The page door: a person is told what happened and what to do; the log is told why.

use std::borrow::Cow;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use mcp_gateway_model::error::LoggedReason;
use mcp_gateway_store::StoreError;

use super::Rejection;
use crate::{
    browser::Browser,
    pages::{self, Frame, Link, Message},
};

/// An error for a person.
#[derive(Debug)]
pub(crate) struct Page {
    status: StatusCode,
    title: &'static str,
    paragraphs: Vec<Cow<'static, str>>,
    links: Vec<Link>,
    reason: LoggedReason,
    retry_after: Option<HeaderValue>,
}

impl Page {
    /// A page with its title; `reason` is for the log.
    pub(crate) const fn new(status: StatusCode, title: &'static str, reason: &'static str) -> Self {
        Self {
            status,
            title,
            paragraphs: Vec::new(),
            links: Vec::new(),
            reason: LoggedReason {
                code: reason,
                detail: String::new(),
            },
            retry_after: None,
        }
    }

    /// With a paragraph.
    pub(crate) fn saying(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.paragraphs.push(text.into());
        self
    }

    /// With a link.
    pub(crate) fn leading(mut self, address: String, label: impl Into<Cow<'static, str>>) -> Self {
        let label = label.into();
        self.links.push(Link { address, label });
        self
    }

    /// With a detail that only the log is told.
    pub(crate) fn because(mut self, detail: impl Into<String>) -> Self {
        self.reason.detail = detail.into();
        self
    }

    /// With when it may work.
    pub(crate) fn retry_after(mut self, wait: HeaderValue) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The page as an answer.
    pub(crate) fn respond(self, browser: &Browser) -> HttpResponse {
        let message = Message {
            frame: Frame::of(browser),
            title: self.title,
            paragraphs: &self.paragraphs,
            links: &self.links,
            is_fault: true,
        };
        let mut response = pages::respond(self.status, &message);
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response.extensions_mut().insert(self.reason);
        response
    }
}

impl From<StoreError> for Page {
    fn from(error: StoreError) -> Self {
        let mut page = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Not possible right now",
            "store_unavailable",
        )
        .saying("This server cannot reach its store. Wait a moment, then go back to the application and connect again.")
        .because(error.to_string());
        page.retry_after = Some(HeaderValue::from_static("5"));
        page
    }
}

impl From<Rejection> for Page {
    /// What a client would have been told as JSON, for a person.
    fn from(rejection: Rejection) -> Self {
        let status = rejection.status_code();
        let (title, text) = match status {
            StatusCode::TOO_MANY_REQUESTS => (
                "Too many requests",
                Cow::from(
                    "There were too many requests from your address, or from this application. Wait a minute, then go back to the application and connect again.",
                ),
            ),
            StatusCode::SERVICE_UNAVAILABLE => (
                "Not possible right now",
                Cow::from(
                    "This server cannot reach its store. Wait a moment, then go back to the application and connect again.",
                ),
            ),
            _ => (
                "This request cannot be answered",
                Cow::from(format!("It is not as it should be: {}.", rejection.description())),
            ),
        };
        let mut page = Self::new(status, title, rejection.reason().code)
            .saying(text)
            .because(rejection.reason().detail.clone());
        page.retry_after = rejection
            .error_response()
            .headers()
            .get(header::RETRY_AFTER)
            .cloned();
        page
    }
}
