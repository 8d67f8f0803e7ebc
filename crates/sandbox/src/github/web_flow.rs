//! The web application flow: a page to choose a user on, and the token endpoint.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use askama::Template;
use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use url::{Url, form_urlencoded};

use super::state::{Code, Inner, State, Token, User, random};

type Parameters = BTreeMap<String, String>;

#[derive(Template)]
#[template(path = "choose.html")]
struct ChoosePage<'a> {
    users: &'a [User],
    parameters: &'a Parameters,
}

/// `GET /login/oauth/authorize`: asks who to be, or goes on at once when the stand-in is told who.
pub(super) async fn authorize(state: web::Data<State>, query: web::Query<Parameters>) -> HttpResponse {
    let parameters = query.into_inner();
    let mut state = state.lock();
    state.note("/login/oauth/authorize");
    state.calls.last_authorize.clone_from(&parameters);
    if let Err(why) = check(&state, &parameters) {
        return HttpResponse::NotFound()
            .content_type("text/plain; charset=utf-8")
            .body(why);
    }
    let asks_again = parameters.get("prompt").is_some_and(|p| p == "select_account");
    let chosen = state.options.auto_choose.clone().filter(|_| !asks_again);
    if let Some(id) = chosen.and_then(|login| {
        state
            .options
            .users
            .iter()
            .find(|u| u.login == login)
            .map(|u| u.id)
    }) {
        return go_back(&mut state, &parameters, id);
    }
    let page = ChoosePage {
        users: &state.options.users,
        parameters: &parameters,
    };
    match page.render() {
        Ok(html) => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(html),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

/// The choice made on that page: a user's number, or `cancel`.
pub(super) async fn choose(state: web::Data<State>, form: web::Form<Parameters>) -> HttpResponse {
    let parameters = form.into_inner();
    let mut state = state.lock();
    if let Err(why) = check(&state, &parameters) {
        return HttpResponse::NotFound()
            .content_type("text/plain; charset=utf-8")
            .body(why);
    }
    match parameters.get("user").map(String::as_str) {
        Some("cancel") => redirect(
            &parameters,
            &[
                ("error", "access_denied"),
                (
                    "error_description",
                    "The user has denied your application access.",
                ),
            ],
        ),
        Some(id) => match id.parse().ok().filter(|id| state.user(*id).is_some()) {
            Some(id) => go_back(&mut state, &parameters, id),
            None => HttpResponse::BadRequest().body("there is no such user"),
        },
        None => HttpResponse::BadRequest().body("user is missing"),
    }
}

fn check(state: &Inner, parameters: &Parameters) -> Result<(), &'static str> {
    if parameters.get("client_id") != Some(&state.options.client_id) {
        return Err("client_id is not that of the OAuth app");
    }
    if parameters
        .get("redirect_uri")
        .is_none_or(|uri| Url::parse(uri).is_err())
    {
        return Err("redirect_uri must be an absolute URI");
    }
    match (
        parameters.get("code_challenge"),
        parameters.get("code_challenge_method").map(String::as_str),
    ) {
        (None, _) | (Some(_), Some("S256")) => Ok(()),
        _ => Err("code_challenge_method must be S256"),
    }
}

fn go_back(state: &mut Inner, parameters: &Parameters, user: u64) -> HttpResponse {
    let code = random("");
    state.codes.insert(
        code.clone(),
        Code {
            user,
            redirect_uri: parameters.get("redirect_uri").cloned().unwrap_or_default(),
            challenge: parameters.get("code_challenge").cloned(),
            scope: parameters.get("scope").cloned().unwrap_or_default(),
        },
    );
    redirect(parameters, &[("code", &code)])
}

fn redirect(parameters: &Parameters, add: &[(&str, &str)]) -> HttpResponse {
    let Some(Ok(mut url)) = parameters.get("redirect_uri").map(|uri| Url::parse(uri)) else {
        return HttpResponse::BadRequest().body("redirect_uri must be an absolute URI");
    };
    url.query_pairs_mut().extend_pairs(add);
    if let Some(state) = parameters.get("state") {
        url.query_pairs_mut().append_pair("state", state);
    }
    HttpResponse::Found()
        .insert_header((header::LOCATION, url.as_str()))
        .finish()
}

/// `POST /login/oauth/access_token`. Errors come with status 200, as GitHub's do.
pub(super) async fn access_token(
    request: HttpRequest,
    state: web::Data<State>,
    form: web::Form<Parameters>,
) -> HttpResponse {
    let fault = {
        let mut state = state.lock();
        state.note("/login/oauth/access_token");
        state.fault
    };
    if let Some(answer) = fault.answer().await {
        return answer;
    }
    let answer = match exchange(&mut state.lock(), &form) {
        Ok((token, scope)) => vec![
            ("access_token", token),
            ("scope", scope),
            ("token_type", "bearer".to_owned()),
        ],
        Err((error, description)) => {
            vec![
                ("error", error.to_owned()),
                ("error_description", description.to_owned()),
            ]
        }
    };
    let wants_json = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    if wants_json {
        let members: serde_json::Map<_, _> = answer
            .into_iter()
            .map(|(k, v)| (k.to_owned(), json!(v)))
            .collect();
        return HttpResponse::Ok().json(members);
    }
    let text = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(answer)
        .finish();
    HttpResponse::Ok()
        .content_type("application/x-www-form-urlencoded; charset=utf-8")
        .body(text)
}

fn exchange(state: &mut Inner, form: &Parameters) -> Result<(String, String), (&'static str, &'static str)> {
    let get = |name| form.get(name).map(String::as_str);
    let app = &state.options;
    if get("client_id") != Some(&app.client_id) || get("client_secret") != Some(&app.client_secret) {
        return Err((
            "incorrect_client_credentials",
            "The client_id and/or client_secret passed are incorrect.",
        ));
    }
    let bad_code = (
        "bad_verification_code",
        "The code passed is incorrect or expired.",
    );
    let code = get("code")
        .and_then(|code| state.codes.remove(code))
        .ok_or(bad_code)?;
    if get("redirect_uri").is_some_and(|uri| uri != code.redirect_uri) {
        return Err((
            "redirect_uri_mismatch",
            "The redirect_uri MUST match the registered callback URL.",
        ));
    }
    if let Some(challenge) = &code.challenge {
        let verifier = get("code_verifier").unwrap_or_default();
        let computed = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        if *challenge != computed {
            return Err(bad_code);
        }
    }
    let token = random("gho_");
    state.tokens.insert(
        token.clone(),
        Token {
            user: code.user,
            scope: code.scope.clone(),
        },
    );
    Ok((token, code.scope))
}
