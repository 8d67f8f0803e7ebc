//! The end of a login: a code for the client, or a page that says why there is none.

use actix_web::{HttpResponse, http::StatusCode};
use mcp_gateway_model::{
    clock::Timestamp,
    error::ErrorCode,
    grant::{Code, Grant, GrantKind, User},
    id::GrantId,
};
use mcp_gateway_store::{Begun, BrowserLogin, Login, LoginAnswer, RedirectAnswer, StoreError};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    admit::{Admitted, Refusal as NotAdmitted},
    audit::Event,
    browser::Browser,
    client_life,
    code::CodeText,
    consent::{line, to_github},
    desk::Outcome,
    device,
    door::{Page, Redirect, Refusal, ReturnAddress},
    github::Account,
    memberships::Known,
};

/// Who approves.
pub(crate) struct Approver {
    /// Who it is.
    pub(crate) known: BrowserLogin,
    /// Where they belong, if that matters.
    pub(crate) belonging: Option<Known>,
}

/// Begins the grant, and answers whoever asked. Only who was admitted gets here.
pub(crate) async fn approve(
    browser: &Browser,
    login: &Login,
    approver: Approver,
    _: Admitted,
) -> Result<HttpResponse, Refusal> {
    match &login.answer {
        LoginAnswer::Redirect(answer) => with_a_code(browser, login, answer, approver).await,
        LoginAnswer::Device { device } => {
            let until = browser.context.now.plus(device::LIFETIME);
            let grant = grant(browser, login, approver, until).await?;
            device::approve(browser, login, device, grant).await
        }
    }
}

/// What the person allows, until `until` at first. What has to be kept beside it lies in the store already.
async fn grant(
    browser: &Browser,
    login: &Login,
    approver: Approver,
    until: Timestamp,
) -> Result<Grant, StoreError> {
    let Approver { known, belonging } = approver;
    let grant = Grant {
        id: GrantId::generate(),
        client: login.client.clone(),
        user: Some(known.user),
        kind: GrantKind::Consent,
        memberships: belonging.as_ref().map(|known| known.told.memberships.clone()),
        audiences: vec![login.audience.clone()],
        scopes: login.scopes.clone(),
        authenticated_at: known.authenticated_at,
        created_at: browser.context.now,
        expires_at: until,
    };
    if let Some(belonging) = belonging {
        let context = &browser.context;
        belonging.keep(&context.server, &grant, context.now).await?;
    }
    Ok(grant)
}

/// Takes the code of the grant to the client (RFC 6749 §4.1.2).
async fn with_a_code(
    browser: &Browser,
    login: &Login,
    answer: &RedirectAnswer,
    approver: Approver,
) -> Result<HttpResponse, Refusal> {
    let (server, now) = (browser.server(), browser.context.now);
    let address = ReturnAddress::of_answer(answer);
    is_wanted(browser, login, &address, &approver.known.user)?;
    let lifetimes = &server.settings.lifetimes;
    let expires_at = now.plus(lifetimes.code);
    let grant = grant(browser, login, approver, expires_at).await?;
    let (text, code) = CodeText::generate(grant.id.clone());
    let code = Code {
        grant: code.grant,
        digest: code.digest,
        client: login.client.clone(),
        redirect_uri: answer.redirect_uri.clone(),
        redirect_uri_was_sent: answer.redirect_uri_was_sent,
        challenge: answer.challenge,
        nonce: answer.nonce.clone(),
        expires_at,
    };
    client_life::used(&browser.context, &login.client, expires_at).await?;
    let remembered_until = now.plus(lifetimes.refresh_token.max(lifetimes.access_token));
    match server
        .store
        .begin_grant(&grant, &code, remembered_until, now)
        .await?
    {
        Begun::Yes => {}
        Begun::Refused => return Err(removed().into()),
    }
    server.desk.count(Outcome::Allowed);
    let target = address.success(server.settings.response_issuer(), &text);
    Ok(address.send(browser, target))
}

/// Tells whoever asked that the person said no: a client `text`, the log `reason`.
pub(crate) async fn deny(
    browser: &Browser,
    login: &Login,
    text: &'static str,
    reason: &'static str,
) -> Result<HttpResponse, Refusal> {
    match &login.answer {
        LoginAnswer::Redirect(answer) => {
            let address = ReturnAddress::of_answer(answer);
            Err(Redirect::new(&address, ErrorCode::AccessDenied, text, reason).into())
        }
        LoginAnswer::Device { device } => device::deny(browser, device).await,
    }
}

/// OpenID Connect Core §3.1.2.1: who comes back must be whom `id_token_hint` named.
fn is_wanted(browser: &Browser, login: &Login, address: &ReturnAddress, user: &User) -> Result<(), Redirect> {
    if login.subject.is_none_or(|wanted| wanted == user.id) {
        return Ok(());
    }
    let reason = "other_user_than_hinted";
    browser.server().desk.count(Outcome::Refused);
    let mut refused = line(browser, Event::LoginRefused, login);
    (refused.user, refused.login, refused.reason) = (Some(user.id), Some(user.login.as_str()), Some(reason));
    refused.write();
    let text = "somebody else logged in than id_token_hint names";
    Err(Redirect::new(address, ErrorCode::LoginRequired, text, reason))
}

/// Where people see at GitHub what they and their organisations granted this server.
fn grants_at_github(browser: &Browser) -> String {
    let github = &browser.server().settings.github;
    let web = github.web_url.as_str().trim_end_matches('/');
    let app = utf8_percent_encode(&github.client_id, NON_ALPHANUMERIC);
    format!("{web}/settings/connections/applications/{app}")
}

pub(crate) fn removed() -> Page {
    Page::new(
        StatusCode::BAD_REQUEST,
        "No longer possible",
        "client_or_user_removed",
    )
    .saying("The application or your access was removed while you were logging in.")
    .saying("Remove this server from the application, add it again, and connect.")
}

/// A person who is not let in learns as whom they are logged in, and can go on as somebody else.
pub(crate) async fn refuse(browser: &Browser, login: Login, user: &User, why: NotAdmitted) -> Refusal {
    let reason = why.reason();
    if let NotAdmitted::Store(error) = why {
        return error.into();
    }
    browser.server().desk.count(Outcome::Refused);
    let mut refused = line(browser, Event::LoginRefused, &login);
    (refused.user, refused.login, refused.reason) = (Some(user.id), Some(user.login.as_str()), Some(reason));
    refused.write();
    let address = ReturnAddress::of(&login);
    if matches!(why, NotAdmitted::ResourceGone) {
        let text = "the resource is protected no longer";
        return match address {
            Some(address) => Redirect::new(&address, ErrorCode::InvalidTarget, text, reason).into(),
            None => gone(reason).into(),
        };
    }
    let mut page = Page::new(StatusCode::FORBIDDEN, "You are not allowed in", reason).saying(format!(
        "You are logged in at GitHub as {}, and that account may not use this server.",
        user.shown_login
    ));
    page = match why {
        NotAdmitted::PinnedToAnother => page.saying(
            "This name belonged to another GitHub account before. The operator can allow yours: tell them the request below.",
        ),
        NotAdmitted::NotAMember => page
            .saying("It is for members of certain GitHub organisations or teams, and GitHub does not say that you are in one of them.")
            .saying("If you are in one: an organisation can hide its members from applications until one of its owners, or you, grants this one access. See at GitHub what this server may see, then go back to the application and connect again.")
            .leading(grants_at_github(browser), "What this server may see at GitHub"),
        NotAdmitted::MembershipsHidden => page
            .saying("It is for members of certain GitHub organisations or teams, and you did not let it see where you belong.")
            .saying("Remove this server at GitHub, then go back to the application, connect again, and leave the access to organisations and teams ticked.")
            .leading(grants_at_github(browser), "Remove this server at GitHub"),
        _ => page.saying("Use another GitHub account, or ask the operator to allow this one."),
    };
    let other = Account {
        choose: true,
        hint: None,
    };
    page = match to_github(browser, login, &other).await {
        Ok(github) => page.leading(github, "Use another GitHub account"),
        Err(refusal) => return refusal,
    };
    let Some(address) = address else {
        return page.into();
    };
    let issuer = browser.server().settings.response_issuer();
    let text = "the user may not use this server";
    let back = address.error(issuer, ErrorCode::AccessDenied, text);
    page.leading(back, "Return to the application").into()
}

/// A device asked for what is there no longer.
fn gone(reason: &'static str) -> Page {
    Page::new(StatusCode::BAD_REQUEST, "No longer possible", reason)
        .saying("What the device asked for is not protected by this server any more.")
        .saying("Start again on the device.")
}
