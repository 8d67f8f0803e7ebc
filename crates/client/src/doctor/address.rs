//! The address itself: does somebody answer there, in time, over a trusted connection, and without leading elsewhere?

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use mcp_gateway_model::issuer::is_loopback;

use super::{
    Client, Kind, Severity, Stage, Unreachable,
    examination::{Body, Examination, Question, is_told},
};
use crate::http::{Answer, HttpFault};

/// The newest revision, whose requests say of themselves what they are.
const MODERN: &str = "2026-07-28";
/// How often the address may lead elsewhere.
const REDIRECTS: usize = 3;

pub(super) const PLAIN_HTTP: Kind = Kind {
    id: "plain-http",
    severity: Severity::Fault,
    stage: Stage::Address,
    what: "An address begins with http: everybody on the way can read the tokens, and clients refuse it.",
    remedy: "Serve it over https, and write https in every document that names it. Behind a proxy that ends TLS, configure \
             the public address instead of building it from the request.",
};

pub(super) const INTERNAL: Kind = Kind {
    id: "internal-address",
    severity: Severity::Fault,
    stage: Stage::Address,
    what: "A server of the public internet gives out an address inside of a network, which clients cannot reach. It was not \
           asked.",
    remedy: "Configure the public address, instead of taking the one that a container or a proxy sees.",
};

pub(super) const TLS: Kind = Kind {
    id: "tls",
    severity: Severity::Fault,
    stage: Stage::Address,
    what: "No trusted TLS connection comes about: the certificate has expired, is another host's, or comes from an authority \
           that clients do not know.",
    remedy: "Renew the certificate, with this host's name in it, from an authority that browsers trust, and serve the whole \
             chain.",
};

pub(super) const REDIRECT: Kind = Kind {
    id: "redirect",
    severity: Severity::Fault,
    stage: Stage::Address,
    what: "The address redirects to another one. On the way clients turn POST into GET, or drop the token.",
    remedy: "Give users the address that it redirects to, byte for byte, or answer at both. Behind a proxy, see that \
             redirects keep https.",
};

pub(super) const TOO_SLOW: Kind = Kind {
    id: "too-slow",
    severity: Severity::Fault,
    stage: Stage::Address,
    what: "An answer does not come in time. Clients wait ten seconds at the most.",
    remedy: "Find out what the server waits for: a start from cold, a database, a name that does not resolve. Discovery and \
             tokens need answers within a second.",
};

pub(super) const TOO_LARGE: Kind = Kind {
    id: "too-large",
    severity: Severity::Fault,
    stage: Stage::Address,
    what: "An answer is larger than clients read.",
    remedy: "A metadata document has a few kilobytes. See what the server answers there instead.",
};

pub(super) const SLOW: Kind = Kind {
    id: "slow",
    severity: Severity::Hint,
    stage: Stage::Address,
    what: "An answer takes long. With a little more load it comes too late, since clients wait ten seconds at the most.",
    remedy: "Keep the server warm, and answer discovery from memory.",
};

pub(super) const KINDS: &[&Kind] = &[
    &PLAIN_HTTP,
    &INTERNAL,
    &TLS,
    &REDIRECT,
    &TOO_SLOW,
    &TOO_LARGE,
    &SLOW,
];

/// What every client sends first.
pub(super) fn initialize() -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "mcp-oauth doctor", "version": env!("CARGO_PKG_VERSION")},
        },
    })
}

/// A call of a tool that nobody has.
fn call() -> Value {
    let params = json!({ "name": "mcp-oauth-doctor-has-no-tool", "arguments": {} });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
}

/// What clients of revision 2026-07-28 send first, with these header fields.
fn discover() -> (Value, &'static [(&'static str, &'static str)]) {
    let body = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "server/discover",
        "params": { "_meta": {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": {"name": "mcp-oauth doctor", "version": env!("CARGO_PKG_VERSION")},
            "io.modelcontextprotocol/clientCapabilities": {},
        } },
    });
    (
        body,
        &[
            ("mcp-protocol-version", MODERN),
            ("mcp-method", "server/discover"),
        ],
    )
}

/// The first request of a client, with more header fields.
pub(super) async fn first_request(
    examination: &mut Examination<'_>,
    about: (Stage, &str),
    headers: &[(&str, &str)],
) -> Result<Answer, HttpFault> {
    let url = examination.server.clone();
    if examination.is_modern {
        return modern_request(examination, about, headers).await;
    }
    let body = if examination.is_late { call() } else { initialize() };
    post(examination, about, &url, (&body, headers)).await
}

/// The first request of a client of revision 2026-07-28, with more header fields.
pub(super) async fn modern_request(
    examination: &mut Examination<'_>,
    about: (Stage, &str),
    headers: &[(&str, &str)],
) -> Result<Answer, HttpFault> {
    let url = examination.server.clone();
    let (body, own) = discover();
    let headers = [own, headers].concat();
    post(examination, about, &url, (&body, &headers)).await
}

async fn post(
    examination: &mut Examination<'_>,
    (stage, purpose): (Stage, &str),
    url: &Url,
    (body, headers): (&Value, &[(&str, &str)]),
) -> Result<Answer, HttpFault> {
    let question = Question::new(stage, purpose, Method::POST, url)
        .with(&[("accept", "application/json, text/event-stream")])
        .with(headers)
        .sending(Body::Json(body));
    examination.ask_head(question).await
}

/// Makes the first request, and follows redirects to other spellings of the address, and to other addresses where an MCP server
/// is. `None` if there is no answer, and why is found already.
pub(super) async fn reach(examination: &mut Examination<'_>) -> Result<Option<Answer>, Unreachable> {
    for _ in 0..=REDIRECTS {
        let asked = first_request(
            examination,
            (Stage::Address, "the first request of a client, without a token"),
            &[],
        );
        let answer = match asked.await {
            Ok(answer) => answer,
            Err(fault) if is_told(&fault) => return Ok(None),
            Err(fault) => {
                let url = examination.server.clone();
                return Err(Unreachable { url, fault });
            }
        };
        let next = match answer.location() {
            Some(next) if is_another_spelling(&examination.server, &next) => next,
            Some(next) if leads_to_server(examination, &next).await => next,
            _ => {
                judge_scheme(examination, "The MCP server");
                return Ok(Some(answer));
            }
        };
        let (from, status) = (&examination.server, answer.status);
        let seen = format!(
            "POST {from} answers with status {} and leads to {next}",
            status.as_u16()
        );
        let keeps = matches!(status.as_u16(), 307 | 308) && from.origin() == next.origin();
        let stops = Client::ALL.into_iter().filter(|_| !keeps);
        examination.find(&REDIRECT, seen, stops);
        examination.server = next;
    }
    let seen = format!("{} leads on and on", examination.server);
    examination.find(&REDIRECT, seen, Client::ALL);
    Ok(None)
}

/// Whether an MCP server is where an address leads to, and not a page.
async fn leads_to_server(examination: &mut Examination<'_>, to: &Url) -> bool {
    let about = (Stage::Address, "the first request, where the address leads to");
    let mut at = to.clone();
    for _ in 0..REDIRECTS {
        let Ok(answer) = post(examination, about, &at, (&initialize(), &[])).await else {
            return false;
        };
        match answer.location() {
            Some(next) => at = next,
            None => {
                return answer.status.as_u16() == 401 || (answer.status.is_success() && speaks_mcp(&answer));
            }
        }
    }
    false
}

fn speaks_mcp(answer: &Answer) -> bool {
    answer.is_json() || answer.media_type().as_deref() == Some("text/event-stream")
}

/// Whether `to` is the same place as `from`, but for scheme, port, `www.` or slashes at the end.
fn is_another_spelling(from: &Url, to: &Url) -> bool {
    let host = |url: &Url| {
        let host = url.host_str().unwrap_or_default();
        host.strip_prefix("www.").unwrap_or(host).to_owned()
    };
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    from != to && host(from) == host(to) && path(from) == path(to) && from.query() == to.query()
}

fn judge_scheme(examination: &mut Examination<'_>, whose: &str) {
    let url = examination.server.clone();
    judge_address(examination, whose, &url);
}

/// Whether an address may be given to clients.
pub(super) fn judge_address(examination: &mut Examination<'_>, whose: &str, url: &Url) {
    if url.scheme() == "http" && !is_loopback(url) {
        let seen = format!("{whose} is at {url}");
        examination.find(&PLAIN_HTTP, seen, Client::modern());
    }
}

/// Names the answers that took long.
pub(super) fn judge_speed(examination: &mut Examination<'_>) {
    let slow = u64::try_from(examination.options.slow.as_millis()).unwrap_or(u64::MAX);
    let late: Vec<_> = examination
        .steps
        .iter()
        .filter_map(|step| Some((step, step.milliseconds.filter(|took| *took > slow)?)))
        .map(|(step, took)| {
            let (seconds, tenths) = (took / 1000, took % 1000 / 100);
            format!("{} {} took {seconds}.{tenths} s", step.method, step.url)
        })
        .collect();
    for seen in late {
        examination.find(&SLOW, seen, []);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_differs_in_scheme_port_www_or_slashes_only() {
        let url = |text: &str| Url::parse(text).unwrap();
        let from = url("http://example.com/mcp");
        for to in [
            "https://example.com/mcp",
            "http://example.com/mcp/",
            "https://www.example.com/mcp",
            "http://example.com:8080/mcp",
        ] {
            assert!(is_another_spelling(&from, &url(to)), "{to}");
        }
        for to in [
            "http://example.com/mcp",
            "http://example.com/login",
            "https://login.example.com/mcp",
            "http://example.com/mcp?next=1",
        ] {
            assert!(!is_another_spelling(&from, &url(to)), "{to}");
        }
    }
}
