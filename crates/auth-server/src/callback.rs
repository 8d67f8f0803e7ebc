//! The way back from GitHub: only in the browser that went there, only once.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use mcp_gateway_model::{
    error::ErrorCode,
    secret::{Secret, SecretKind},
};
use mcp_gateway_store::{BrowserLogin, Login, LoginStage, Taken};

use crate::{
    admit::{self, Refusal as NotAdmitted},
    approve::{self, Approver},
    audit::Event,
    browser::Browser,
    consent::line,
    desk::Outcome,
    door::{Page, Refusal, ReturnAddress},
    github::GithubFault,
    memberships,
    pages::text,
    request::{Context, Parameters},
};

/// `GET /callback`.
pub(crate) async fn callback(context: Context, request: HttpRequest) -> HttpResponse {
    let browser = Browser::new(context, request);
    let result = come_back(&browser).await;
    browser.answer(result)
}

async fn come_back(browser: &Browser) -> Result<HttpResponse, Refusal> {
    browser.is_on_our_host()?;
    browser.is_not_ahead_of_time()?;
    let server = browser.server();
    browser
        .permit("callback", server.settings.limits.callback)
        .await?;
    let query = Parameters::parse(browser.query().as_bytes()).map_err(Page::from)?;
    let state = query.get("state").ok_or_else(not_from_here)?;
    let (login, cookie) = take(browser, &Secret::presented(state.to_owned())).await?;
    if let Some(error) = query.get("error") {
        return refused_by_github(browser, &login, error).await;
    }
    let code = query.get("code").ok_or_else(not_from_here)?;
    let now = browser.context.now;
    let arrived = async {
        let arrived = server.desk.github.arrived(code, &cookie).await?;
        memberships::at_login(server, arrived, &login.audience, now).await
    };
    let (user, belonging) = arrived
        .await
        .map_err(|fault| no_answer(browser, &login, &fault))?;
    let told = belonging.as_ref().map(|known| &known.told);
    let theirs = told.map(|told| &told.memberships);
    let admitted = match admit::admit(server, &user, &login.audience, theirs).await {
        Ok(admitted) => admitted,
        Err(mut refusal) => {
            if matches!(refusal, NotAdmitted::NotAMember) && told.is_some_and(|told| !told.is_shown) {
                refusal = NotAdmitted::MembershipsHidden;
            }
            return Err(approve::refuse(browser, login, &user, refusal).await);
        }
    };
    let mut logged_in = line(browser, Event::LoggedIn, &login);
    (logged_in.user, logged_in.login) = (Some(user.id), Some(user.login.as_str()));
    logged_in.write();
    let known = BrowserLogin {
        user,
        authenticated_at: now,
        expires_at: now.plus(server.settings.lifetimes.browser),
    };
    remember(browser, &known).await?;
    let approver = Approver { known, belonging };
    approve::approve(browser, &login, approver, admitted).await
}

/// The login that went to GitHub from this browser. Whoever lacks its cookie cannot even use it up.
async fn take(browser: &Browser, state: &Secret) -> Result<(Login, Secret), Refusal> {
    let (server, now) = (browser.server(), browser.context.now);
    let key = state.digest();
    let login = server.store.login(&key, now).await?.ok_or_else(gone)?;
    let name = browser.cookies.login(&key);
    let cookie = browser.cookie(&name).ok_or_else(other_browser)?;
    if login.stage != LoginStage::Upstream || login.browser != cookie.digest() {
        return Err(other_browser().into());
    }
    browser.send(browser.cookies.remove(name));
    match server.store.take_login(&key, now).await? {
        Taken::Login(login) => Ok((*login, cookie)),
        Taken::Nothing => Err(gone().into()),
    }
}

/// One trip to GitHub serves this browser for a while; a new cookie each time.
async fn remember(browser: &Browser, known: &BrowserLogin) -> Result<(), Refusal> {
    let (server, now) = (browser.server(), browser.context.now);
    browser.log_out().await?;
    let cookie = Secret::generate(SecretKind::Browser);
    server.store.put_browser(&cookie.digest(), known, now).await?;
    let life = server.settings.lifetimes.browser;
    browser.send(browser.cookies.set(browser.cookies.browser(), &cookie, life));
    Ok(())
}

fn not_from_here() -> Page {
    Page::new(
        StatusCode::BAD_REQUEST,
        "This is not the way in",
        "callback_incomplete",
    )
    .saying("People come to this address from GitHub only. Go back to the application and connect again.")
}

fn gone() -> Page {
    Page::new(StatusCode::GONE, "Already used, or too old", "login_gone")
        .saying("This login was finished before, or it took too long.")
        .saying("If the application has your answer you can close this window; if not, go back to it and connect again.")
}

fn other_browser() -> Page {
    Page::new(StatusCode::FORBIDDEN, "Another browser", "callback_browser")
        .saying("This login was begun in another browser, or this browser refuses cookies, so it was not finished.")
        .saying("If somebody sent you this address: do not use it. If you began the login, go back to the application and connect again.")
}

/// The person said no at GitHub, or GitHub does not want this gateway.
async fn refused_by_github(browser: &Browser, login: &Login, error: &str) -> Result<HttpResponse, Refusal> {
    let desk = &browser.server().desk;
    if error == "access_denied" {
        let mut refused = line(browser, Event::LoginRefused, login);
        refused.reason = Some("denied_at_github");
        refused.write();
        desk.count(Outcome::Denied);
        let text = "the user denied the login at GitHub";
        return approve::deny(browser, login, text, "denied_at_github").await;
    }
    Err(no_answer(
        browser,
        login,
        &GithubFault::Misconfigured(text::shown(error, 60)),
    ))
}

/// GitHub did not tell who it is: a page that says what to do, with a way back that tells the client.
fn no_answer(browser: &Browser, login: &Login, fault: &GithubFault) -> Refusal {
    browser.server().desk.count(Outcome::Failed);
    let mut refused = line(browser, Event::LoginRefused, login);
    refused.reason = Some(fault.reason());
    refused.write();
    let (status, title, code) = match fault {
        GithubFault::BadCode => (
            StatusCode::BAD_REQUEST,
            "GitHub did not accept the login",
            ErrorCode::AccessDenied,
        ),
        GithubFault::TokenEnded => (
            StatusCode::BAD_GATEWAY,
            "GitHub took the login back",
            ErrorCode::AccessDenied,
        ),
        GithubFault::Misconfigured(_) => (
            StatusCode::BAD_GATEWAY,
            "This server is not set up right",
            ErrorCode::ServerError,
        ),
        GithubFault::RateLimited(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "GitHub asks to wait",
            ErrorCode::TemporarilyUnavailable,
        ),
        GithubFault::Unreachable(_) => (
            StatusCode::BAD_GATEWAY,
            "GitHub does not answer",
            ErrorCode::TemporarilyUnavailable,
        ),
        GithubFault::Nonsense(_) => (
            StatusCode::BAD_GATEWAY,
            "GitHub answered with nonsense",
            ErrorCode::ServerError,
        ),
    };
    let advice = match fault {
        GithubFault::BadCode => "The login took too long, or its page was opened twice. Go back to the application and connect again.".into(),
        GithubFault::TokenEnded => "GitHub let you in and then no longer answered for you: this server was removed from your GitHub account meanwhile. Go back to the application and connect again.".into(),
        GithubFault::Misconfigured(_) => "GitHub does not accept this server. Tell its operator the request below: the log says what GitHub answered, and which setting to look at.".into(),
        GithubFault::RateLimited(wait) => format!("Too many people logged in. Wait {}, then go back to the application and connect again.", minutes(wait.from(browser.context.now))),
        GithubFault::Unreachable(_) => "Look at https://www.githubstatus.com, wait until GitHub works again, then go back to the application and connect again.".into(),
        GithubFault::Nonsense(_) => "Go back to the application and connect again. If this happens every time, tell the operator the request below.".into(),
    };
    let page = Page::new(status, title, fault.reason())
        .saying(advice)
        .because(fault.to_string());
    let Some(address) = ReturnAddress::of(login) else {
        return page.into();
    };
    let issuer = browser.server().settings.response_issuer();
    let back = address.error(issuer, code, "GitHub did not tell who the user is");
    page.leading(back, "Return to the application").into()
}

fn minutes(wait: Option<Duration>) -> String {
    match wait.map(|wait| wait.as_secs().div_ceil(60)) {
        None => "some minutes".to_owned(),
        Some(0 | 1) => "a minute".to_owned(),
        Some(more) => format!("{more} minutes"),
    }
}
