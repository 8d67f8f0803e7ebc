//! Registration, tried as each known client does it ([RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)); what was registered
//! is removed again ([RFC 7592](https://www.rfc-editor.org/rfc/rfc7592)).

use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::{
    Client, Identity, Kind, Severity, Stage,
    examination::{Body, Examination, Question, is_told},
    server::Found,
};
use crate::{
    http::{Answer, HttpFault},
    words::shown,
};

pub(super) const REFUSED: Kind = Kind {
    id: "registration-refused",
    severity: Severity::Fault,
    stage: Stage::Identity,
    what: "The authorization server offers registration, and refuses what a client registers.",
    remedy: "Accept public clients with `https`, loopback (any port) and private-use redirect URIs; do not refuse a \
             registration because one of several redirect URIs is not acceptable, and ignore what you do not know.",
};

pub(super) const BAD_ANSWER: Kind = Kind {
    id: "registration-answer",
    severity: Severity::Fault,
    stage: Stage::Identity,
    what: "The answer to a registration cannot be used.",
    remedy: "Answer with status 201, and a JSON object that has `client_id` and everything that was registered (RFC 7591 \
             §3.2.1).",
};

pub(super) const KINDS: &[&Kind] = &[&REFUSED, &BAD_ANSWER];

/// The order in which registrations are tried: those that differ most come first, because servers limit how many there may
/// be.
const ORDER: [Client; 8] = [
    Client::Cursor,
    Client::VsCode,
    Client::GeminiCli,
    Client::Inspector,
    Client::Claude,
    Client::ClaudeCode,
    Client::ChatGpt,
    Client::Legacy,
];

/// Registers each client that would register itself, until the server says that it is enough.
pub(super) async fn check(examination: &mut Examination<'_>, found: &Found) {
    let Some(endpoint) = &found.metadata.registration_endpoint else {
        return;
    };
    for client in ORDER {
        if Identity::of(client, &found.metadata, found.is_oauth) != Some(Identity::Registration) {
            continue;
        }
        let body = client.registration();
        let purpose = format!("registration, as {}", client.name());
        let question = Question::new(Stage::Identity, &purpose, Method::POST, endpoint)
            .with(&[("accept", "application/json")])
            .sending(Body::Json(&body));
        let asked = examination.ask(question).await;
        if asked.as_ref().is_ok_and(|answer| answer.status.as_u16() == 429) {
            let name = client.name();
            examination.note(&format!(
                "The server takes no more registrations for now: from {name} on they were not tried."
            ));
            return;
        }
        if let Some(registered) = judge(examination, client, asked) {
            remove(examination, endpoint, &registered).await;
        }
    }
}

/// The answer to a registration, if it is one.
fn judge(
    examination: &mut Examination<'_>,
    client: Client,
    asked: Result<Answer, HttpFault>,
) -> Option<Value> {
    let name = client.name();
    let answer = match asked {
        Ok(answer) => answer,
        Err(fault) if is_told(&fault) => return None,
        Err(fault) => {
            examination.find(&REFUSED, format!("as {name}: {fault}"), [client]);
            return None;
        }
    };
    let status = answer.status.as_u16();
    let body: Option<Value> = answer.json().ok();
    if !matches!(status, 200 | 201) {
        let said = body.as_ref().map_or_else(String::new, said);
        examination.find(&REFUSED, format!("as {name}: status {status}{said}"), [client]);
        return None;
    }
    let body = body.filter(|body| body["client_id"].is_string());
    if body.is_none() {
        let seen = format!("as {name}: status {status}, without a `client_id`");
        examination.find(&BAD_ANSWER, seen, [client]);
    }
    body
}

/// What an error says of itself.
fn said(body: &Value) -> String {
    let texts = [&body["error"], &body["error_description"]];
    let texts: Vec<_> = texts.into_iter().filter_map(Value::as_str).collect();
    if texts.is_empty() {
        return String::new();
    }
    format!(" ({})", shown(&texts.join(", ")))
}

/// Removes what was registered, or says that it stays.
async fn remove(examination: &mut Examination<'_>, endpoint: &Url, registered: &Value) {
    let id = registered["client_id"].as_str().unwrap_or_default();
    let at = registered["registration_client_uri"].as_str();
    let at = at.and_then(|at| Url::parse(at).ok());
    // the token goes to nobody else
    let at = at.filter(|at| at.origin() == endpoint.origin());
    let token = registered["registration_access_token"].as_str();
    let (Some(at), Some(token)) = (at, token) else {
        examination.note(&format!(
            "The client {id} stays registered: the server offers no way to remove it."
        ));
        return;
    };
    let bearer = format!("Bearer {token}");
    let question = Question::new(
        Stage::Identity,
        "removal of the client that was registered",
        Method::DELETE,
        &at,
    )
    .with(&[("authorization", bearer.as_str())]);
    let asked = examination.ask(question).await;
    if !asked.is_ok_and(|answer| answer.status.is_success()) {
        examination.note(&format!(
            "The client {id} stays registered: it could not be removed at {at}."
        ));
    }
}
