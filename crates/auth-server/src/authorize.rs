//! The authorization endpoint (RFC 6749 §3.1, OAuth 2.1 §4.1.1): client and redirect URI first, a page on failure; then
//! everything else, a redirect on failure; then the consent page.

mod asked;

use std::borrow::Cow;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use mcp_gateway_model::{client::Client, id::ClientId};

use crate::{
    browser::Browser,
    client_life,
    clients::{self, NoClient, Purpose},
    consent,
    door::{BadReturn, Page, Redirect, Refusal, ReturnAddress},
    limit,
    pages::text,
    request::Context,
};
pub(crate) use asked::{Asked, client_may_ask_for, granted};

/// `GET /authorize`.
pub(crate) async fn authorize(context: Context, request: HttpRequest) -> HttpResponse {
    let browser = Browser::new(context, request);
    let result = ask(&browser).await;
    browser.answer(result)
}

async fn ask(browser: &Browser) -> Result<HttpResponse, Refusal> {
    browser.is_on_our_host()?;
    browser.is_not_ahead_of_time()?;
    let server = browser.server();
    browser
        .permit("authorize", server.settings.limits.authorize)
        .await?;
    let client = known_client(browser).await?;
    limit::by_client_at_address(&browser.context, "authorize", &client.id)
        .await
        .map_err(Page::from)?;
    let address = return_address(browser.query(), &client)?;
    let asked = Asked::read(&browser.context, browser.query(), &client)
        .await
        .map_err(|r| Redirect::new(&address, r.code(), r.description().to_owned(), r.reason().code))?;
    client_life::asked(&browser.context, &client.id).await?;
    consent::show(browser, &client, address, asked).await
}

/// The client that asks (RFC 6749 §4.1.1, `client_id`).
async fn known_client(browser: &Browser) -> Result<Client, Refusal> {
    let text = once(browser.query(), "client_id")
        .map_err(|Repeated| broken("client_id was sent more than once", "client_id_repeated"))?
        .ok_or_else(|| broken("client_id is missing", "client_id_missing"))?;
    let shown = || text::shown(&text, 100);
    let id = ClientId::parse(&text).map_err(|_| NoClient::Unknown.page(&shown()))?;
    let found = clients::find(&browser.context, &id, Purpose::Consent).await;
    Ok(found.map_err(|no_client| no_client.page(&shown()))?)
}

/// Where the answer goes (RFC 6749 §3.1.2), with the `state` that goes with it.
fn return_address(query: &str, client: &Client) -> Result<ReturnAddress, Page> {
    let requested = once(query, "redirect_uri")
        .map_err(|Repeated| broken("redirect_uri was sent more than once", "redirect_uri_repeated"))?;
    let address = ReturnAddress::registered(client, requested.as_deref()).map_err(|why| {
        let reason = match why {
            BadReturn::Malformed(_) => "redirect_uri_malformed",
            BadReturn::NotRegistered => "redirect_uri_not_registered",
            BadReturn::Missing => "redirect_uri_missing",
        };
        broken(format!("{why}"), reason).because(text::shown(requested.as_deref().unwrap_or_default(), 200))
    })?;
    let state = once(query, "state").ok().flatten();
    Ok(address.with_state(state.filter(|state| asked::is_state(state))))
}

/// A request that nobody may be redirected for.
fn broken(what: impl Into<Cow<'static, str>>, reason: &'static str) -> Page {
    Page::new(
        StatusCode::BAD_REQUEST,
        "This request is not safe to answer",
        reason,
    )
    .saying("The application that sent you here made a request that this server does not answer. Go back to it and connect again; if this page comes back, its developers have to know.")
    .saying(format!("For its developers: {}.", what.into()))
}

/// That a parameter was sent more than once.
struct Repeated;

/// The parameter, if it was sent and is not empty.
fn once(query: &str, name: &str) -> Result<Option<String>, Repeated> {
    let mut values = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.into_owned());
    let value = values.next();
    if values.next().is_some() {
        return Err(Repeated);
    }
    Ok(value)
}
