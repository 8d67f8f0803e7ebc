//! A person's browser: what its request says about where it comes from, and the cookies it holds.

use std::{cell::RefCell, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::Cookie,
    http::{Method, StatusCode, header},
    web::Payload,
};
use mcp_gateway_model::secret::{Secret, SecretKind};
use mcp_gateway_store::{BrowserLogin, Rate, StoreError};

use crate::{
    cookies::Cookies,
    door::{Page, Refusal},
    limit,
    request::{self, Context, Form, Parameters, body, only},
    state::AuthServer,
};

/// A browser that made a request, and the cookies that go back with the answer.
pub(crate) struct Browser {
    /// The circumstances of the request.
    pub(crate) context: Context,
    /// The names of the cookies.
    pub(crate) cookies: Cookies,
    request: HttpRequest,
    outgoing: RefCell<Vec<Cookie<'static>>>,
}

impl Browser {
    /// The browser that made `request`.
    pub(crate) fn new(context: Context, request: HttpRequest) -> Self {
        Self {
            cookies: Cookies::of(&context.server.settings.issuer),
            context,
            request,
            outgoing: RefCell::default(),
        }
    }

    /// The server.
    pub(crate) const fn server(&self) -> &Arc<AuthServer> {
        &self.context.server
    }

    /// The query of the request.
    pub(crate) fn query(&self) -> &str {
        self.request.query_string()
    }

    /// 303 after a form, so that the browser goes on with GET; else 302.
    pub(crate) fn redirect_status(&self) -> StatusCode {
        if self.request.method() == Method::POST {
            StatusCode::SEE_OTHER
        } else {
            StatusCode::FOUND
        }
    }

    /// Pages and cookies exist on the issuer's host only.
    ///
    /// # Errors
    /// A page with status 421 that names the right address.
    pub(crate) fn is_on_our_host(&self) -> Result<(), Page> {
        let issuer = &self.server().settings.issuer;
        let host = request::host(&self.request, &self.server().settings);
        if host.as_deref() == Some(issuer.authority()) {
            return Ok(());
        }
        Err(
            Page::new(StatusCode::MISDIRECTED_REQUEST, "Wrong address", "wrong_host")
                .saying(format!("People log in at {issuer}, and nowhere else."))
                .saying("Go back to the application and connect again."),
        )
    }

    /// A page that is fetched before anybody wants to see it starts nothing.
    ///
    /// # Errors
    /// A page that makes the browser ask again when it is really opened.
    pub(crate) fn is_not_ahead_of_time(&self) -> Result<(), Page> {
        let ahead = ["sec-purpose", "purpose", "x-moz", "x-purpose"]
            .iter()
            .any(|name| {
                let value = self.request.headers().get(*name).and_then(|v| v.to_str().ok());
                value.is_some_and(|v| {
                    v.contains("prefetch") || v.contains("prerender") || v.contains("preview")
                })
            });
        if !ahead {
            return Ok(());
        }
        Err(
            Page::new(StatusCode::SERVICE_UNAVAILABLE, "Opened too early", "prefetched")
                .saying("This page was fetched before it was opened. Reload it."),
        )
    }

    /// A form counts only if it was sent from a page of ours.
    ///
    /// # Errors
    /// A page with status 403.
    pub(crate) fn is_from_our_page(&self) -> Result<(), Page> {
        let headers = self.request.headers();
        let from_us = if headers.contains_key(header::ORIGIN) {
            only(headers, "origin").as_deref() == Some(self.server().settings.issuer.as_str())
        } else {
            only(headers, "sec-fetch-site").as_deref() == Some("same-origin")
        };
        if from_us {
            return Ok(());
        }
        Err(
            Page::new(StatusCode::FORBIDDEN, "Sent from another page", "cross_site_post")
                .saying("This form was not sent from a page of this server, so it was not obeyed.")
                .saying("Go back to the application and connect again."),
        )
    }

    /// Takes a permit for `what`.
    ///
    /// # Errors
    /// A page with status 429, or 503 when the store cannot be asked.
    pub(crate) async fn permit(&self, what: &'static str, rate: Rate) -> Result<(), Page> {
        let context = &self.context;
        limit::by_address(&*self.server().store, what, context.address, rate, context.now).await?;
        Ok(())
    }

    /// The form that is the body of the request.
    ///
    /// # Errors
    /// A page.
    pub(crate) async fn form(&self, payload: Payload) -> Result<Parameters, Page> {
        let Form(parameters) = body(&self.request, payload).await?;
        Ok(parameters)
    }

    /// The value of a cookie, if it has the form of one that was set here.
    pub(crate) fn cookie(&self, name: &str) -> Option<Secret> {
        let value = self.request.cookie(name)?.value().to_owned();
        let prefix = SecretKind::Browser.prefix();
        (value.starts_with(prefix) && value.len() == prefix.len() + 43).then(|| Secret::presented(value))
    }

    /// Sends a cookie with the answer, instead of one of the same name.
    pub(crate) fn send(&self, cookie: Cookie<'static>) {
        let mut outgoing = self.outgoing.borrow_mut();
        outgoing.retain(|other| other.name() != cookie.name());
        outgoing.push(cookie);
    }

    /// Whether the browser will hold the cookie of a login after this answer, ended or not.
    pub(crate) fn may_be_logged_in(&self) -> bool {
        let name = self.cookies.browser();
        let outgoing = self.outgoing.borrow();
        let sent = outgoing.iter().find(|cookie| cookie.name() == name);
        sent.map_or_else(
            || self.cookie(&name).is_some(),
            |cookie| !cookie.value().is_empty(),
        )
    }

    /// Who logged in in this browser a short while ago.
    pub(crate) async fn logged_in(&self) -> Result<Option<BrowserLogin>, StoreError> {
        match self.cookie(&self.cookies.browser()) {
            Some(cookie) => {
                self.server()
                    .store
                    .browser(&cookie.digest(), self.context.now)
                    .await
            }
            None => Ok(None),
        }
    }

    /// Forgets who logged in in this browser.
    pub(crate) async fn log_out(&self) -> Result<(), StoreError> {
        let name = self.cookies.browser();
        if let Some(cookie) = self.cookie(&name) {
            self.server().store.end_browser(&cookie.digest()).await?;
            self.send(self.cookies.remove(name));
        }
        Ok(())
    }

    /// The answer, with its cookies.
    pub(crate) fn answer(&self, result: Result<HttpResponse, Refusal>) -> HttpResponse {
        let mut response = result.unwrap_or_else(|refusal| refusal.respond(self));
        for cookie in self.outgoing.take() {
            // Fails only for text that no header can carry, and these are all our own.
            let _ = response.add_cookie(&cookie);
        }
        response
    }
}
