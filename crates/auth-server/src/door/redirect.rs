//! The redirect door (RFC 6749 §4.1.2, §4.1.2.1, RFC 9207): back to a client, at an address that it registered.

use std::borrow::Cow;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use mcp_gateway_model::{
    client::Client,
    error::{ErrorCode, LoggedReason},
    issuer::Issuer,
    redirect::{BadRedirect, RedirectKind, RedirectUri},
    secret::Secret,
};
use mcp_gateway_store::{Login, LoginAnswer, RedirectAnswer};
use url::Url;

use crate::{
    browser::Browser,
    pages::{self, Frame, Link, Message},
};

/// An address that a client registered, and the `state` it wants to see again. Nothing can redirect to a client without.
#[derive(Clone, Debug)]
pub(crate) struct ReturnAddress {
    uri: RedirectUri,
    /// Whether the request named it.
    was_sent: bool,
    state: Option<String>,
}

/// Why a request names no address that an answer may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadReturn {
    /// It is not a redirect URI at all.
    #[error("redirect_uri {0}")]
    Malformed(#[from] BadRedirect),
    /// The client registered others.
    #[error("redirect_uri is not one that the client registered")]
    NotRegistered,
    /// None was sent, and it is not clear which is meant.
    #[error("redirect_uri is missing")]
    Missing,
}

impl ReturnAddress {
    /// The address of a request (RFC 6749 §3.1.2.3). It may be left out by a client that registered exactly one, unless
    /// that is on loopback without a port: its port is known only when the client runs.
    ///
    /// # Errors
    /// [`BadReturn`] says why there is none.
    pub(crate) fn registered(client: &Client, requested: Option<&str>) -> Result<Self, BadReturn> {
        let uri = match (requested, client.metadata.redirect_uris.as_slice()) {
            (Some(text), _) => RedirectUri::parse(text)?,
            (None, [only]) if only.kind() != RedirectKind::Loopback || has_port(only) => only.clone(),
            (None, _) => return Err(BadReturn::Missing),
        };
        if !client.allows_redirect(&uri) {
            return Err(BadReturn::NotRegistered);
        }
        Ok(Self {
            uri,
            was_sent: requested.is_some(),
            state: None,
        })
    }

    /// The address of a login that is answered by a redirect; it was registered when the login began.
    pub(crate) fn of(login: &Login) -> Option<Self> {
        match &login.answer {
            LoginAnswer::Redirect(answer) => Some(Self::of_answer(answer)),
            LoginAnswer::Device { .. } => None,
        }
    }

    /// The address of such an answer.
    pub(crate) fn of_answer(answer: &RedirectAnswer) -> Self {
        Self {
            uri: answer.redirect_uri.clone(),
            was_sent: answer.redirect_uri_was_sent,
            state: answer.state.clone(),
        }
    }

    /// With the `state` of the request.
    pub(crate) fn with_state(mut self, state: Option<String>) -> Self {
        self.state = state;
        self
    }

    /// The address.
    pub(crate) const fn uri(&self) -> &RedirectUri {
        &self.uri
    }

    /// Whether the request named it.
    pub(crate) const fn was_sent(&self) -> bool {
        self.was_sent
    }

    /// The `state` of the request.
    pub(crate) fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Where an error takes the browser.
    pub(crate) fn error(&self, issuer: Option<&Issuer>, code: ErrorCode, description: &str) -> String {
        self.with(
            issuer,
            &[("error", code.as_str()), ("error_description", description)],
        )
    }

    /// Where a code takes the browser.
    pub(crate) fn success(&self, issuer: Option<&Issuer>, code: &Secret) -> String {
        self.with(issuer, &[("code", code.reveal())])
    }

    fn with(&self, issuer: Option<&Issuer>, parameters: &[(&str, &str)]) -> String {
        let mut all = parameters.to_vec();
        all.extend(self.state().map(|state| ("state", state)));
        all.extend(issuer.map(|issuer| ("iss", issuer.as_str())));
        self.uri.with(&all)
    }

    /// Takes the browser to `target`, made by [`ReturnAddress::success`] or [`ReturnAddress::error`].
    ///
    /// A private-use scheme opens an application and leaves the browser where it is: there it gets a page that goes on by
    /// itself, has a link if that does not work, and says that the window can be closed.
    pub(crate) fn send(&self, browser: &Browser, target: String) -> HttpResponse {
        let links = [Link {
            address: target,
            label: "Return to the application".into(),
        }];
        let message = Message {
            frame: Frame::of(browser),
            title: "You can close this window",
            paragraphs: &["The application has your answer. If it did not open, use this link.".into()],
            links: &links,
            is_fault: false,
        };
        let [Link { address: target, .. }] = &links;
        if self.uri.kind() == RedirectKind::PrivateUse {
            let mut response = pages::respond(StatusCode::OK, &message);
            if let Ok(refresh) = header::HeaderValue::from_str(&format!("0; url={target}")) {
                response.headers_mut().insert(header::REFRESH, refresh);
            }
            return response;
        }
        let mut response = pages::respond(browser.redirect_status(), &message);
        if let Ok(location) = header::HeaderValue::from_str(target) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

fn has_port(uri: &RedirectUri) -> bool {
    Url::parse(uri.as_str()).is_ok_and(|url| url.port().is_some())
}

/// An error for a client, by way of the browser.
#[derive(Debug)]
pub(crate) struct Redirect {
    address: Box<ReturnAddress>,
    code: ErrorCode,
    description: Cow<'static, str>,
    reason: LoggedReason,
}

impl Redirect {
    /// An error that goes to `address`; `reason` is for the log.
    pub(crate) fn new(
        address: &ReturnAddress,
        code: ErrorCode,
        description: impl Into<Cow<'static, str>>,
        reason: &'static str,
    ) -> Self {
        Self {
            address: Box::new(address.clone()),
            code,
            description: description.into(),
            reason: LoggedReason {
                code: reason,
                detail: String::new(),
            },
        }
    }

    /// The redirect as an answer.
    pub(crate) fn respond(self, browser: &Browser) -> HttpResponse {
        let issuer = browser.server().settings.response_issuer();
        let target = self.address.error(issuer, self.code, &self.description);
        let mut response = self.address.send(browser, target);
        response.extensions_mut().insert(self.reason);
        response
    }
}
