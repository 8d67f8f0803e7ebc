//! What is refused, and how, where the server stands alone: with a guard that knows two tokens.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE},
    },
    web::{self, ServiceConfig},
};
use futures_util::future::{LocalBoxFuture, ready};
use mcp_gateway_model::scope::ScopeSet;
use mcp_gateway_sandbox::mcp::{Caller, Guard, Options, Protection, Refusal};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::{
    sample::{Sample, problem},
    session::{Session, result},
};

const METADATA: &str = "http://sample.test/.well-known/oauth-protected-resource/mcp";

/// Knows `reader` and `writer`, who are one user, and another.
#[derive(Debug)]
struct Known;

fn refusal(status: StatusCode, detail: &str, challenge: &str) -> Refusal {
    Refusal::new(status, detail).with(WWW_AUTHENTICATE, HeaderValue::from_str(challenge).unwrap())
}

impl Guard for Known {
    fn caller<'r>(&'r self, request: &'r HttpRequest) -> LocalBoxFuture<'r, Result<Option<Caller>, Refusal>> {
        let token = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let caller = |scopes| Caller {
            user: "583231".into(),
            name: None,
            client: None,
            scopes: ScopeSet::parse(scopes).unwrap(),
        };
        Box::pin(ready(match token {
            None => Ok(None),
            Some(b"Bearer reader") => Ok(Some(caller("read"))),
            Some(b"Bearer writer") => Ok(Some(caller("write"))),
            Some(b"Bearer another's") => Ok(Some(Caller {
                user: "480938".into(),
                ..caller("write")
            })),
            Some(_) => Err(refusal(
                StatusCode::UNAUTHORIZED,
                "this token is none of ours",
                "Bearer error=\"invalid_token\"",
            )),
        }))
    }

    fn unauthenticated(&self, _: &HttpRequest, scopes: &[&str]) -> Refusal {
        let challenge = format!("Bearer scope=\"{}\"", scopes.join(" "));
        refusal(StatusCode::UNAUTHORIZED, "this needs a token", &challenge)
    }

    fn insufficient(&self, _: &HttpRequest, scopes: &[&str]) -> Refusal {
        let challenge = format!(
            "Bearer error=\"insufficient_scope\", scope=\"{}\"",
            scopes.join(" ")
        );
        refusal(StatusCode::FORBIDDEN, "this needs more", &challenge).naming(scopes)
    }

    fn resource_metadata(&self) -> Option<String> {
        Some(METADATA.to_owned())
    }

    fn configure(&self, routes: &mut ServiceConfig) {
        routes.route("/.well-known/it", web::get().to(HttpResponse::NoContent));
    }
}

fn alone() -> Options {
    Options {
        protection: Protection::Alone(Arc::new(Known)),
        ..Options::default()
    }
}

/// The challenge of an answer that is a problem with this status.
async fn challenged(request: RequestBuilder, status: u16) -> String {
    let answer = request.send().await.unwrap();
    let challenge = answer.headers().get("www-authenticate");
    let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
    problem(answer, status).await;
    challenge.unwrap()
}

#[tokio::test]
async fn whoever_has_no_token_learns_what_there_is_and_how_to_log_in() {
    let mut session = Session::closed(alone(), "2025-11-25");
    session.greet().await;
    let listed = result(session.call("tools/list", &json!({})).send().await.unwrap()).await;
    assert!(listed["tools"].is_array());
    let told = session
        .tool("oauth_authenticate", &json!({}))
        .send()
        .await
        .unwrap();
    let told = result(told).await["structuredContent"].clone();
    assert_eq!(
        (&told["authenticated"], &told["resource_metadata"]),
        (&json!(false), &json!(METADATA))
    );
    assert!(told["message"].as_str().unwrap().contains(METADATA), "{told}");

    let sample = Sample::with(alone());
    for (path, body) in [
        (
            "/mcp/v1/initialize",
            json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "a", "version": "1" } }),
        ),
        ("/mcp/v1/tools/list", json!({})),
        ("/mcp/v1/tools/call", json!({ "name": "oauth_authenticate" })),
    ] {
        let answer = sample.ask(Method::POST, path).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let more = sample.ask(Method::GET, "/.well-known/it").send().await.unwrap();
    assert_eq!(more.status(), 204, "the guard mounts what else it has");
}

#[tokio::test]
async fn everything_else_needs_a_token_and_the_challenge_names_the_scopes() {
    let mut session = Session::closed(alone(), "2025-11-25");
    session.greet().await;
    for (tool, scopes) in [
        ("echo", ""),
        ("get_data", "read"),
        ("create_data", "write"),
        ("nowhere", ""),
    ] {
        let challenge = challenged(session.tool(tool, &json!({})), 401).await;
        assert_eq!(challenge, format!("Bearer scope=\"{scopes}\""), "{tool}");
    }
    challenged(session.call("resources/list", &json!({})), 401).await;

    let sample = Sample::with(alone());
    let call = json!({ "name": "create_data", "arguments": { "name": "a", "value": 1 } });
    let plain = sample.ask(Method::POST, "/mcp/v1/tools/call").json(&call);
    assert_eq!(challenged(plain, 401).await, "Bearer scope=\"write\"");
    let rest = sample
        .ask(Method::POST, "/api/data")
        .json(&json!({ "name": "a", "value": 1 }));
    assert_eq!(challenged(rest, 401).await, "Bearer scope=\"write\"");
    let forged = sample
        .ask(Method::GET, "/api/data")
        .header("x-user-id", "1")
        .header("x-auth-scope", "read");
    assert_eq!(challenged(forged, 401).await, "Bearer scope=\"read\"");
}

#[tokio::test]
async fn a_token_opens_what_its_scopes_allow_and_the_challenge_names_what_is_missing() {
    let mut session = Session::closed(alone(), "2025-11-25");
    session.greet().await;
    let create = json!({ "name": "a", "value": 1 });
    let challenge = challenged(session.tool("create_data", &create).bearer_auth("reader"), 403).await;
    assert_eq!(challenge, "Bearer error=\"insufficient_scope\", scope=\"write\"");
    let made = session
        .tool("create_data", &create)
        .bearer_auth("writer")
        .send()
        .await
        .unwrap();
    assert_eq!(result(made).await["isError"], false);
    let listed = session
        .tool("get_data", &json!({}))
        .bearer_auth("reader")
        .send()
        .await
        .unwrap();
    assert_eq!(result(listed).await["structuredContent"]["items"][0]["name"], "a");

    let sample = Sample::with(alone());
    let data = |method| sample.ask(method, "/api/data").json(&create);
    let challenge = challenged(data(Method::POST).bearer_auth("reader"), 403).await;
    assert_eq!(challenge, "Bearer error=\"insufficient_scope\", scope=\"write\"");
    assert_eq!(
        data(Method::POST)
            .bearer_auth("writer")
            .send()
            .await
            .unwrap()
            .status(),
        201
    );
    assert_eq!(
        data(Method::GET)
            .bearer_auth("reader")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_even_where_none_is_needed() {
    let sample = Sample::with(alone());
    for (method, path) in [
        (Method::POST, "/mcp"),
        (Method::POST, "/mcp/v1/tools/list"),
        (Method::GET, "/mcp/v1/sse"),
        (Method::GET, "/api/data"),
    ] {
        let request = sample.ask(method, path).bearer_auth("other");
        assert_eq!(
            challenged(request, 401).await,
            "Bearer error=\"invalid_token\"",
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_batch_needs_what_all_its_messages_need() {
    let sample = Sample::with(alone());
    let call =
        |id, tool| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool } });
    let send = |messages: Value| -> RequestBuilder { sample.ask(Method::POST, "/mcp").json(&messages) };
    let both = challenged(send(json!([call(1, "get_data"), call(2, "create_data")])), 401).await;
    assert_eq!(both, "Bearer scope=\"read write\"");
    let answer: Response = send(json!([call(1, "oauth_authenticate")])).send().await.unwrap();
    assert_ne!(answer.status(), 401);
}

#[tokio::test]
async fn a_session_that_began_without_a_token_is_the_first_one_s_who_speaks_in_it_with_one() {
    let mut session = Session::closed(alone(), "2025-11-25");
    session.greet().await;
    let mine = session.tool("get_data", &json!({})).bearer_auth("writer");
    assert_eq!(mine.send().await.unwrap().status(), 200);
    let at = |method: Method| {
        let request = session.client.request(method, session.running.mcp_url());
        request
            .header("Accept", "application/json, text/event-stream")
            .header("Mcp-Session-Id", session.id.as_ref().unwrap())
    };
    for token in [None, Some("another's")] {
        let listed = session.call("tools/list", &json!({}));
        for request in [at(Method::GET), at(Method::DELETE), listed] {
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            problem(request.send().await.unwrap(), 404).await;
        }
    }
    let ended = at(Method::DELETE).bearer_auth("reader").send().await.unwrap();
    assert!(ended.status().is_success(), "its user ends it: {ended:?}");
}

#[tokio::test]
async fn a_token_is_not_told_to_the_model() {
    let mut session = Session::closed(alone(), "2025-11-25");
    session.greet().await;
    let shown = session.tool("headers", &json!({})).bearer_auth("reader");
    let shown = shown.header("Cookie", "a=hunter2").send().await.unwrap();
    let shown = result(shown).await;
    for name in ["authorization", "cookie"] {
        assert_eq!(shown["structuredContent"][name], "[not shown]", "{shown}");
    }
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
    assert!(!shown.to_string().contains("reader"), "{shown}");
}
