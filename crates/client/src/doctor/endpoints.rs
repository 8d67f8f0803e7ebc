//! The authorization server's endpoints: are they where the metadata says, and do their errors speak OAuth? What is sent is
//! of a client that does not exist.

use reqwest::Method;
use url::Url;

use super::{
    Client, Kind, Severity, Stage,
    examination::{Body, Examination, Question, is_told},
    server::Found,
};
use crate::http::Answer;

/// A client that nobody registered.
const NOBODY: &str = "mcp-oauth-doctor";
/// Where that client would be answered; nobody is there.
const NOWHERE: &str = "https://doctor.invalid/callback";

pub(super) const BROKEN: Kind = Kind {
    id: "broken-endpoint",
    severity: Severity::Fault,
    stage: Stage::Endpoints,
    what: "An endpoint is not where the authorization server's metadata says, or fails.",
    remedy: "Write the endpoints' public addresses into the metadata. Behind a proxy, see that a router leads to each.",
};

pub(super) const TOKEN_ERRORS: Kind = Kind {
    id: "token-errors",
    severity: Severity::Fault,
    stage: Stage::Endpoints,
    what: "An error of the token endpoint is not what clients understand: they neither refresh nor log in again.",
    remedy: "Answer with status 400 (401 for an unknown client) and a JSON object that has `error`, `invalid_grant` for a \
             refresh token that is dead (RFC 6749 §5.2).",
};

pub(super) const OPEN_REDIRECT: Kind = Kind {
    id: "open-redirect",
    severity: Severity::Fault,
    stage: Stage::Trust,
    what: "The authorization endpoint redirects to an address that no client registered: codes can be led anywhere.",
    remedy: "Check `client_id` and `redirect_uri` against what was registered before anything else, and show a page when \
             they do not fit.",
};

pub(super) const KINDS: &[&Kind] = &[&BROKEN, &TOKEN_ERRORS, &OPEN_REDIRECT];

/// What a dead refresh token looks like.
pub(super) const DEAD_TOKEN: &[(&str, &str)] = &[
    ("grant_type", "refresh_token"),
    ("refresh_token", "mcp-oauth-doctor-has-no-token"),
    ("client_id", NOBODY),
];

/// What is sent to have a token ended that nobody issued.
pub(super) const UNKNOWN_TOKEN: &[(&str, &str)] =
    &[("token", "mcp-oauth-doctor-has-no-token"), ("client_id", NOBODY)];

/// Asks both endpoints as nobody.
pub(super) async fn check(examination: &mut Examination<'_>, found: &Found) {
    if let Some(endpoint) = &found.metadata.authorization_endpoint {
        authorize(examination, endpoint).await;
    }
    if let Some(endpoint) = &found.metadata.token_endpoint {
        token(examination, endpoint).await;
    }
}

async fn authorize(examination: &mut Examination<'_>, endpoint: &Url) {
    let mut url = endpoint.clone();
    let resource = examination.server.to_string();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", NOBODY),
        ("redirect_uri", NOWHERE),
        ("state", NOBODY),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
        ("resource", &resource),
    ]);
    let question = Question::new(
        Stage::Endpoints,
        "the authorization endpoint, as an unknown client",
        Method::GET,
        &url,
    )
    .with(&[("accept", "text/html")]);
    let answer = match examination.ask_head(question).await {
        Ok(answer) => answer,
        Err(fault) => {
            if !is_told(&fault) {
                examination.find(&BROKEN, format!("GET {endpoint}: {fault}"), Client::ALL);
            }
            return;
        }
    };
    judge_missing(examination, (&Method::GET, endpoint), &answer);
    let leads = answer.location();
    if leads.is_some_and(|to| to.as_str().starts_with(NOWHERE)) {
        let seen = format!("GET {endpoint} as an unknown client leads to {NOWHERE}");
        examination.find(&OPEN_REDIRECT, seen, []);
    }
}

async fn token(examination: &mut Examination<'_>, endpoint: &Url) {
    let question = Question::new(
        Stage::Endpoints,
        "the token endpoint, as an unknown client with a dead refresh token",
        Method::POST,
        endpoint,
    )
    .with(&[("accept", "application/json")])
    .sending(Body::Form(DEAD_TOKEN));
    let answer = match examination.ask(question).await {
        Ok(answer) => answer,
        Err(fault) => {
            if !is_told(&fault) {
                examination.find(&BROKEN, format!("POST {endpoint}: {fault}"), Client::ALL);
            }
            return;
        }
    };
    if judge_missing(examination, (&Method::POST, endpoint), &answer) {
        return;
    }
    let status = answer.status.as_u16();
    let error = answer.json::<serde_json::Value>().ok();
    let error = error.and_then(|body| Some(body["error"].as_str()?.to_owned()));
    let seen = format!("POST {endpoint} answers with status {status}");
    match (status, error) {
        (400 | 401, Some(_)) => {}
        (429, _) => examination.note(&format!("{seen}: its errors could not be looked at")),
        (_, Some(error)) => {
            let seen = format!("{seen} and error \"{error}\"");
            examination.find(&TOKEN_ERRORS, seen, []);
        }
        (_, None) => {
            let kind = answer
                .media_type()
                .unwrap_or_else(|| "no Content-Type".to_owned());
            let seen = format!("{seen} and {kind} without `error`");
            examination.find(&TOKEN_ERRORS, seen, []);
        }
    }
}

/// Whether nobody is there, or who is there fails.
fn judge_missing(
    examination: &mut Examination<'_>,
    (method, endpoint): (&Method, &Url),
    answer: &Answer,
) -> bool {
    let status = answer.status.as_u16();
    let is_missing = matches!(status, 404 | 405 | 500..=599);
    if is_missing {
        let seen = format!("{method} {endpoint} answers with status {status}");
        examination.find(&BROKEN, seen, Client::ALL);
    }
    is_missing
}
