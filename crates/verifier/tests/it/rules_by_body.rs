//! Rules for tools and MCP methods: what the body says counts, and nothing else unless the operator trusts it.

use std::time::Duration;

use actix_http::{Payload, Request};
use actix_web::{http::StatusCode, web::Bytes};
use futures_util::stream;
use mcp_gateway_model::rule::{Effect, Rule};
use serde_json::json;

use crate::{
    ruled::{
        by_tool, call, governed, governed_settings, needs, paths, plain, post, refused_as_request, rule,
        tools,
    },
    stand::{ECHO, NOW, Stand, about},
};

#[actix_web::test]
async fn each_message_of_a_batch_counts() {
    let stand = by_tool();
    let batch = |tools: &[&str]| {
        format!(
            "[{}]",
            tools.iter().map(|t| call(t)).collect::<Vec<_>>().join(",")
        )
    };
    let answer = post(&stand, "read", &batch(&["echo", "create_issue"]), &[]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.challenge().contains(r#"scope="read write""#));
    let answer = post(&stand, "write", &batch(&["echo", "create_issue"]), &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    refused_as_request(&post(&stand, "admin", "[]", &[]).await, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a_body_that_servers_could_read_differently_is_refused_and_what_is_wrong_is_said() {
    let stand = by_tool();
    for (body, said) in [
        ("create_issue", "must be a JSON-RPC message"),
        ("{\"method\":\"ping\"", "one JSON value"),
        (r#"{"method":"ping","method":"tools/call"}"#, "there twice"),
        (
            r#"{"method":"tools/call","params":{"name":"echo","name":"create_issue"}}"#,
            "there twice",
        ),
        (r#"{"method":"ping","Method":"tools/call"}"#, "case of letters"),
        (
            r#"{"method":"tools/call","params":{"name":["create_issue"]}}"#,
            "params.name",
        ),
        (
            r#"{"method":"Tools/call","params":{"name":"create_issue"}}"#,
            "exactly",
        ),
        (r#"{"method":7}"#, "exactly"),
        // as endpoints take it that need no envelope: the tool would be called, and no rule would see it
        (
            r#"{"name":"create_issue","arguments":{}}"#,
            "must be a JSON-RPC message",
        ),
        ("{}", "must be a JSON-RPC message"),
    ] {
        let answer = post(&stand, "admin", body, &[]).await;
        refused_as_request(&answer, StatusCode::BAD_REQUEST);
        assert_eq!(answer.json()["error"], "invalid_request");
        let description = answer.json()["error_description"].to_string();
        assert!(description.contains(said), "{body}: {description}");
    }
    let other_case = post(&stand, "admin", &call("Create_issue"), &[]).await;
    refused_as_request(&other_case, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn what_the_content_type_says_changes_nothing() {
    let stand = by_tool();
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        let headers = [("content-type", content_type)];
        let answer = post(&stand, "read", &call("create_issue"), &headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{content_type}");
        refused_as_request(
            &post(&stand, "read", "name=create_issue", &headers).await,
            StatusCode::BAD_REQUEST,
        );
    }
}

#[actix_web::test]
async fn a_compressed_body_is_not_let_through_unread() {
    let stand = by_tool();
    for coding in ["gzip", "br", "deflate", "identity, gzip", "x"] {
        let answer = post(&stand, "admin", &call("echo"), &[("content-encoding", coding)]).await;
        refused_as_request(&answer, StatusCode::BAD_REQUEST);
    }
    let answer = post(&stand, "read", &call("echo"), &[("content-encoding", "identity")]).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_body_beyond_the_limit_is_413_and_one_within_is_read() {
    let stand = governed(vec![tools("create_*", "write")], |echo| {
        echo.policy.max_body = 2000;
    });
    let long = |length: usize| {
        let call = call("echo");
        call.clone() + &" ".repeat(length - call.len())
    };
    assert_eq!(
        post(&stand, "read", &long(2000), &[]).await.status,
        StatusCode::OK
    );
    refused_as_request(
        &post(&stand, "read", &long(2001), &[]).await,
        StatusCode::PAYLOAD_TOO_LARGE,
    );
}

#[actix_web::test]
async fn a_body_is_read_only_where_a_rule_looks_at_it() {
    let stand = governed(vec![paths("/mcp/x", needs("write"))], |_| {});
    for body in ["", "{", "[]", r#"{"method":"ping","method":"ping"}"#] {
        assert_eq!(
            post(&stand, "read", body, &[("content-encoding", "br")])
                .await
                .status,
            StatusCode::OK
        );
    }
}

#[actix_web::test]
async fn a_challenge_to_nobody_names_the_default_scopes_whatever_the_body_calls() {
    let stand = by_tool();
    for body in [&call("create_issue"), "", "{", r#"{"method":"initialize"}"#] {
        let answer = stand.ask(about(ECHO).set_payload(body.to_owned())).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{body}");
        assert!(answer.challenge().contains(r#"scope="read""#), "{body}");
    }
}

#[actix_web::test]
async fn a_post_without_a_body_is_refused_with_a_message_for_the_operator() {
    let stand = by_tool();
    let trusted = [
        ("mcp-method", "tools/call"),
        ("mcp-name", "echo"),
        ("mcp-protocol-version", "2026-07-28"),
    ];
    for headers in [&[][..], &trusted] {
        let answer = post(&stand, "admin", "", headers).await;
        refused_as_request(&answer, StatusCode::FORBIDDEN);
        assert!(answer.body.contains("operator"), "{}", answer.body);
    }
    for method in ["PUT", "PATCH", "QUERY"] {
        assert_eq!(
            plain(&stand, method, "/mcp").await.status,
            StatusCode::FORBIDDEN,
            "{method}"
        );
    }
}

#[actix_web::test]
async fn headers_that_disagree_with_the_body_are_refused_in_every_revision() {
    for trusting in [false, true] {
        let stand = governed(vec![tools("create_*", "write")], |echo| {
            echo.policy.trust_mcp_headers = trusting;
        });
        for revision in ["2025-06-18", "2026-07-28"] {
            for headers in [
                [("mcp-method", "tools/call"), ("mcp-name", "echo")],
                [("mcp-method", "ping"), ("mcp-name", "create_issue")],
                [("mcp-name", "=?base64?ZWNobw==?="), ("mcp-method", "tools/call")],
                [("mcp-name", "=?base64?%%%?="), ("mcp-method", "tools/call")],
                [("mcp-name", "create_issue"), ("mcp-name", "create_issue")],
            ] {
                let all = [headers[0], headers[1], ("mcp-protocol-version", revision)];
                let answer = post(&stand, "admin", &call("create_issue"), &all).await;
                refused_as_request(&answer, StatusCode::BAD_REQUEST);
                assert_eq!(answer.json()["error"]["code"], -32020, "{headers:?}");
            }
            let agreeing = [
                ("mcp-method", "tools/call"),
                ("mcp-name", "=?base64?Y3JlYXRlX2lzc3Vl?="),
                ("mcp-protocol-version", revision),
            ];
            let answer = post(&stand, "read", &call("create_issue"), &agreeing).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            let answer = post(&stand, "write", &call("create_issue"), &agreeing).await;
            assert_eq!(answer.status, StatusCode::OK);
        }
    }
}

#[actix_web::test]
async fn headers_count_alone_only_if_they_are_trusted_and_of_a_revision_whose_servers_check_them() {
    let stand = governed(vec![tools("create_*", "write")], |echo| {
        echo.policy.trust_mcp_headers = true;
    });
    let ask = async |method: &str, name: &str, revision: &str| {
        let headers = [
            ("mcp-method", method),
            ("mcp-name", name),
            ("mcp-protocol-version", revision),
        ];
        let given: Vec<_> = headers
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        post(&stand, "read", "", &given).await.status
    };
    assert_eq!(ask("tools/call", "echo", "2026-07-28").await, StatusCode::OK);
    assert_eq!(ask("tools/call", "echo", "2027-01-01").await, StatusCode::OK);
    assert_eq!(ask("tools/list", "", "2026-07-28").await, StatusCode::OK);
    assert_eq!(
        ask("tools/call", "create_issue", "2026-07-28").await,
        StatusCode::FORBIDDEN
    );
    let encoded = "=?base64?Y3JlYXRlX2lzc3Vl?=";
    assert_eq!(
        ask("tools/call", encoded, "2026-07-28").await,
        StatusCode::FORBIDDEN
    );
    for (method, name, revision) in [
        ("tools/call", "echo", "2025-11-25"),
        ("tools/call", "echo", ""),
        ("tools/call", "echo", "DRAFT-2026"),
        ("tools/call", "echo", "9999"),
        ("", "echo", "2026-07-28"),
    ] {
        assert_eq!(
            ask(method, name, revision).await,
            StatusCode::FORBIDDEN,
            "{method} {name} {revision}"
        );
    }
    assert_eq!(ask("tools/call", "", "2026-07-28").await, StatusCode::BAD_REQUEST);
    assert_eq!(
        ask("Tools/Call", "echo", "2026-07-28").await,
        StatusCode::BAD_REQUEST
    );
}

#[actix_web::test]
async fn a_body_in_a_character_set_that_only_the_server_would_decode_is_refused() {
    let stand = by_tool();
    let hidden = r#"{"id":1,"method":"ping","params":{"x":"+ACIAfQAsACI-method+ACIAOgAi-tools/call"}}"#;
    for content_type in [
        "application/json; charset=utf-7",
        "application/json;charset=\"UTF-7\"",
        "application/json; charset = utf-16le",
        "application/json; charset=utf-8; charset=utf-7",
        "application/json; x=\"; charset=utf-8\"; charset*=utf-7",
        "application/json, text/plain; charset=utf-7",
        "application/json; charset",
    ] {
        let answer = post(&stand, "admin", hidden, &[("content-type", content_type)]).await;
        refused_as_request(&answer, StatusCode::BAD_REQUEST);
    }
    for content_type in [
        "application/json",
        "application/json; charset=UTF-8",
        "application/json;charset=\"utf-8\"",
    ] {
        let answer = post(&stand, "read", &call("echo"), &[("content-type", content_type)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{content_type}");
    }
}

#[actix_web::test]
async fn a_connection_that_is_to_be_upgraded_is_refused_where_messages_matter() {
    let stand = by_tool();
    for header in [
        ("upgrade", "websocket"),
        ("sec-websocket-key", "x"),
        ("sec_websocket_key", "x"),
    ] {
        let answer = post(&stand, "admin", &call("echo"), &[header]).await;
        refused_as_request(&answer, StatusCode::BAD_REQUEST);
        let token = stand.token();
        let request = about(ECHO)
            .insert_header(("x-forwarded-method", "GET"))
            .insert_header(("authorization", format!("Bearer {token}")))
            .insert_header(header);
        refused_as_request(&stand.ask(request).await, StatusCode::BAD_REQUEST);
    }
}

/// A tool call that goes on with its body when `meanwhile` is over.
fn slow_call(token: &str, meanwhile: impl FnOnce() + 'static) -> Request {
    let mut request = about(ECHO)
        .insert_header(("authorization", format!("Bearer {token}")))
        .insert_header(("content-length", call("echo").len().to_string()))
        .to_request();
    let body = stream::once(async move {
        meanwhile();
        Ok(Bytes::from(call("echo")))
    });
    *request.payload() = Payload::Stream {
        payload: Box::pin(body),
    };
    request
}

/// Rules for tools without and with something public: the body is read after and before the credential is looked at.
fn both_orders() -> [Vec<Rule>; 2] {
    let public = paths("/mcp/health", rule(Effect::Public));
    let tools = || tools("create_*", "write");
    [vec![tools()], vec![public, tools()]]
}

#[actix_web::test]
async fn a_token_that_expires_while_the_body_comes_in_opens_nothing() {
    for rules in both_orders() {
        let stand = governed(rules, |_| {});
        let token = stand.token_where("exp", json!(NOW + 10));
        for (takes, status) in [(9, StatusCode::OK), (1, StatusCode::UNAUTHORIZED)] {
            let clock = stand.clock.clone();
            let request = slow_call(&token, move || clock.advance(Duration::from_secs(takes)));
            assert_eq!(stand.ask_with(request).await.status, status);
        }
    }
}

#[actix_web::test]
async fn a_grant_that_ends_while_the_body_comes_in_opens_nothing() {
    for rules in both_orders() {
        let unremembered = governed(rules.clone(), |_| {});
        let remembered = Stand::remembering(governed_settings(rules, |_| {}));
        for stand in [unremembered, remembered] {
            let token = stand.token();
            let nothing = slow_call(&token, || {});
            assert_eq!(stand.ask_with(nothing).await.status, StatusCode::OK);
            let (store, grant) = (stand.store.clone(), stand.grant.id.clone());
            let ends = slow_call(&token, move || store.end(&grant));
            assert_eq!(stand.ask_with(ends).await.status, StatusCode::UNAUTHORIZED);
        }
    }
}
