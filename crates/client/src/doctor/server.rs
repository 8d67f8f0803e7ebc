//! Authorization server metadata ([RFC 8414](https://www.rfc-editor.org/rfc/rfc8414), OpenID Connect Discovery).

use serde_json::Value;
use url::Url;

use super::{
    Client, Kind, Severity, Stage,
    address::judge_address,
    examination::{Examination, is_told},
    resource::{MALFORMED, absence, document},
};
use crate::{
    discover::{ServerMetadata, ServerPlace, server_places},
    http::{Answer, HttpFault},
};

const THE_DOCUMENT: &str = "the authorization server's metadata";

pub(super) const BAD_ISSUER: Kind = Kind {
    id: "bad-issuer",
    severity: Severity::Fault,
    stage: Stage::Server,
    what: "What the resource's metadata names as its authorization server is no issuer.",
    remedy: "Write the issuer there: a whole address without a query or a fragment, not that of its metadata document.",
};

pub(super) const UNREACHABLE: Kind = Kind {
    id: "authorization-server-unreachable",
    severity: Severity::Fault,
    stage: Stage::Server,
    what: "Nobody answers at the authorization server.",
    remedy: "Name an issuer that the whole internet can reach: an internal name or port comes from a server that does not \
             know its public address.",
};

pub(super) const NOT_FOUND: Kind = Kind {
    id: "server-metadata-not-found",
    severity: Severity::Fault,
    stage: Stage::Server,
    what: "The authorization server has no metadata at any of its well-known addresses.",
    remedy: "Serve it at `/.well-known/oauth-authorization-server`, followed by the issuer's path if it has one, without a \
             token.",
};

pub(super) const ISSUER_SLASH: Kind = Kind {
    id: "issuer-slash",
    severity: Severity::Fault,
    stage: Stage::Server,
    what: "The issuer is written with a slash at the end in one document and without it in the other; they are compared byte \
           for byte.",
    remedy: "Write the issuer in the resource's `authorization_servers` exactly as the authorization server writes it in \
             `issuer`.",
};

pub(super) const ISSUER_MISMATCH: Kind = Kind {
    id: "issuer-mismatch",
    severity: Severity::Fault,
    stage: Stage::Server,
    what: "The authorization server's metadata names another issuer than the one that was asked, so it must not be used.",
    remedy: "One issuer everywhere, byte for byte: in the resource's `authorization_servers`, in the metadata, in tokens. \
             Configure it instead of building it from the request.",
};

pub(super) const MISSING_MEMBER: Kind = Kind {
    id: "missing-endpoint",
    severity: Severity::Fault,
    stage: Stage::Server,
    what: "The authorization server's metadata lacks a member that clients need.",
    remedy: "Add `authorization_endpoint` and `token_endpoint` with whole addresses.",
};

pub(super) const NO_S256: Kind = Kind {
    id: "no-s256",
    severity: Severity::Fault,
    stage: Stage::Server,
    what: "The authorization server does not say that it understands PKCE with S256, so clients refuse to go on.",
    remedy: "Support S256, and list it in `code_challenge_methods_supported`. Some servers support it and do not list it.",
};

pub(super) const OPENID_ONLY: Kind = Kind {
    id: "openid-only",
    severity: Severity::Hint,
    stage: Stage::Server,
    what: "The metadata is only where OpenID Connect has it: clients that know RFC 8414 alone do not find it.",
    remedy: "Serve the same document at `/.well-known/oauth-authorization-server` too.",
};

pub(super) const NO_ISS: Kind = Kind {
    id: "no-iss",
    severity: Severity::Hint,
    stage: Stage::Server,
    what: "Authorization responses do not say whose they are, so a client cannot notice that servers were mixed up.",
    remedy: "Add `iss` to every authorization response, errors too, and \
             `authorization_response_iss_parameter_supported: true` to the metadata (RFC 9207).",
};

pub(super) const NO_REFRESH: Kind = Kind {
    id: "no-refresh",
    severity: Severity::Hint,
    stage: Stage::Server,
    what: "The metadata does not list the grant type `refresh_token`: users have to log in again when a token expires.",
    remedy: "Issue refresh tokens, and list `refresh_token` in `grant_types_supported`.",
};

pub(super) const KINDS: &[&Kind] = &[
    &BAD_ISSUER,
    &UNREACHABLE,
    &NOT_FOUND,
    &ISSUER_SLASH,
    &ISSUER_MISMATCH,
    &MISSING_MEMBER,
    &NO_S256,
    &OPENID_ONLY,
    &NO_ISS,
    &NO_REFRESH,
];

/// The authorization server's metadata.
pub(super) struct Found {
    pub(super) metadata: ServerMetadata,
    /// Where it is.
    pub(super) url: Url,
    /// Whether it is where RFC 8414 has it.
    pub(super) is_oauth: bool,
}

/// Reads the metadata of the issuer that the resource names; if it names none, that of the MCP server's own origin, which is
/// what clients of revision 2025-03-26 do.
pub(super) async fn check(examination: &mut Examination<'_>, issuer: Option<&str>) -> Option<Found> {
    let is_named = issuer.is_some();
    let own = examination.server.origin().ascii_serialization();
    let issuer = issuer.unwrap_or(&own);
    let parsed = Url::parse(issuer).ok().filter(Url::has_host);
    let Some(url) = parsed.filter(|url| url.query().is_none() && url.fragment().is_none()) else {
        let seen = format!("it is \"{issuer}\"");
        examination.find(&BAD_ISSUER, seen, Client::modern());
        return None;
    };
    if is_named {
        judge_address(examination, "The authorization server", &url);
    }
    let (place, at, document) = search(examination, &url, is_named).await?;
    let is_oauth = place == ServerPlace::OAuth;
    if is_named {
        judge_issuer(examination, issuer, &document);
    }
    let (metadata, faulty) = parse(&document);
    for seen in faulty {
        examination.find(
            &MALFORMED,
            format!("{THE_DOCUMENT} at {at}: {seen}"),
            Client::modern(),
        );
    }
    let metadata = metadata?;
    if !is_oauth {
        examination.find(&OPENID_ONLY, format!("it is at {at}"), []);
    }
    judge_metadata(examination, &metadata);
    Some(Found {
        metadata,
        url: at,
        is_oauth,
    })
}

/// The first document at one of the well-known addresses.
async fn search(
    examination: &mut Examination<'_>,
    issuer: &Url,
    is_named: bool,
) -> Option<(ServerPlace, Url, Value)> {
    let (mut absences, mut unreachable) = (Vec::new(), Vec::new());
    let stops: Vec<_> = Client::modern().collect();
    for (place, url) in server_places(issuer) {
        match examination.read((Stage::Server, THE_DOCUMENT), &url).await {
            Ok(answer) if answer.status.as_u16() == 200 => {
                if !is_named && !answer.is_json() {
                    continue;
                }
                let found = document(examination, (&url, THE_DOCUMENT), &answer, &stops);
                return found.map(|found| (place, url, found));
            }
            Ok(answer) => absences.push(absence(&url, &answer)),
            Err(fault) => unreachable.push((url, fault)),
        }
    }
    if !is_named {
        return None;
    }
    if unreachable.iter().any(|(_, fault)| is_told(fault)) {
        return None;
    }
    if let Some((url, fault)) = unreachable.pop() {
        let seen = format!("{url}: {fault}");
        examination.find(&UNREACHABLE, seen, stops);
        return None;
    }
    for seen in absences {
        examination.find(&NOT_FOUND, seen, stops.iter().copied());
    }
    None
}

fn judge_issuer(examination: &mut Examination<'_>, issuer: &str, document: &Value) {
    let Some(said) = document["issuer"].as_str() else {
        return;
    };
    if said == issuer {
        return;
    }
    let seen = format!("the resource's metadata says \"{issuer}\", the authorization server says \"{said}\"");
    let is_slash = said.trim_end_matches('/') == issuer.trim_end_matches('/');
    let kind = if is_slash { &ISSUER_SLASH } else { &ISSUER_MISMATCH };
    examination.find(kind, seen, Client::modern());
}

/// The metadata as far as it can be read, and what cannot.
fn parse(document: &Value) -> (Option<ServerMetadata>, Vec<String>) {
    match serde_json::from_value(document.clone()) {
        Ok(metadata) => (Some(metadata), Vec::new()),
        Err(error) => (None, vec![error.to_string()]),
    }
}

fn judge_metadata(examination: &mut Examination<'_>, metadata: &ServerMetadata) {
    let endpoints = [
        ("authorization_endpoint", &metadata.authorization_endpoint, true),
        ("token_endpoint", &metadata.token_endpoint, true),
        ("registration_endpoint", &metadata.registration_endpoint, false),
        ("revocation_endpoint", &metadata.revocation_endpoint, false),
    ];
    for (member, url, is_needed) in endpoints {
        match url {
            Some(url) => judge_address(examination, &format!("`{member}`"), url),
            None if is_needed => {
                examination.find(&MISSING_MEMBER, format!("there is no `{member}`"), Client::ALL);
            }
            None => {}
        }
    }
    if !metadata.has_s256() {
        let seen = metadata.code_challenge_methods_supported.as_ref().map_or_else(
            || "`code_challenge_methods_supported` is not there".to_owned(),
            |listed| format!("`code_challenge_methods_supported` lists: {}", listed.join(", ")),
        );
        examination.find(&NO_S256, seen, Client::modern());
    }
    if !metadata.authorization_response_iss_parameter_supported {
        let seen = "`authorization_response_iss_parameter_supported` is not true".to_owned();
        examination.find(&NO_ISS, seen, []);
    }
    if metadata.grant_types_supported.is_some() && !metadata.has_grant_type("refresh_token") {
        let seen = "`grant_types_supported` does not list it".to_owned();
        examination.find(&NO_REFRESH, seen, []);
    }
}

/// The answer's document has status 200 and is read; used where another subject reads the metadata elsewhere.
pub(super) fn is_metadata(asked: &Result<Answer, HttpFault>) -> bool {
    asked.as_ref().is_ok_and(|answer| {
        let document = answer.json::<Value>().unwrap_or_default();
        answer.status.as_u16() == 200 && document["token_endpoint"].is_string()
    })
}
