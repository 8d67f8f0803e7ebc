//! Asks the MCP server without a token.

use reqwest::{
    Method,
    header::{self, HeaderValue},
};
use serde_json::json;
use url::Url;

use super::{Challenge, Question, Trail, Verdict};
use crate::http::{Http, HttpFault};

/// The revision of MCP that is spoken when nothing else was agreed.
pub(super) const REVISION: &str = "2025-11-25";

/// Asks `server` for something without a token, as a client does first, and answers the challenge of its 401. `None` when it
/// answers with anything else, or its 401 has no challenge.
///
/// # Errors
/// [`HttpFault`] when nobody answers.
pub async fn probe(http: &Http, server: &Url, trail: &mut Trail) -> Result<Option<Challenge>, HttpFault> {
    let body = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": REVISION,
            "capabilities": {},
            "clientInfo": {"name": "mcp-oauth", "version": env!("CARGO_PKG_VERSION")},
        },
    });
    let request = http
        .request(Method::POST, server.clone())
        .header(
            header::ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        )
        .json(&body)
        .build();
    let called = match request {
        Ok(request) => http.head(request).await,
        Err(_) => Err(HttpFault::Broken("the request cannot be written".to_owned())),
    };
    match called {
        Ok(answer) if answer.status.as_u16() == 401 => {
            let challenge = Challenge::for_token(&answer.headers);
            let verdict = match challenge {
                Some(_) => Verdict::Used,
                None => Verdict::Lacks("WWW-Authenticate"),
            };
            trail.note(Question::Challenge, server, Some(answer), verdict);
            Ok(challenge)
        }
        Ok(answer) => {
            let verdict = Verdict::Status(answer.status.as_u16());
            trail.note(Question::Challenge, server, Some(answer), verdict);
            Ok(None)
        }
        Err(fault) => {
            trail.note(
                Question::Challenge,
                server,
                None,
                Verdict::Unanswered(fault.clone()),
            );
            Err(fault)
        }
    }
}
