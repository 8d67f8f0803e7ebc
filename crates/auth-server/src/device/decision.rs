//! What becomes of a device's request: the person decided.

use actix_web::{HttpResponse, http::StatusCode};
use mcp_gateway_model::{grant::Grant, secret::Digest};
use mcp_gateway_store::{Begun, Decided, Login};

use crate::{
    approve::removed,
    browser::Browser,
    client_life,
    desk::Outcome,
    door::{Page, Refusal},
    pages::{self, Frame, Message},
};

/// Begins the grant, and keeps it for the device. Only who was admitted gets here.
pub(crate) async fn approve(
    browser: &Browser,
    login: &Login,
    device: &Digest,
    grant: Grant,
) -> Result<HttpResponse, Refusal> {
    let (server, now) = (browser.server(), browser.context.now);
    client_life::used(&browser.context, &login.client, grant.expires_at).await?;
    match server.store.add_grant(&grant, now).await? {
        Begun::Yes => {}
        Begun::Refused => return Err(removed().into()),
    }
    match server.store.decide_device(device, Some(&grant.id), now).await? {
        Decided::Done => {}
        Decided::TooLate => {
            server.store.end_grant(&grant.id, now).await?;
            return Err(too_late().into());
        }
    }
    server.desk.count(Outcome::Allowed);
    Ok(done(
        browser,
        "You can go back to your device",
        "It has your answer, and goes on by itself within some seconds.",
    ))
}

/// Keeps for the device that the person said no.
pub(crate) async fn deny(browser: &Browser, device: &Digest) -> Result<HttpResponse, Refusal> {
    let (server, now) = (browser.server(), browser.context.now);
    match server.store.decide_device(device, None, now).await? {
        Decided::Done => Ok(done(
            browser,
            "The device gets no access",
            "It is told that you did not allow it.",
        )),
        Decided::TooLate => Err(too_late().into()),
    }
}

fn too_late() -> Page {
    Page::new(StatusCode::GONE, "Already answered, or too old", "device_gone")
        .saying("The device was answered before, or it waited too long.")
        .saying("If it goes on you can close this window; if not, start again on the device.")
}

fn done(browser: &Browser, title: &'static str, text: &'static str) -> HttpResponse {
    pages::respond(
        StatusCode::OK,
        &Message {
            frame: Frame::of(browser),
            title,
            paragraphs: &[text.into(), "You can close this window.".into()],
            links: &[],
            is_fault: false,
        },
    )
}
