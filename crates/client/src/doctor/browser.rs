//! Clients in a browser: they read an answer only where CORS lets them ([Fetch](https://fetch.spec.whatwg.org/#http-cors-protocol)).

use reqwest::{
    Method,
    header::{self, HeaderName},
};
use url::Url;

use super::{
    Client, Kind, Severity, Stage,
    address::first_request,
    challenge::Challenged,
    endpoints::{DEAD_TOKEN, UNKNOWN_TOKEN},
    examination::{Body, Examination, Question},
    resource::Resource,
    server::Found,
};
use crate::http::Answer;

/// Where MCP Inspector runs.
const ORIGIN: &str = "http://localhost:6274";
/// What it sends besides what browsers allow anyway, and in which revisions.
const REQUEST_HEADERS: [(&str, &str); 7] = [
    ("authorization", ALL),
    ("content-type", ALL),
    ("mcp-protocol-version", ALL),
    ("mcp-session-id", BEFORE),
    ("last-event-id", BEFORE),
    ("mcp-method", SINCE),
    ("mcp-name", SINCE),
];
const ALL: &str = "of all revisions";
const BEFORE: &str = "of revisions before 2026-07-28";
const SINCE: &str = "of revision 2026-07-28";

pub(super) const CHALLENGE: Kind = Kind {
    id: "cors-challenge",
    severity: Severity::Fault,
    stage: Stage::Browser,
    what: "The 401 has no CORS headers: a client in a browser cannot see it, and never starts a login.",
    remedy: "Send `Access-Control-Allow-Origin` with every answer, errors too. CORS middleware of a proxy often leaves out \
             the answers of its authentication: there the one who answers has to set it.",
};

pub(super) const EXPOSED: Kind = Kind {
    id: "cors-exposed",
    severity: Severity::Fault,
    stage: Stage::Browser,
    what: "A client in a browser cannot read the challenge of the 401.",
    remedy: "Send `Access-Control-Expose-Headers: WWW-Authenticate, Mcp-Session-Id` with the 401.",
};

pub(super) const PREFLIGHT: Kind = Kind {
    id: "cors-preflight",
    severity: Severity::Fault,
    stage: Stage::Browser,
    what: "The MCP server refuses preflights, or the headers that clients send: a browser sends no request after that.",
    remedy: "Answer `OPTIONS` without a token, with 204, `Access-Control-Allow-Origin`, `-Methods`, and `-Headers` that name \
             each header (`*` does not mean `authorization`). Behind ForwardAuth, preflights need a router of their own.",
};

pub(super) const DOCUMENTS: Kind = Kind {
    id: "cors-metadata",
    severity: Severity::Fault,
    stage: Stage::Browser,
    what: "A client in a browser cannot read a metadata document.",
    remedy: "Send `Access-Control-Allow-Origin: *` with both metadata documents: they are public.",
};

pub(super) const ENDPOINTS: Kind = Kind {
    id: "cors-endpoints",
    severity: Severity::Fault,
    stage: Stage::Browser,
    what: "A client in a browser cannot register, get a token or end one.",
    remedy: "Send `Access-Control-Allow-Origin: *` at the registration, token and revocation endpoints, with errors too, and \
             answer their preflights.",
};

pub(super) const KINDS: &[&Kind] = &[&CHALLENGE, &EXPOSED, &PREFLIGHT, &DOCUMENTS, &ENDPOINTS];

/// Asks as a page at [`ORIGIN`] would.
pub(super) async fn check(
    examination: &mut Examination<'_>,
    challenged: &Challenged,
    (resource, found): (&Resource, Option<&Found>),
) {
    if challenged.is_401 {
        challenge(examination).await;
        let server = examination.server.clone();
        if let Err(seen) = preflight(examination, &server, &REQUEST_HEADERS).await {
            examination.find(&PREFLIGHT, seen, [Client::Inspector]);
        }
    }
    let documents = [resource.url.as_ref(), found.map(|found| &found.url)];
    for url in documents.into_iter().flatten() {
        let question = Question::new(Stage::Browser, "a document, from a browser", Method::GET, url)
            .with(&[("origin", ORIGIN), ("accept", "application/json")]);
        let Ok(answer) = examination.ask(question).await else {
            continue;
        };
        if !allows(&answer) {
            let seen = without(&Method::GET, url, &answer);
            examination.find(&DOCUMENTS, seen, [Client::Inspector]);
        }
    }
    if let Some(found) = found {
        endpoints(examination, found).await;
    }
}

async fn challenge(examination: &mut Examination<'_>) {
    let purpose = "the first request, from a browser";
    let asked = first_request(examination, (Stage::Browser, purpose), &[("origin", ORIGIN)]);
    let Ok(answer) = asked.await else {
        return;
    };
    let url = examination.server.clone();
    if answer.status.as_u16() != 401 {
        let status = answer.status.as_u16();
        let seen = format!("POST {url} with Origin {ORIGIN} answers with status {status} instead of 401");
        examination.find(&CHALLENGE, seen, [Client::Inspector]);
    } else if !allows(&answer) {
        let seen = without(&Method::POST, &url, &answer);
        examination.find(&CHALLENGE, seen, [Client::Inspector]);
    } else if answer.headers.contains_key(header::WWW_AUTHENTICATE)
        && !lists(
            &answer,
            &header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "www-authenticate",
            true,
        )
    {
        let seen = format!("the 401 of {url} does not expose WWW-Authenticate");
        examination.find(&EXPOSED, seen, []);
    }
}

async fn endpoints(examination: &mut Examination<'_>, found: &Found) {
    let metadata = &found.metadata;
    if let Some(url) = &metadata.registration_endpoint
        && let Err(seen) = preflight(examination, url, &[("content-type", ALL)]).await
    {
        examination.find(&ENDPOINTS, seen, [Client::Inspector]);
    }
    if let Some(url) = &metadata.token_endpoint {
        let about = ("the token endpoint, from a browser", DEAD_TOKEN);
        form(examination, url, about, &[Client::Inspector]).await;
    }
    // who cannot end a token has got one
    if let Some(url) = &metadata.revocation_endpoint {
        let about = ("the revocation endpoint, from a browser", UNKNOWN_TOKEN);
        form(examination, url, about, &[]).await;
    }
}

/// Sends a form from a browser, and looks whether its page could read the answer.
async fn form(
    examination: &mut Examination<'_>,
    url: &Url,
    (purpose, fields): (&str, &[(&str, &str)]),
    stops: &[Client],
) {
    let question = Question::new(Stage::Browser, purpose, Method::POST, url)
        .with(&[("origin", ORIGIN), ("accept", "application/json")])
        .sending(Body::Form(fields));
    let Ok(answer) = examination.ask(question).await else {
        return;
    };
    let is_there = !matches!(answer.status.as_u16(), 404 | 405 | 429 | 500..=599);
    if is_there && !allows(&answer) {
        let seen = without(&Method::POST, url, &answer);
        examination.find(&ENDPOINTS, seen, stops.iter().copied());
    }
}

/// Asks whether a page may send POST with these headers; why not, if so.
async fn preflight(
    examination: &mut Examination<'_>,
    url: &Url,
    headers: &[(&str, &str)],
) -> Result<(), String> {
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let listed = names.join(",");
    let question = Question::new(
        Stage::Browser,
        "may a page send POST there?",
        Method::OPTIONS,
        url,
    )
    .with(&[
        ("origin", ORIGIN),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", &listed),
    ]);
    let Ok(answer) = examination.ask_head(question).await else {
        return Ok(());
    };
    let status = answer.status.as_u16();
    if !answer.status.is_success() {
        return Err(format!("OPTIONS {url} answers with status {status}"));
    }
    if !allows(&answer) {
        return Err(without(&Method::OPTIONS, url, &answer));
    }
    let name = header::ACCESS_CONTROL_ALLOW_HEADERS;
    let is_refused = |(header, _): &&(&str, &str)| !lists(&answer, &name, header, *header != "authorization");
    let refused: Vec<_> = headers.iter().filter(is_refused).collect();
    let Some((_, revisions)) = refused.first() else {
        return Ok(());
    };
    let names: Vec<_> = refused.iter().map(|(name, _)| *name).collect();
    let seen = format!("OPTIONS {url} does not allow the headers {}", names.join(", "));
    let is_one = *revisions != ALL && refused.iter().all(|(_, of)| of == revisions);
    Err(if is_one {
        format!("{seen}: clients {revisions} send them")
    } else {
        seen
    })
}

/// Whether a page at [`ORIGIN`] may read an answer.
fn allows(answer: &Answer) -> bool {
    let allowed = answer.header(&header::ACCESS_CONTROL_ALLOW_ORIGIN);
    allowed.is_some_and(|allowed| allowed == "*" || allowed == ORIGIN)
}

/// What an answer lacks that [`allows`] looks for.
fn without(method: &Method, url: &Url, answer: &Answer) -> String {
    let name = header::ACCESS_CONTROL_ALLOW_ORIGIN;
    let status = answer.status.as_u16();
    let has = match answer.headers.get_all(&name).iter().count() {
        0 => "no Access-Control-Allow-Origin".to_owned(),
        1 => format!(
            "Access-Control-Allow-Origin \"{}\"",
            answer.header(&name).unwrap_or_default()
        ),
        many => format!("{many} fields Access-Control-Allow-Origin"),
    };
    format!("{method} {url} with Origin {ORIGIN} answers with status {status} and {has}")
}

/// Whether a list in a header names `wanted`, or `*` if that counts.
fn lists(answer: &Answer, name: &HeaderName, wanted: &str, star: bool) -> bool {
    let fields = answer.headers.get_all(name).iter();
    let mut names = fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .map(str::trim);
    names.any(|name| name.eq_ignore_ascii_case(wanted) || (star && name == "*"))
}
