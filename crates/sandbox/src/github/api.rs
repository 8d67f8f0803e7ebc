//! The API: the user, their e-mail addresses, organisations and teams.
//!
//! <https://docs.github.com/en/rest>

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Data, Path, ServiceConfig},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    answer::{error, reply},
    fault::Endpoint,
    pages::Page,
    state::{State, Token},
    users::{Organization, Team, User},
};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/user", web::get().to(user))
        .route("/user/emails", web::get().to(emails))
        .route("/user/orgs", web::get().to(orgs))
        .route("/user/memberships/orgs/{org}", web::get().to(membership))
        .route("/user/teams", web::get().to(teams))
        .route("/users/{login}", web::get().to(account));
}

async fn user(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match admit(&request, &state, Endpoint::User, &[]).await {
        Ok((token, user)) => reply(&state, Some(&token), StatusCode::OK, &whole(&user)),
        Err(refused) => refused,
    }
}

async fn emails(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match admit(&request, &state, Endpoint::Emails, &["user:email", "user"]).await {
        Ok((token, user)) => list(&request, &state, &token, user.emails),
        Err(refused) => refused,
    }
}

/// What everybody may know about an account. The app may say who it is, and has to say it right.
async fn account(request: HttpRequest, login: Path<String>, state: Data<State>) -> HttpResponse {
    if let Some(broken) = state.enter(Endpoint::Account).await {
        return broken;
    }
    if let Some(refused) = without_agent(&request) {
        return refused;
    }
    if request.headers().contains_key(header::AUTHORIZATION) && !is_the_app(&request, &state) {
        return error(&state, None, StatusCode::UNAUTHORIZED, "Bad credentials");
    }
    let found = state.memory().user_by_login(&login).map(whole);
    match found {
        Some(user) => reply(&state, None, StatusCode::OK, &user),
        None => error(&state, None, StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// Whether the request has the app's own credentials.
fn is_the_app(request: &HttpRequest, state: &State) -> bool {
    let options = &state.options;
    let expected = format!("{}:{}", options.client_id, options.client_secret);
    let expected = format!("Basic {}", STANDARD.encode(expected));
    let sent = request.headers().get(header::AUTHORIZATION);
    sent.is_some_and(|sent| sent.as_bytes() == expected.as_bytes())
}

/// The scopes of which one is needed to see organisations and teams.
const READ_ORG: [&str; 3] = ["read:org", "write:org", "admin:org"];

async fn orgs(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match admit(&request, &state, Endpoint::Orgs, &READ_ORG).await {
        Ok((token, user)) => {
            let active = user.orgs.iter().filter(|org| org.active).map(brief_org).collect();
            list(&request, &state, &token, active)
        }
        Err(refused) => refused,
    }
}

async fn membership(request: HttpRequest, org: Path<String>, state: Data<State>) -> HttpResponse {
    let (token, user) = match admit(&request, &state, Endpoint::Membership, &READ_ORG).await {
        Ok(admitted) => admitted,
        Err(refused) => return refused,
    };
    let Some(member) = user
        .orgs
        .iter()
        .find(|other| other.login.eq_ignore_ascii_case(&org))
    else {
        return error(&state, Some(&token), StatusCode::NOT_FOUND, "Not Found");
    };
    let body = json!({
        "state": if member.active { "active" } else { "pending" },
        "role": member.role,
        "organization": brief_org(member),
        "user": brief(&user),
    });
    reply(&state, Some(&token), StatusCode::OK, &body)
}

async fn teams(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match admit(&request, &state, Endpoint::Teams, &READ_ORG).await {
        Ok((token, user)) => {
            let teams = user.teams.iter().map(|team| team_of(team, &user)).collect();
            list(&request, &state, &token, teams)
        }
        Err(refused) => refused,
    }
}

/// Counts the call, then checks what GitHub checks of every call: a User-Agent, a token, a scope.
async fn admit(
    request: &HttpRequest,
    state: &State,
    endpoint: Endpoint,
    one_of: &[&str],
) -> Result<(Token, User), HttpResponse> {
    if let Some(broken) = state.enter(endpoint).await {
        return Err(broken);
    }
    if let Some(refused) = without_agent(request) {
        return Err(refused);
    }
    let admitted = bearer(request).and_then(|token| {
        let memory = state.memory();
        let token = memory.tokens.get(token)?.clone();
        let user = memory.user(token.user)?.clone();
        Some((token, user))
    });
    let Some((token, user)) = admitted else {
        let message = if bearer(request).is_some() {
            "Bad credentials"
        } else {
            "Requires authentication"
        };
        return Err(error(state, None, StatusCode::UNAUTHORIZED, message));
    };
    if !one_of.is_empty() && !token.scope.split(',').any(|scope| one_of.contains(&scope)) {
        let message = format!("You need at least the {} scope.", one_of[0]);
        return Err(error(state, Some(&token), StatusCode::FORBIDDEN, &message));
    }
    Ok((token, user))
}

/// What GitHub says to whoever does not say who asks.
fn without_agent(request: &HttpRequest) -> Option<HttpResponse> {
    let agent = request.headers().get(header::USER_AGENT);
    let missing = agent.is_none_or(|agent| agent.as_bytes().trim_ascii().is_empty());
    missing.then(|| {
        HttpResponse::Forbidden()
            .content_type("text/html; charset=utf-8")
            .body("Request forbidden by administrative rules. Please make sure your request has a User-Agent header.")
    })
}

/// `Authorization: Bearer ..` or `Authorization: token ..`.
fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    let known = ["bearer", "token"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    known.then(|| token.trim())
}

fn list<T: serde::Serialize>(
    request: &HttpRequest,
    state: &State,
    token: &Token,
    all: Vec<T>,
) -> HttpResponse {
    let page = Page::asked(request);
    let link = page.link(request, state, all.len());
    let mut response = reply(state, Some(token), StatusCode::OK, &page.of(all));
    if let Some((name, value)) = link
        && let Ok(value) = header::HeaderValue::from_str(&value)
    {
        response.headers_mut().insert(name, value);
    }
    response
}

fn whole(user: &User) -> Value {
    json!({
        "login": user.login,
        "id": user.id,
        "type": "User",
        "site_admin": false,
        "name": user.name,
        "email": user.email,
    })
}

fn brief(user: &User) -> Value {
    json!({ "login": user.login, "id": user.id, "type": "User" })
}

fn brief_org(org: &Organization) -> Value {
    json!({ "login": org.login, "id": org.id })
}

fn team_of(team: &Team, user: &User) -> Value {
    let org = user
        .orgs
        .iter()
        .find(|org| org.login.eq_ignore_ascii_case(&team.org));
    json!({
        "id": team.id,
        "slug": team.slug,
        "name": team.name,
        "organization": { "login": team.org, "id": org.map(|org| org.id) },
    })
}
