//! Protected resource metadata ([RFC 9728](https://www.rfc-editor.org/rfc/rfc9728)): is it there, and is it about this server?

use serde_json::Value;
use url::Url;

use super::{
    Client, Kind, Severity, Stage,
    challenge::{Challenged, has_no_router},
    examination::{Examination, is_told},
};
use crate::{
    discover::{ResourcePlace, resource_places},
    http::{Answer, HttpFault},
};

const THE_DOCUMENT: &str = "the protected resource metadata";

pub(super) const NOT_FOUND: Kind = Kind {
    id: "resource-metadata-not-found",
    severity: Severity::Fault,
    stage: Stage::Resource,
    what: "There is no protected resource metadata where it should be, so clients do not learn who issues tokens.",
    remedy: "Serve it where the challenge says, without a token. Behind a proxy, a router for \
             `/.well-known/oauth-protected-resource` has to outrank the one of the MCP server and must not ask for a token.",
};

pub(super) const UNREACHABLE: Kind = Kind {
    id: "resource-metadata-unreachable",
    severity: Severity::Fault,
    stage: Stage::Resource,
    what: "The challenge names an address for the protected resource metadata where nobody answers.",
    remedy: "Name an address that the whole internet can reach. An internal name or port there comes from a server that does \
             not know its public address.",
};

pub(super) const HTML: Kind = Kind {
    id: "html-instead-of-json",
    severity: Severity::Fault,
    stage: Stage::Resource,
    what: "A metadata address answers with a web page and status 200: clients try to read it as JSON, and give up.",
    remedy: "Lead the `/.well-known/` paths to the server that has the document. Where a web application answers every path \
             with its start page, except them.",
};

pub(super) const MALFORMED: Kind = Kind {
    id: "malformed-metadata",
    severity: Severity::Fault,
    stage: Stage::Resource,
    what: "A metadata document cannot be read.",
    remedy: "Serve a JSON object whose members have the types of RFC 9728 and RFC 8414.",
};

pub(super) const CONTENT_TYPE: Kind = Kind {
    id: "wrong-content-type",
    severity: Severity::Fault,
    stage: Stage::Resource,
    what: "A metadata document is JSON, and does not say so.",
    remedy: "Serve it with `Content-Type: application/json`. Static files without an extension need it set by hand.",
};

pub(super) const NO_RESOURCE: Kind = Kind {
    id: "no-resource",
    severity: Severity::Fault,
    stage: Stage::Resource,
    what: "The protected resource metadata has no `resource`.",
    remedy: "Add `resource` with the address of the MCP server, as users type it.",
};

pub(super) const MISMATCH: Kind = Kind {
    id: "resource-mismatch",
    severity: Severity::Fault,
    stage: Stage::Resource,
    what: "The protected resource metadata is about another address than the one that was asked.",
    remedy: "Let `resource` be the address of the MCP server as users type it, byte for byte, path and slash included; or \
             give users the address that it names.",
};

pub(super) const DIFFERENT: Kind = Kind {
    id: "different-metadata",
    severity: Severity::Fault,
    stage: Stage::Resource,
    what: "The protected resource metadata names another authorization server at another place: clients that begin there are led \
           elsewhere.",
    remedy: "Serve one document at all places, and let the challenge name one of them.",
};

pub(super) const NO_SERVERS: Kind = Kind {
    id: "no-authorization-servers",
    severity: Severity::Fault,
    stage: Stage::Resource,
    what: "The protected resource metadata does not say who issues tokens.",
    remedy: "Add `authorization_servers` with the issuer of the authorization server.",
};

pub(super) const NOT_WELL_KNOWN: Kind = Kind {
    id: "not-at-well-known",
    severity: Severity::Hint,
    stage: Stage::Resource,
    what: "The protected resource metadata is only where the challenge says, and at no well-known address.",
    remedy: "Serve it at `/.well-known/oauth-protected-resource` followed by the server's path too: some clients begin there.",
};

pub(super) const OFFLINE_ACCESS: Kind = Kind {
    id: "offline-access",
    severity: Severity::Hint,
    stage: Stage::Resource,
    what: "`offline_access` is named as a scope of the MCP server; it belongs to the authorization server alone.",
    remedy: "Take it out of the challenge and of the resource's `scopes_supported`; list it in those of the authorization \
             server.",
};

pub(super) const KINDS: &[&Kind] = &[
    &NOT_FOUND,
    &UNREACHABLE,
    &HTML,
    &MALFORMED,
    &CONTENT_TYPE,
    &NO_RESOURCE,
    &MISMATCH,
    &DIFFERENT,
    &NO_SERVERS,
    &NOT_WELL_KNOWN,
    &OFFLINE_ACCESS,
];

/// What became known of the resource.
pub(super) struct Resource {
    /// The issuer that its metadata names first; `None` without metadata.
    pub(super) issuer: Option<String>,
    /// Where its metadata is.
    pub(super) url: Option<Url>,
}

/// What there is at an address.
enum Place {
    Document(Value),
    /// Something that cannot be used, and is a finding.
    Faulty,
    Absent(String),
}

/// Reads the metadata. `None` if there is no sign that the server has anything to do with OAuth.
pub(super) async fn check(examination: &mut Examination<'_>, challenged: &Challenged) -> Option<Resource> {
    let mut found: Vec<(Url, Value)> = Vec::new();
    let (mut is_faulty, mut is_well_known) = (false, false);
    let mut absences = Vec::new();
    for (place, url) in challenged.places(&examination.server.clone()) {
        // the root of a host may be about something else, once there is a document
        if !found.is_empty() && place == ResourcePlace::Root && is_well_known {
            break;
        }
        let is_named = place == ResourcePlace::Challenge;
        let asked = examination.read((Stage::Resource, THE_DOCUMENT), &url).await;
        if !challenged.is_401 && asked.as_ref().map_or(true, |answer| !is_document(answer)) {
            continue;
        }
        let stops = whom(is_named && !is_well_known_path(&url), !found.is_empty());
        match judge(examination, (&url, is_named), asked, &stops) {
            Place::Document(document) => {
                is_well_known |= !is_named || is_well_known_path(&url);
                found.push((url, document));
            }
            Place::Faulty => (is_faulty, is_well_known) = (true, true),
            Place::Absent(seen) => absences.push((is_named, seen)),
        }
    }
    judge_absence(
        examination,
        challenged,
        (absences, !found.is_empty() || is_faulty),
    );
    let Some((url, _)) = found.first().cloned() else {
        return challenged.is_401.then_some(Resource {
            issuer: None,
            url: None,
        });
    };
    if !is_well_known {
        let seen = format!("it is at {url} only");
        examination.find(&NOT_WELL_KNOWN, seen, []);
    }
    let issuer = judge_documents(examination, challenged, &found);
    Some(Resource {
        issuer,
        url: Some(url),
    })
}

fn is_document(answer: &Answer) -> bool {
    answer.status.as_u16() == 200 && answer.json::<Value>().is_ok_and(|value| value.is_object())
}

/// Whom a document stops that cannot be used: `only_named` if it lies where nobody looks who does not follow the challenge.
fn whom(only_named: bool, has_other: bool) -> Vec<Client> {
    let begins = |client: &Client| !has_other || client.begins_at_path();
    let follows = |client: &Client| !only_named || !client.begins_at_path();
    Client::modern().filter(begins).filter(follows).collect()
}

fn is_well_known_path(url: &Url) -> bool {
    url.path().starts_with("/.well-known/oauth-protected-resource")
}

fn judge(
    examination: &mut Examination<'_>,
    (url, is_named): (&Url, bool),
    asked: Result<Answer, HttpFault>,
    stops: &[Client],
) -> Place {
    let answer = match asked {
        Ok(answer) => answer,
        Err(fault) if is_told(&fault) => return Place::Faulty,
        Err(fault) if is_named => {
            let seen = format!("{url}: {fault}");
            examination.find(&UNREACHABLE, seen, stops.iter().copied());
            return Place::Faulty;
        }
        Err(fault) => return Place::Absent(format!("{url}: {fault}")),
    };
    read(examination, (url, THE_DOCUMENT), &answer, stops).map_or_else(|place| place, Place::Document)
}

/// What a metadata document says.
fn read(
    examination: &mut Examination<'_>,
    (url, what): (&Url, &str),
    answer: &Answer,
    stops: &[Client],
) -> Result<Value, Place> {
    if answer.status.as_u16() != 200 {
        return Err(Place::Absent(absence(url, answer)));
    }
    document(examination, (url, what), answer, stops).ok_or(Place::Faulty)
}

/// Why there is no document.
pub(super) fn absence(url: &Url, answer: &Answer) -> String {
    let router = if has_no_router(answer) {
        ", as Traefik does where no router leads"
    } else {
        ""
    };
    format!("{url} answers with status {}{router}", answer.status.as_u16())
}

/// The document of an answer with status 200; `None` if it is none, and that is found.
pub(super) fn document(
    examination: &mut Examination<'_>,
    (url, what): (&Url, &str),
    answer: &Answer,
    stops: &[Client],
) -> Option<Value> {
    let kind = answer.media_type();
    let parsed = answer.json::<Value>();
    let is_page = kind.as_deref() == Some("text/html") || answer.body.trim_ascii_start().starts_with(b"<");
    match parsed {
        Ok(document @ Value::Object(_)) => {
            if !answer.is_json() {
                let kind = kind.unwrap_or_else(|| "no Content-Type".to_owned());
                let seen = format!("{what} at {url} comes with {kind}");
                examination.find(&CONTENT_TYPE, seen, []);
            }
            Some(document)
        }
        Ok(_) => {
            let seen = format!("{what} at {url} is JSON, but no object");
            examination.find(&MALFORMED, seen, stops.iter().copied());
            None
        }
        Err(_) if is_page => {
            let seen = format!("{what} at {url} is a web page");
            examination.find(&HTML, seen, stops.iter().copied());
            None
        }
        Err(error) => {
            let seen = format!("{what} at {url} is not JSON: {error}");
            examination.find(&MALFORMED, seen, stops.iter().copied());
            None
        }
    }
}

/// Says where there should have been a document.
fn judge_absence(
    examination: &mut Examination<'_>,
    challenged: &Challenged,
    (absences, has_other): (Vec<(bool, String)>, bool),
) {
    let is_named = challenged.named.is_some();
    if !challenged.is_401 || (has_other && !is_named) {
        return;
    }
    for (_, seen) in absences.into_iter().filter(|(named, _)| *named || !is_named) {
        let stops = whom(has_other, false);
        examination.find(&NOT_FOUND, seen, stops);
    }
}

/// Judges each document for those who read it, and answers the issuer that the first one names first.
fn judge_documents(
    examination: &mut Examination<'_>,
    challenged: &Challenged,
    found: &[(Url, Value)],
) -> Option<String> {
    // who begins at the server's path reads that, whatever the challenge names
    let own = resource_places(&examination.server)
        .into_iter()
        .map(|(_, url)| url);
    let mut begun = own.filter_map(|url| found.iter().position(|(at, _)| *at == url));
    let begun = begun.next().unwrap_or_default();
    let mut issuers: Vec<Option<String>> = Vec::new();
    for (index, document) in found.iter().enumerate() {
        let reads = |client: &Client| index == if client.begins_at_path() { begun } else { 0 };
        let readers: Vec<_> = Client::modern().filter(reads).collect();
        let issuer = judge_document(examination, challenged, (&document.0, &document.1), &readers);
        if let Some(first) = issuers.first()
            && issuer.is_some()
            && issuer != *first
        {
            let seen = format!(
                "{} names \"{}\", and {} names \"{}\"",
                found[0].0,
                first.as_deref().unwrap_or_default(),
                document.0,
                issuer.as_deref().unwrap_or_default()
            );
            examination.find(&DIFFERENT, seen, readers);
        }
        issuers.push(issuer);
    }
    issuers.into_iter().next().flatten()
}

/// The issuer that a document names first.
fn judge_document(
    examination: &mut Examination<'_>,
    challenged: &Challenged,
    (url, document): (&Url, &Value),
    readers: &[Client],
) -> Option<String> {
    if let Some(resource) = document["resource"].as_str() {
        judge_resource(examination, (url, resource), readers);
    } else {
        let seen = format!("{THE_DOCUMENT} at {url}");
        examination.find(&NO_RESOURCE, seen, readers.iter().copied());
    }
    let scopes = document["scopes_supported"].as_array().into_iter().flatten();
    let challenge = challenged.challenge.as_ref();
    let asked = challenge.and_then(|one| one.scope()).unwrap_or_default();
    let offline = "offline_access";
    if asked.split(' ').any(|scope| scope == offline) {
        examination.find(&OFFLINE_ACCESS, "the challenge asks for it".to_owned(), []);
    }
    if scopes.into_iter().any(|scope| scope == offline) {
        let seen = format!("{THE_DOCUMENT} at {url} lists it");
        examination.find(&OFFLINE_ACCESS, seen, []);
    }
    let servers = document["authorization_servers"].as_array();
    let first = servers.and_then(|servers| servers.first()?.as_str());
    if first.is_none() {
        let seen = format!("{THE_DOCUMENT} at {url}");
        examination.find(&NO_SERVERS, seen, readers.iter().copied());
    }
    if let Some(many) = servers.map(Vec::len).filter(|many| *many > 1) {
        examination.note_once(&format!(
            "The resource names {many} authorization servers; the first was examined, since some clients know no other."
        ));
    }
    first.map(str::to_owned)
}

/// Whether the document is about this server ([RFC 9728
/// §3.3](https://www.rfc-editor.org/rfc/rfc9728#section-3.3)).
fn judge_resource(examination: &mut Examination<'_>, (url, resource): (&Url, &str), readers: &[Client]) {
    let server = &examination.server;
    let is_origin = server.path() == "/" && server.query().is_none();
    let is_same =
        resource == server.as_str() || (is_origin && resource == server.as_str().trim_end_matches('/'));
    if is_same {
        return;
    }
    let seen = format!("the server is {server}, and \"resource\" at {url} is \"{resource}\"");
    let is_above = Url::parse(resource).is_ok_and(|resource| is_above(&resource, server));
    let stops = readers
        .iter()
        .filter(|client| !is_above || client.compares_resource());
    examination.find(&MISMATCH, seen, stops.copied().collect::<Vec<_>>());
}

/// Whether `resource` is the same place as `server` but for a slash, or lies above it: many clients put up with that.
fn is_above(resource: &Url, server: &Url) -> bool {
    let above = resource.path().trim_end_matches('/');
    let rest = server.path().strip_prefix(above);
    resource.origin() == server.origin() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
