//! The page where a person types the code ([RFC 8628 §3.3](https://www.rfc-editor.org/rfc/rfc8628#section-3.3)). It is
//! typed: a code in the address is not looked at.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Payload};
use mcp_gateway_model::{
    error::LoggedReason,
    secret::{Digest, Secret, SecretKind},
};
use mcp_gateway_store::{DeviceRequest, LoginAnswer, Rate};

use super::UserCode;
use crate::{
    audit::{Event, Line},
    browser::Browser,
    clients::{self, NoClient, Purpose},
    consent::{self, Question},
    door::{Page, Refusal},
    github::Account,
    limit,
    pages::{self, CodeEntry, Destination, Frame},
    request::{Context, Parameters},
};

/// Where a person goes on as somebody else.
pub(crate) const AS_ANOTHER: &str = "/device?prompt=select_account";

/// How often codes may be typed in one browser.
const BY_BROWSER: Rate = Rate {
    count: 10,
    period: Duration::from_secs(600),
    burst: 10,
};

/// How often one code may be typed, wherever that is: a code that is sent around is of no use to many.
const BY_CODE: Rate = Rate {
    count: 5,
    period: super::LIFETIME,
    burst: 5,
};

/// `GET /device`.
pub(crate) async fn show(context: Context, request: HttpRequest) -> HttpResponse {
    let browser = Browser::new(context, request);
    let result = ask(&browser).await;
    browser.answer(result)
}

async fn ask(browser: &Browser) -> Result<HttpResponse, Refusal> {
    browser.is_on_our_host()?;
    let limit = browser.server().settings.limits.authorize;
    browser.permit("device page", limit).await?;
    let query = Parameters::parse(browser.query().as_bytes()).map_err(Page::from)?;
    let choose = query.get("prompt") == Some("select_account");
    Ok(form(browser, StatusCode::OK, choose))
}

/// The form, for this browser and no other.
fn form(browser: &Browser, status: StatusCode, choose: bool) -> HttpResponse {
    let server = browser.server();
    let name = browser.cookies.consent();
    let cookie = browser
        .cookie(&name)
        .unwrap_or_else(|| Secret::generate(SecretKind::Browser));
    let token = server
        .desk
        .form_keys
        .first()
        .map(|key| key.sign(&signed(&cookie)));
    let response = pages::respond(
        status,
        &CodeEntry {
            frame: Frame::of(browser),
            token: token.unwrap_or_default(),
            choose,
            is_wrong: status != StatusCode::OK,
        },
    );
    let life = server.settings.lifetimes.login;
    browser.send(browser.cookies.set(name, &cookie, life));
    response
}

/// What the token of the form authenticates: that it was shown in this browser.
fn signed(cookie: &Secret) -> Vec<u8> {
    format!("device\n{}", cookie.digest()).into_bytes()
}

/// `POST /device`.
pub(crate) async fn typed(context: Context, request: HttpRequest, payload: Payload) -> HttpResponse {
    let browser = Browser::new(context, request);
    let result = look_up(&browser, payload).await;
    browser.answer(result)
}

async fn look_up(browser: &Browser, payload: Payload) -> Result<HttpResponse, Refusal> {
    browser.is_on_our_host()?;
    browser.is_from_our_page()?;
    let limit = browser.server().settings.limits.user_code;
    browser.permit("user code", limit).await?;
    let parameters = browser.form(payload).await?;
    is_ours(browser, &parameters).await?;
    let choose = parameters.get("prompt") == Some("select_account");
    let code = parameters.get("code").and_then(UserCode::parse);
    let Some(code) = code else {
        return Ok(wrong(browser, choose));
    };
    let Some(device) = find(browser, &code).await? else {
        return Ok(wrong(browser, choose));
    };
    // named by the request, not by the code: of that not even a digest may be kept without a key, and made-up ones leave nothing
    let name = format!("user code of device {}", device.digest);
    limit::by_name(&browser.context, &name, BY_CODE)
        .await
        .map_err(Page::from)?;
    let Some(question) = question(browser, &device, &code, choose) else {
        return Ok(wrong(browser, choose));
    };
    match clients::find(&browser.context, &device.client, Purpose::Consent).await {
        Ok(client) => consent::put(browser, &client, question).await,
        Err(NoClient::Unknown) => Ok(wrong(browser, choose)),
        Err(no_client) => Err(no_client.page(device.client.as_str()).into()),
    }
}

/// Whether the form was shown in this browser, and the browser may go on typing.
async fn is_ours(browser: &Browser, parameters: &Parameters) -> Result<(), Page> {
    let cookie = browser
        .cookie(&browser.cookies.consent())
        .ok_or_else(other_browser)?;
    let token = parameters.require("token")?;
    let message = signed(&cookie);
    let keys = &browser.server().desk.form_keys;
    if !keys.iter().any(|key| key.verifies(&message, token)) {
        return Err(other_browser());
    }
    let name = format!("user code browser {}", cookie.digest());
    limit::by_name(&browser.context, &name, BY_BROWSER).await?;
    Ok(())
}

fn other_browser() -> Page {
    Page::new(StatusCode::FORBIDDEN, "Another browser", "device_browser")
        .saying("This form was shown in another browser, waited too long, or this browser refuses cookies.")
        .saying("Allow cookies for this site, and open the address again that the device shows.")
}

/// The request that the code leads to, under whichever key it was kept.
async fn find(browser: &Browser, code: &UserCode) -> Result<Option<DeviceRequest>, Refusal> {
    let (server, now) = (browser.server(), browser.context.now);
    let keys = server.desk.user_code_keys.iter();
    for digest in keys.filter_map(|key| code.digest(key)).collect::<Vec<Digest>>() {
        let found = server.store.device_of_user_code(&digest, now).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// What the person is asked; `None` when what the device wants is there no longer.
fn question(browser: &Browser, device: &DeviceRequest, code: &UserCode, choose: bool) -> Option<Question> {
    let resources = &browser.server().settings.resources;
    Some(Question {
        destination: Destination::device(code),
        answer: LoginAnswer::Device {
            device: device.digest,
        },
        target: resources.resolve(Some(device.audience.as_str())).ok()?,
        scopes: device.scopes.clone(),
        max_age: None,
        subject: None,
        account: Account { choose, hint: None },
    })
}

/// The form again. A code that never was, one that has ended, and one that was decided about look the same.
fn wrong(browser: &Browser, choose: bool) -> HttpResponse {
    let reason = "user_code_unknown";
    let mut line = Line::new(Event::LoginRefused, &browser.context.request_id);
    line.reason = Some(reason);
    line.write();
    let mut response = form(browser, StatusCode::BAD_REQUEST, choose);
    response.extensions_mut().insert(LoggedReason {
        code: reason,
        detail: String::new(),
    });
    response
}
