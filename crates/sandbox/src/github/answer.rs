//! What every answer of the API carries: rate limits, scopes, and JSON errors.

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;
use serde_json::json;

use super::{
    fault::Endpoint,
    state::{State, Token},
};

/// Requests an hour.
const LIMIT: usize = 5000;

/// A JSON answer of the API.
pub(super) fn reply(
    state: &State,
    token: Option<&Token>,
    status: StatusCode,
    body: &impl Serialize,
) -> HttpResponse {
    let used = used(state);
    let mut response = HttpResponse::build(status);
    response
        .insert_header(("x-github-media-type", "github.v3; format=json"))
        .insert_header(("x-ratelimit-limit", LIMIT.to_string()))
        .insert_header(("x-ratelimit-remaining", LIMIT.saturating_sub(used).to_string()))
        .insert_header(("x-ratelimit-used", used.to_string()))
        .insert_header((
            "x-ratelimit-reset",
            (state.now().secs() / 3600 * 3600 + 3600).to_string(),
        ))
        .insert_header(("x-ratelimit-resource", "core"));
    if let Some(token) = token {
        response.insert_header(("x-oauth-scopes", token.scope.replace(',', ", ")));
    }
    response.json(body)
}

/// An error of the API.
pub(super) fn error(state: &State, token: Option<&Token>, status: StatusCode, message: &str) -> HttpResponse {
    let body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.as_str(),
    });
    reply(state, token, status, &body)
}

fn used(state: &State) -> usize {
    let memory = state.memory();
    let api = Endpoint::CALLED_BY_SERVERS
        .iter()
        .filter(|endpoint| **endpoint != Endpoint::Token);
    api.filter_map(|endpoint| memory.calls.get(endpoint)).sum()
}
