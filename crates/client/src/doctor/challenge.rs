//! The first request: a server that wants a token has to say so with 401 and a challenge ([RFC 6750
//! §3](https://www.rfc-editor.org/rfc/rfc6750#section-3), [RFC 9728
//! §5.1](https://www.rfc-editor.org/rfc/rfc9728#section-5.1)).

use reqwest::{Method, header};
use url::Url;

use super::{
    Client, Kind, Severity, Stage,
    address::{self, first_request, modern_request},
    examination::{Examination, Question},
    late,
};
use crate::{
    discover::{Challenge, ResourcePlace, resource_places},
    http::Answer,
};

/// No token of anybody.
const NO_TOKEN: &str = "Bearer mcp-oauth-doctor-has-no-token";

pub(super) const NOT_PROTECTED: Kind = Kind {
    id: "not-protected",
    severity: Severity::Fault,
    stage: Stage::Challenge,
    what: "The server answers without a token, so no client ever starts a login.",
    remedy: "Answer requests without a token with 401, `initialize` too. Behind a proxy, put the authentication on the \
             router of this path.",
};

pub(super) const FORBIDDEN: Kind = Kind {
    id: "forbidden-instead-of-401",
    severity: Severity::Fault,
    stage: Stage::Challenge,
    what: "The server answers 403 where it should answer 401: clients take it that they may never come in.",
    remedy: "Answer 401 with `WWW-Authenticate` when there is no token; 403 is for a token that lacks a scope. A firewall in \
             front may be the one that answers.",
};

pub(super) const LOGIN_PAGE: Kind = Kind {
    id: "login-page",
    severity: Severity::Fault,
    stage: Stage::Challenge,
    what: "The server answers with a page or leads to one: clients are no browsers and cannot log in there.",
    remedy: "Take the MCP path out of whatever logs browsers in (an identity-aware proxy, a session middleware), and answer \
             401 with `WWW-Authenticate` there.",
};

pub(super) const NOT_FOUND: Kind = Kind {
    id: "not-found",
    severity: Severity::Fault,
    stage: Stage::Challenge,
    what: "There is no MCP server at this address.",
    remedy: "Check the path: often it ends with /mcp. Behind a proxy, see that a router leads there.",
};

pub(super) const SERVER_ERROR: Kind = Kind {
    id: "server-error",
    severity: Severity::Fault,
    stage: Stage::Challenge,
    what: "The server fails.",
    remedy: "Read its log. 502, 503 and 504 come from a proxy that does not reach the server; an empty 500 from Traefik means \
             that it does not reach what ForwardAuth asks.",
};

pub(super) const WRONG_STATUS: Kind = Kind {
    id: "wrong-status",
    severity: Severity::Fault,
    stage: Stage::Challenge,
    what: "The server answers a request without a token with another status than 401, so clients do not know that they need \
           one.",
    remedy: "Look at the token before anything else of the request (its method, type and headers), and answer 401.",
};

pub(super) const MODERN_ONLY: Kind = Kind {
    id: "only-2026-07-28",
    severity: Severity::Hint,
    stage: Stage::Challenge,
    what: "Only requests of revision 2026-07-28 are asked for a token: clients that begin with `initialize` are sent away.",
    remedy: "If such clients matter, answer `initialize` without a token with 401 too.",
};

pub(super) const NOT_MODERN: Kind = Kind {
    id: "not-401-for-2026-07-28",
    severity: Severity::Hint,
    stage: Stage::Challenge,
    what: "A request of revision 2026-07-28 without a token is answered with another status than 401: clients of that revision \
           learn only from a second one that they need a token.",
    remedy: "Look at the token before anything else of the request, its revision and its method too.",
};

pub(super) const NO_CHALLENGE: Kind = Kind {
    id: "no-www-authenticate",
    severity: Severity::Fault,
    stage: Stage::Challenge,
    what: "The 401 has no `WWW-Authenticate`: clients that rely on it find no metadata.",
    remedy: "Send `WWW-Authenticate: Bearer resource_metadata=\"https://...\"`. If the server does, a proxy or a handler of \
             errors takes it away.",
};

pub(super) const NOT_BEARER: Kind = Kind {
    id: "not-bearer",
    severity: Severity::Fault,
    stage: Stage::Challenge,
    what: "The challenge asks for something else than a bearer token.",
    remedy: "Send a challenge of the scheme `Bearer`. `Basic` comes from a proxy or a web server that asks for a password.",
};

pub(super) const NO_RESOURCE_METADATA: Kind = Kind {
    id: "no-resource-metadata",
    severity: Severity::Fault,
    stage: Stage::Challenge,
    what: "The challenge has no `resource_metadata`: clients that rely on it find no metadata, others have to guess.",
    remedy: "Add `resource_metadata=\"https://...\"` with the address of the protected resource metadata to the challenge.",
};

pub(super) const RELATIVE_RESOURCE_METADATA: Kind = Kind {
    id: "relative-resource-metadata",
    severity: Severity::Fault,
    stage: Stage::Challenge,
    what: "`resource_metadata` in the challenge is not a whole address, so clients cannot ask it.",
    remedy: "Write the whole address, beginning with https://.",
};

pub(super) const ERROR_WITHOUT_TOKEN: Kind = Kind {
    id: "error-without-token",
    severity: Severity::Hint,
    stage: Stage::Challenge,
    what: "The challenge speaks of an error although there was no token: some clients take it that their token is bad.",
    remedy: "Leave `error` out of the challenge when the request has no token (RFC 6750 §3.1).",
};

pub(super) const ANY_TOKEN: Kind = Kind {
    id: "any-token-accepted",
    severity: Severity::Fault,
    stage: Stage::Trust,
    what: "The server answers to a token that nobody issued: it does not check them.",
    remedy: "Check signature, issuer, audience and expiry of every token, or ask the authorization server about it.",
};

pub(super) const BAD_TOKEN_STATUS: Kind = Kind {
    id: "bad-token-not-401",
    severity: Severity::Fault,
    stage: Stage::Challenge,
    what: "A token that is not valid is answered with another status than 401, so clients never refresh theirs.",
    remedy: "Answer 401 with `error=\"invalid_token\"` when a token is unknown, expired or malformed.",
};

pub(super) const NO_INVALID_TOKEN: Kind = Kind {
    id: "no-invalid-token",
    severity: Severity::Hint,
    stage: Stage::Challenge,
    what: "The 401 to a bad token does not say `error=\"invalid_token\"`: clients cannot tell an expired token from a missing \
           one.",
    remedy: "Add `error=\"invalid_token\"` to the challenge when there was a token (RFC 6750 §3.1).",
};

pub(super) const OPEN_STREAM: Kind = Kind {
    id: "open-stream",
    severity: Severity::Fault,
    stage: Stage::Trust,
    what: "GET is answered without a token, although POST is not: whoever asks may listen.",
    remedy: "Check the token for every method of the path.",
};

pub(super) const KINDS: &[&Kind] = &[
    &NOT_PROTECTED,
    &FORBIDDEN,
    &LOGIN_PAGE,
    &NOT_FOUND,
    &SERVER_ERROR,
    &WRONG_STATUS,
    &MODERN_ONLY,
    &NOT_MODERN,
    &NO_CHALLENGE,
    &NOT_BEARER,
    &NO_RESOURCE_METADATA,
    &RELATIVE_RESOURCE_METADATA,
    &ERROR_WITHOUT_TOKEN,
    &BAD_TOKEN_STATUS,
    &NO_INVALID_TOKEN,
    &ANY_TOKEN,
    &OPEN_STREAM,
];

/// What the first request brought.
pub(super) struct Challenged {
    /// Whether the server asks for a token at all.
    pub(super) is_401: bool,
    /// The challenge, as far as there is one.
    pub(super) challenge: Option<Challenge>,
    /// Where it says that the metadata is.
    pub(super) named: Option<Url>,
}

/// Judges the answer to the first request, and asks what is answered to a bad token.
pub(super) async fn check(examination: &mut Examination<'_>, first: &Answer) -> Challenged {
    let modern = modern(examination, first).await;
    let late = late::check(examination, first).await;
    let first = late.as_ref().or(modern.as_ref()).unwrap_or(first);
    if first.status.as_u16() != 401 {
        judge_status(examination, first);
        return Challenged {
            is_401: false,
            challenge: None,
            named: None,
        };
    }
    let challenge = Challenge::for_token(&first.headers);
    let named = if let Some(challenge) = &challenge {
        judge_challenge(examination, challenge)
    } else {
        judge_lack(examination, first);
        None
    };
    bad_token(examination).await;
    if !examination.is_late {
        stream(examination).await;
    }
    Challenged {
        is_401: true,
        challenge,
        named,
    }
}

/// Asks as clients of revision 2026-07-28 do. The answer is what counts if the server asks only them for a token.
async fn modern(examination: &mut Examination<'_>, first: &Answer) -> Option<Answer> {
    let is_401 = first.status.as_u16() == 401;
    if !is_401 && !matches!(first.status.as_u16(), 400 | 404..=428) {
        return None;
    }
    let purpose = "the first request of a client of revision 2026-07-28, without a token";
    let answer = modern_request(examination, (Stage::Challenge, purpose), &[])
        .await
        .ok()?;
    let (status, server) = (answer.status.as_u16(), &examination.server);
    let seen = format!("POST {server} answers `server/discover` with status {status}");
    match (is_401, status) {
        (true, 401 | 429) => {}
        (true, _) => examination.find(&NOT_MODERN, seen, []),
        (false, 401) => {
            let first = first.status.as_u16();
            let seen = format!("{seen}, and `initialize` with status {first}");
            examination.find(&MODERN_ONLY, seen, [Client::Legacy]);
            examination.is_modern = true;
            return Some(answer);
        }
        (false, _) => {}
    }
    None
}

fn judge_status(examination: &mut Examination<'_>, first: &Answer) {
    let status = first.status.as_u16();
    let is_page = first.media_type().as_deref() == Some("text/html");
    let kind = match status {
        200..=299 if is_page => &LOGIN_PAGE,
        200..=299 => &NOT_PROTECTED,
        300..=399 => &LOGIN_PAGE,
        403 => &FORBIDDEN,
        404 => &NOT_FOUND,
        500..=599 => &SERVER_ERROR,
        _ => &WRONG_STATUS,
    };
    let mut seen = format!("POST {} answers with status {status}", examination.server);
    if let Some(location) = first.location() {
        seen = format!("{seen} and leads to {location}");
    } else if is_page {
        seen = format!("{seen} and a page");
    } else if has_no_router(first) {
        seen = format!("{seen}, as Traefik does where no router leads");
    }
    examination.find(kind, seen, Client::ALL);
}

/// Whether this is what Traefik, and whatever else is written in Go, says where there is nothing.
pub(super) fn has_no_router(answer: &Answer) -> bool {
    let is_text = answer.media_type().as_deref() == Some("text/plain");
    let length = answer.header(&header::CONTENT_LENGTH);
    let is_its = answer.body.starts_with(b"404 page not found") || length == Some("19");
    answer.status.as_u16() == 404 && is_text && is_its
}

/// What there is instead of a challenge for a token.
fn judge_lack(examination: &mut Examination<'_>, first: &Answer) {
    let schemes: Vec<_> = Challenge::all(&first.headers)
        .into_iter()
        .map(|one| one.scheme)
        .collect();
    if schemes.is_empty() {
        let seen = format!(
            "POST {} answers with 401 without WWW-Authenticate",
            examination.server
        );
        examination.find(&NO_CHALLENGE, seen, []);
    } else {
        let seen = format!("the challenge asks for: {}", schemes.join(", "));
        examination.find(&NOT_BEARER, seen, []);
    }
}

/// Where the challenge says that the metadata is.
fn judge_challenge(examination: &mut Examination<'_>, challenge: &Challenge) -> Option<Url> {
    if let Some(error) = challenge.error() {
        let seen = format!("the challenge has error=\"{error}\"");
        examination.find(&ERROR_WITHOUT_TOKEN, seen, []);
    }
    let Some(text) = challenge.resource_metadata() else {
        let seen = format!("the challenge of {} has none", examination.server);
        examination.find(&NO_RESOURCE_METADATA, seen, []);
        return None;
    };
    let url = Url::parse(text).ok().filter(Url::has_host);
    if let Some(url) = &url {
        address::judge_address(examination, "The protected resource metadata", url);
    } else {
        let seen = format!("it is \"{text}\"");
        let only_path = |client: &Client| !client.begins_at_path();
        examination.find(
            &RELATIVE_RESOURCE_METADATA,
            seen,
            Client::modern().filter(only_path),
        );
    }
    url
}

impl Challenged {
    /// Where metadata may be, in the order in which it is asked for.
    pub(super) fn places(&self, server: &Url) -> Vec<(ResourcePlace, Url)> {
        let named = self.named.clone().map(|url| (ResourcePlace::Challenge, url));
        let others = resource_places(server);
        let is_other = |place: &(ResourcePlace, Url)| Some(&place.1) != self.named.as_ref();
        named
            .into_iter()
            .chain(others.into_iter().filter(is_other))
            .collect()
    }
}

async fn bad_token(examination: &mut Examination<'_>) {
    let purpose = "the same, with a token that nobody issued";
    let asked = first_request(
        examination,
        (Stage::Challenge, purpose),
        &[("authorization", NO_TOKEN)],
    );
    let Ok(answer) = asked.await else {
        return;
    };
    let status = answer.status.as_u16();
    let error = Challenge::for_token(&answer.headers).and_then(|one| one.error().map(str::to_owned));
    let seen = format!("POST {} answers with status {status}", examination.server);
    match status {
        401 if error.as_deref() == Some("invalid_token") => {}
        401 => {
            let said = error.map_or("no error".to_owned(), |error| format!("error=\"{error}\""));
            examination.find(&NO_INVALID_TOKEN, format!("{seen} and {said}"), []);
        }
        200..=299 => examination.find(&ANY_TOKEN, seen, []),
        429 => examination.note(&format!(
            "{seen} when it is asked often: a bad token was not tried"
        )),
        _ => examination.find(&BAD_TOKEN_STATUS, seen, []),
    }
}

async fn stream(examination: &mut Examination<'_>) {
    let url = examination.server.clone();
    let question = Question::new(
        Stage::Challenge,
        "the stream of messages, without a token",
        Method::GET,
        &url,
    )
    .with(&[("accept", "text/event-stream")]);
    let Ok(answer) = examination.ask_head(question).await else {
        return;
    };
    let is_page = answer.media_type().as_deref() == Some("text/html");
    if answer.status.is_success() && !is_page {
        let seen = format!("GET {url} answers with status {}", answer.status.as_u16());
        examination.find(&OPEN_STREAM, seen, []);
    }
}
