//! Logging out: this browser forgets who came back from GitHub.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Payload};
use url::form_urlencoded;

use crate::{
    audit::{Event, Line},
    browser::Browser,
    device,
    door::Refusal,
    pages::{self, Frame, Message},
    request::Context,
};

/// `POST /logout`.
pub(crate) async fn logout(context: Context, request: HttpRequest, payload: Payload) -> HttpResponse {
    let browser = Browser::new(context, request);
    let result = forget(&browser, payload).await;
    browser.answer(result)
}

async fn forget(browser: &Browser, payload: Payload) -> Result<HttpResponse, Refusal> {
    browser.is_on_our_host()?;
    browser.is_from_our_page()?;
    let limit = browser.server().settings.limits.authorize;
    browser.permit("logout", limit).await?;
    let form = browser.form(payload).await?;
    if let Some(known) = browser.logged_in().await? {
        let mut line = Line::new(Event::LoggedOut, &browser.context.request_id);
        (line.user, line.login) = (Some(known.user.id), Some(known.user.login.as_str()));
        line.write();
    }
    browser.log_out().await?;
    if form.get("then") == Some("switch") {
        let path = match form.get("device") {
            Some(_) => device::AS_ANOTHER.to_owned(),
            None => as_another(form.get("request").unwrap_or_default()),
        };
        let address = browser.server().settings.issuer.endpoint(&path);
        return Ok(HttpResponse::SeeOther()
            .insert_header(("location", address))
            .insert_header(("cache-control", "no-store"))
            .finish());
    }
    Ok(pages::respond(
        StatusCode::OK,
        &Message {
            frame: Frame::of(browser),
            title: "You are logged out",
            paragraphs: &[
                "This browser has forgotten who you are here. You are still logged in at GitHub.".into(),
                "Applications that you allowed keep working. You can close this window.".into(),
            ],
            links: &[],
            is_fault: false,
        },
    ))
}

/// The same authorization request, with another account. Whatever was sent, it leads to this endpoint and nowhere else.
fn as_another(request: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let kept = form_urlencoded::parse(request.as_bytes())
        .filter(|(name, _)| name != "prompt" && name != "login_hint");
    query.extend_pairs(kept).append_pair("prompt", "select_account");
    format!("/authorize?{}", query.finish())
}
