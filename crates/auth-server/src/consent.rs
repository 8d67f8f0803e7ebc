//! Consent: our own page before GitHub, always, because GitHub lets a returning user through without a word and would
//! so lend our one OAuth app to whoever registered here a minute ago.

mod form;

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Payload};
use mcp_gateway_model::{
    client::Client,
    id::UserId,
    resource::Target,
    scope::ScopeSet,
    secret::{Secret, SecretKind},
};
use mcp_gateway_store::{BrowserLogin, Login, LoginAnswer, LoginStage, RedirectAnswer, StoreError, Taken};

use crate::{
    admit,
    approve::{self, Approver},
    audit::{Event, Line},
    authorize::Asked,
    auto_approve,
    browser::Browser,
    desk::Outcome,
    door::{Page, Refusal, ReturnAddress},
    github::Account,
    memberships,
    pages::{self, ConsentPage, Destination, Frame},
    request::Context,
};
use form::{Answer, Decision, Terms};

/// Keeps the request, and shows the page that asks about it.
pub(crate) async fn show(
    browser: &Browser,
    client: &Client,
    address: ReturnAddress,
    asked: Asked,
) -> Result<HttpResponse, Refusal> {
    let question = Question {
        destination: Destination::of(address.uri()),
        answer: LoginAnswer::Redirect(RedirectAnswer {
            redirect_uri: address.uri().clone(),
            redirect_uri_was_sent: address.was_sent(),
            state: address.state().map(ToOwned::to_owned),
            challenge: asked.challenge,
            nonce: asked.nonce,
        }),
        target: asked.target,
        scopes: asked.scopes,
        max_age: asked.max_age,
        subject: asked.subject,
        account: asked.account,
    };
    match auto_approve::approve(browser, client, &address, question).await? {
        Ok(answered) => Ok(answered),
        Err(question) => put(browser, client, question).await,
    }
}

/// What a person is asked, whoever wants to know.
pub(crate) struct Question {
    /// Where the answer goes, for people.
    pub(crate) destination: Destination,
    /// How it is answered.
    pub(crate) answer: LoginAnswer,
    /// What the token will be for.
    pub(crate) target: Target,
    /// What they are asked to allow.
    pub(crate) scopes: ScopeSet,
    /// How many seconds ago they may have logged in at most.
    pub(crate) max_age: Option<u64>,
    /// Who it has to be.
    pub(crate) subject: Option<UserId>,
    /// Which account is wanted.
    pub(crate) account: Account,
}

/// Keeps a question, and shows the page that asks it.
pub(crate) async fn put(
    browser: &Browser,
    client: &Client,
    question: Question,
) -> Result<HttpResponse, Refusal> {
    let (server, now) = (browser.server(), browser.context.now);
    let name = browser.cookies.consent();
    let cookie = browser
        .cookie(&name)
        .unwrap_or_else(|| Secret::generate(SecretKind::Browser));
    let token = Secret::generate(SecretKind::FormToken);
    let login = Login {
        client: client.id.clone(),
        answer: question.answer,
        max_age: question.max_age,
        subject: question.subject,
        audience: question.target.audience.clone(),
        scopes: question.scopes.clone(),
        browser: cookie.digest(),
        stage: LoginStage::Consent,
        expires_at: now.plus(server.settings.lifetimes.login),
    };
    server.store.put_login(&token.digest(), &login, now).await?;
    // where it matters where people belong, GitHub is asked each time: its token is kept with grants only
    let to_github = question.account.choose || memberships::matter(server, &login.audience);
    let known = if to_github {
        None
    } else {
        still_logged_in(browser, &login).await?
    };
    let terms = Terms {
        account: question.account,
        user: known.as_ref().map(|known| known.user.id),
    };
    let frame = Frame::of(browser);
    let mut page =
        ConsentPage::new(frame, client, question.destination, &question.target).asking_for(&question.scopes);
    page.fields = terms.fields(server, &token, &cookie);
    page.logged_in = known.map(|known| known.user.shown_login);
    page.request = browser.query();
    let response = pages::respond_with_consent(&page);
    browser.send(
        browser
            .cookies
            .set(name, &cookie, server.settings.lifetimes.login),
    );
    Ok(response)
}

/// `POST /consent`.
pub(crate) async fn consent(context: Context, request: HttpRequest, payload: Payload) -> HttpResponse {
    let browser = Browser::new(context, request);
    let result = decide(&browser, payload).await;
    browser.answer(result)
}

async fn decide(browser: &Browser, payload: Payload) -> Result<HttpResponse, Refusal> {
    browser.is_on_our_host()?;
    browser.is_from_our_page()?;
    let limit = browser.server().settings.limits.authorize;
    browser.permit("consent", limit).await?;
    let mut parameters = browser.form(payload).await?;
    let cookie = browser.cookie(&browser.cookies.consent()).ok_or_else(no_cookie)?;
    let answer = Answer::read(&mut parameters, browser.server(), &cookie)?;
    let login = take(browser, &answer, &cookie).await?;
    match answer.decision {
        Decision::Deny => deny(browser, &login).await,
        Decision::Allow => allow(browser, login, answer.terms).await,
    }
}

/// The request that the form was about: once.
async fn take(browser: &Browser, answer: &Answer, cookie: &Secret) -> Result<Login, Refusal> {
    let taken = browser
        .server()
        .store
        .take_login(&answer.login.digest(), browser.context.now)
        .await?;
    match taken {
        Taken::Login(login) if login.stage == LoginStage::Consent && login.browser == cookie.digest() => {
            Ok(*login)
        }
        Taken::Login(_) => Err(no_cookie().into()),
        Taken::Nothing => Err(Page::new(StatusCode::GONE, "Already answered, or too old", "consent_gone")
            .saying("This request was answered before, or it waited too long.")
            .saying("If the application has your answer you can close this window; if not, go back to it and connect again.")
            .into()),
    }
}

fn no_cookie() -> Page {
    Page::new(StatusCode::FORBIDDEN, "Another browser", "consent_browser")
        .saying("This form was shown in another browser, was changed, or this browser refuses cookies.")
        .saying("Allow cookies for this site, go back to the application and connect again.")
}

async fn deny(browser: &Browser, login: &Login) -> Result<HttpResponse, Refusal> {
    line(browser, Event::ConsentDenied, login).write();
    browser.server().desk.count(Outcome::Denied);
    approve::deny(browser, login, "the user denied the request", "consent_denied").await
}

/// On to GitHub; or, if the page showed as whom the person is logged in here and they still are, straight to the answer.
async fn allow(browser: &Browser, login: Login, terms: Terms) -> Result<HttpResponse, Refusal> {
    let known = match terms
        .user
        .filter(|_| !memberships::matter(browser.server(), &login.audience))
    {
        Some(user) => still_logged_in(browser, &login)
            .await?
            .filter(|known| known.user.id == user),
        None => None,
    };
    let mut given = line(browser, Event::ConsentGiven, &login);
    given.user = known.as_ref().map(|known| known.user.id);
    given.login = known.as_ref().map(|known| known.user.login.as_str());
    given.write();
    let Some(known) = known else {
        let address = to_github(browser, login, &terms.account).await?;
        return Ok(HttpResponse::SeeOther()
            .insert_header(("location", address))
            .insert_header(("cache-control", "no-store"))
            .insert_header(("referrer-policy", "no-referrer"))
            .finish());
    };
    match admit::admit(browser.server(), &known.user, &login.audience, None).await {
        Ok(admitted) => {
            let belonging = None;
            let approver = Approver { known, belonging };
            approve::approve(browser, &login, approver, admitted).await
        }
        Err(refusal) => {
            browser.log_out().await?;
            Err(approve::refuse(browser, login, &known.user, refusal).await)
        }
    }
}

/// Who logged in in this browser, if the client takes that: recently enough (`max_age`), and whom it wants
/// (`id_token_hint`).
async fn still_logged_in(browser: &Browser, login: &Login) -> Result<Option<BrowserLogin>, StoreError> {
    let now = browser.context.now;
    let is_recent = |known: &BrowserLogin| {
        login
            .max_age
            .is_none_or(|age| known.authenticated_at.until(now) < Duration::from_secs(age))
    };
    let is_wanted = |known: &BrowserLogin| login.subject.is_none_or(|wanted| wanted == known.user.id);
    let known = browser.logged_in().await?;
    Ok(known.filter(|known| is_recent(known) && is_wanted(known)))
}

/// Keeps a login that was consented to for its way to GitHub and back in this browser, and answers where GitHub is.
pub(crate) async fn to_github(browser: &Browser, login: Login, account: &Account) -> Result<String, Refusal> {
    let (server, now) = (browser.server(), browser.context.now);
    let state = Secret::generate(SecretKind::UpstreamState);
    let cookie = Secret::generate(SecretKind::Browser);
    let life = server.settings.lifetimes.login;
    let asks_memberships = memberships::matter(server, &login.audience);
    let login = Login {
        browser: cookie.digest(),
        stage: LoginStage::Upstream,
        expires_at: now.plus(life),
        ..login
    };
    let key = state.digest();
    server.store.put_login(&key, &login, now).await?;
    let name = browser.cookies.login(&key);
    browser.send(browser.cookies.set(name, &cookie, life));
    let github = &server.desk.github;
    Ok(github.authorize_url(&state, &cookie, account, asks_memberships))
}

/// An audit line about a login.
pub(crate) fn line<'a>(browser: &'a Browser, event: Event, login: &'a Login) -> Line<'a> {
    let mut line = Line::new(event, &browser.context.request_id);
    line.client = Some(&login.client);
    let audience = login.audience.as_str();
    let protected = browser.server().settings.resources.of_audience(audience);
    line.resource = Some(protected.map_or(audience.into(), |p| p.identity.as_str().to_owned().into()));
    line
}
