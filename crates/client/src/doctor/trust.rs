//! What strangers could make the server say: addresses that are built from headers which anybody can send.

use reqwest::Method;

use super::{
    Kind, Severity, Stage,
    address::first_request,
    challenge::Challenged,
    examination::{Examination, Question},
};
use crate::http::Answer;

/// A host that nobody has.
const FORGED: &str = "forged.invalid";
/// A path that nobody has.
const PREFIX: &str = "/forged-by-a-client";

pub(super) const FORGED_HOST: Kind = Kind {
    id: "forged-host",
    severity: Severity::Fault,
    stage: Stage::Trust,
    what: "`X-Forwarded-Host` or `X-Forwarded-Prefix` of a client ends up in the addresses that the server gives out: clients \
           can be led elsewhere.",
    remedy: "Build every address from configuration. Let the proxy in front replace the `X-Forwarded-` headers of clients, and \
             the server believe them from that proxy only.",
};

pub(super) const HEADER_ALIAS: Kind = Kind {
    id: "old-traefik",
    severity: Severity::Fault,
    stage: Stage::Trust,
    what: "The proxy in front replaces `X-Forwarded-Host`, and lets `X_Forwarded_Host` of a client through to a server that \
           takes it for the same: Traefik before 3.6.14 does, and other old proxies.",
    remedy: "Use Traefik 3.6.14 or newer (2.11.43 for version 2), and build every address from configuration.",
};

pub(super) const KINDS: &[&Kind] = &[&FORGED_HOST, &HEADER_ALIAS];

/// Sends headers that only a proxy may send.
pub(super) async fn check(examination: &mut Examination<'_>, challenged: &Challenged) {
    let plain: &[(&str, &str)] = &[("x-forwarded-host", FORGED), ("x-forwarded-prefix", PREFIX)];
    let alias: &[(&str, &str)] = &[("x_forwarded_host", FORGED)];
    for (kind, headers) in [(&FORGED_HOST, plain), (&HEADER_ALIAS, alias)] {
        if !examination.has(&FORGED_HOST) {
            forge(examination, challenged, (kind, headers)).await;
        }
    }
}

async fn forge(
    examination: &mut Examination<'_>,
    challenged: &Challenged,
    (kind, headers): (&'static Kind, &[(&str, &str)]),
) {
    let purpose = "the first request, with headers that only a proxy may send";
    let asked = first_request(examination, (Stage::Trust, purpose), headers);
    if let Ok(answer) = asked.await
        && believes(&answer)
    {
        let seen = format!("POST {} repeats the forged value", examination.server);
        examination.find(kind, seen, []);
    }
    let places = challenged.places(&examination.server);
    let Some((_, url)) = places.first() else {
        return;
    };
    let question = Question::new(
        Stage::Trust,
        "a document, with headers that only a proxy may send",
        Method::GET,
        url,
    )
    .with(&[("accept", "application/json")])
    .with(headers);
    if let Ok(answer) = examination.ask(question).await
        && believes(&answer)
    {
        examination.find(kind, format!("GET {url} repeats the forged value"), []);
    }
}

/// Whether an answer gives out what was forged.
fn believes(answer: &Answer) -> bool {
    let is_there = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.contains(FORGED) || text.contains(PREFIX)
    };
    // an error may repeat what it refuses
    let is_given_out = matches!(answer.status.as_u16(), 200..=399 | 401);
    is_given_out
        && (answer.headers.values().any(|value| is_there(value.as_bytes())) || is_there(&answer.body))
}
