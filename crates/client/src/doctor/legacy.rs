//! Clients of revision 2025-03-26: they know no protected resource metadata, and ask the MCP server itself who issues tokens.

use reqwest::Method;

use super::{
    Client, Kind, Severity, Stage,
    challenge::Challenged,
    examination::{Examination, Question},
    server::{Found, is_metadata},
};
use crate::discover::server_places;

pub(super) const NO_LEGACY_METADATA: Kind = Kind {
    id: "no-metadata-for-2025-03-26",
    severity: Severity::Hint,
    stage: Stage::Server,
    what: "Clients of revision 2025-03-26 look for the authorization server's metadata at the MCP server's host, and find \
           nothing there.",
    remedy: "If such clients matter, answer `/.well-known/oauth-authorization-server` on the MCP server's host with the \
             authorization server's metadata.",
};

pub(super) const KINDS: &[&Kind] = &[&NO_LEGACY_METADATA];

/// Looks where clients of revision 2025-03-26 look.
pub(super) async fn check(examination: &mut Examination<'_>, challenged: &Challenged, found: Option<&Found>) {
    if !challenged.is_401 {
        return;
    }
    let server = examination.server.clone();
    let mut origin = server.clone();
    origin.set_path("/");
    origin.set_query(None);
    let places = [&origin, &server].map(|issuer| server_places(issuer).swap_remove(0).1);
    let mut asked = Vec::new();
    for url in &places {
        if found.is_some_and(|found| found.url == *url) {
            return;
        }
        if asked.contains(url) {
            continue;
        }
        let purpose = "the authorization server's metadata, at the MCP server's host";
        let answer = examination.read((Stage::Server, purpose), url).await;
        if is_metadata(&answer) {
            return;
        }
        asked.push(url.clone());
    }
    // without any, they make the address up
    let mut authorize = origin;
    authorize.set_path("/authorize");
    let question = Question::new(
        Stage::Server,
        "the authorization endpoint that clients of revision 2025-03-26 make up",
        Method::GET,
        &authorize,
    );
    let is_there = examination
        .ask_head(question)
        .await
        .is_ok_and(|answer| matches!(answer.status.as_u16(), 200..=400));
    if !is_there && !examination.is_over {
        let seen = format!("there is none at {}", places[0]);
        examination.find(&NO_LEGACY_METADATA, seen, [Client::Legacy]);
    }
}
