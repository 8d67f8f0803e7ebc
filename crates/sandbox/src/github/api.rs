//! The REST API, as far as a login needs it.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{State, User};

/// How many entries a page has unless the caller asks for another number.
const PAGE: usize = 30;

/// Mounts the API below the current scope.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/user", web::get().to(user))
        .route("/user/emails", web::get().to(emails))
        .route("/user/orgs", web::get().to(orgs))
        .route("/user/memberships/orgs/{org}", web::get().to(membership))
        .route("/user/teams", web::get().to(teams));
}

#[derive(Deserialize)]
struct Paging {
    page: Option<usize>,
    per_page: Option<usize>,
}

async fn user(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    answer(&request, &state, None, |user| {
        Some(json!({
            "login": user.login,
            "id": user.id,
            "type": "User",
            "name": user.name,
            "email": user.email,
        }))
    })
    .await
}

async fn emails(request: HttpRequest, state: web::Data<State>, paging: web::Query<Paging>) -> HttpResponse {
    answer_page(&request, &state, "user:email", &paging, |user| {
        let address = user
            .email
            .clone()
            .unwrap_or_else(|| format!("{}@users.noreply.example.com", user.login));
        vec![json!({ "email": address, "primary": true, "verified": true, "visibility": null })]
    })
    .await
}

async fn orgs(request: HttpRequest, state: web::Data<State>, paging: web::Query<Paging>) -> HttpResponse {
    answer_page(&request, &state, "read:org", &paging, |user| {
        user.orgs
            .iter()
            .filter(|m| m.active)
            .map(|m| json!({ "login": m.org }))
            .collect()
    })
    .await
}

async fn teams(request: HttpRequest, state: web::Data<State>, paging: web::Query<Paging>) -> HttpResponse {
    answer_page(&request, &state, "read:org", &paging, |user| {
        user.teams
            .iter()
            .map(|t| json!({ "slug": t.slug, "organization": { "login": t.org } }))
            .collect()
    })
    .await
}

async fn membership(request: HttpRequest, state: web::Data<State>, org: web::Path<String>) -> HttpResponse {
    answer(&request, &state, Some("read:org"), |user| {
        let found = user.orgs.iter().find(|m| m.org.eq_ignore_ascii_case(&org))?;
        Some(json!({
            "state": if found.active { "active" } else { "pending" },
            "role": "member",
            "organization": { "login": found.org },
        }))
    })
    .await
}

/// Answers one page of a list, with `Link` to the others.
async fn answer_page(
    request: &HttpRequest,
    state: &State,
    scope: &str,
    paging: &Paging,
    list: impl FnOnce(&User) -> Vec<Value>,
) -> HttpResponse {
    let size = paging.per_page.unwrap_or(PAGE).clamp(1, 100);
    let page = paging.page.unwrap_or(1).max(1);
    let mut pages = 1;
    let mut response = answer(request, state, Some(scope), |user| {
        let all = list(user);
        pages = all.len().div_ceil(size).max(1);
        Some(Value::Array(
            all.into_iter().skip((page - 1) * size).take(size).collect(),
        ))
    })
    .await;
    if page < pages {
        let connection = request.connection_info();
        let base = format!(
            "{}://{}{}",
            connection.scheme(),
            connection.host(),
            request.path()
        );
        let link = format!(
            "<{base}?per_page={size}&page={}>; rel=\"next\", <{base}?per_page={size}&page={pages}>; rel=\"last\"",
            page + 1
        );
        if let Ok(value) = link.parse() {
            response.headers_mut().insert(header::LINK, value);
        }
    }
    response
}

/// Checks what GitHub checks before any answer: faults, User-Agent, token, scope.
async fn answer(
    request: &HttpRequest,
    state: &State,
    scope: Option<&str>,
    describe: impl FnOnce(&User) -> Option<Value>,
) -> HttpResponse {
    let path = request.path();
    let fault = {
        let mut state = state.lock();
        state.note(path.strip_prefix("/api/v3").unwrap_or(path));
        state.fault
    };
    if let Some(answer) = fault.answer().await {
        return answer;
    }
    let text = |name| request.headers().get(name).and_then(|v| v.to_str().ok());
    if text(header::USER_AGENT).is_none_or(str::is_empty) {
        return HttpResponse::Forbidden()
            .body("Request forbidden by administrative rules. Please make sure your request has a User-Agent header");
    }
    let token = text(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token")).then_some(token)
    });
    let state = state.lock();
    let Some(token) = token.and_then(|token| state.tokens.get(token)) else {
        return HttpResponse::Unauthorized().json(json!({ "message": "Bad credentials" }));
    };
    let Some(user) = state.user(token.user) else {
        return HttpResponse::Unauthorized().json(json!({ "message": "Bad credentials" }));
    };
    let granted = |scope: &str| token.scope.split([' ', ',']).any(|s| s == scope);
    if scope.is_some_and(|scope| !granted(scope)) {
        return HttpResponse::Forbidden()
            .json(json!({ "message": "Your token has not been granted the required scopes" }));
    }
    match describe(user) {
        Some(json) => HttpResponse::Ok()
            .insert_header(("x-ratelimit-limit", "5000"))
            .insert_header(("x-ratelimit-remaining", "4999"))
            .insert_header(("x-oauth-scopes", token.scope.as_str()))
            .json(json),
        None => HttpResponse::NotFound().json(json!({ "message": "Not Found" })),
    }
}
