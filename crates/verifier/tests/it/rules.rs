//! Who may call what: scopes by method, path, MCP method and tool.

use actix_web::http::StatusCode;
use insta::assert_snapshot;
use mcp_gateway_model::{
    resource::{Resource, ResourceUri, Resources},
    rule::Effect,
};
use serde_json::json;

use crate::{
    ruled::{by_tool, call, governed, methods, needs, paths, plain, post, refused_as_request, rule, tools},
    signer::Signer,
    stand::{ECHO, PROXY, Stand, about, asking, grant, settings},
};

#[actix_web::test]
async fn a_tool_needs_the_scopes_of_all_its_rules_and_is_told_so_at_once() {
    let stand = by_tool();
    for (tool, scopes, status) in [
        ("echo", "read", StatusCode::OK),
        ("create_issue", "read", StatusCode::FORBIDDEN),
        ("create_issue", "write", StatusCode::OK),
        ("create_issue", "admin", StatusCode::OK),
        ("create_key", "write", StatusCode::FORBIDDEN),
        ("create_key", "admin", StatusCode::OK),
        ("create_key", "", StatusCode::FORBIDDEN),
        ("echo", "", StatusCode::FORBIDDEN),
    ] {
        let answer = post(&stand, scopes, &call(tool), &[]).await;
        assert_eq!(answer.status, status, "{tool} {scopes}");
    }
    let answer = post(&stand, "read", &call("create_key"), &[]).await;
    assert_snapshot!(answer.challenge(), @r#"Bearer error="insufficient_scope", error_description="the access token does not have the scopes that this request needs", resource_metadata="https://echo.example.com/.well-known/oauth-protected-resource/mcp", scope="admin write""#);
}

#[actix_web::test]
async fn a_challenge_without_a_token_names_what_method_and_path_need() {
    let by_path = vec![paths("/mcp/archive/*", needs("write"))];
    let archive = about("https://echo.example.com/mcp/archive/1");
    let answer = governed(by_path, |_| {}).ask(archive).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(
        answer.challenge().contains(r#"scope="write""#),
        "{}",
        answer.challenge()
    );
}

#[actix_web::test]
async fn what_calls_nothing_needs_the_default_scopes() {
    let stand = by_tool();
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":"create_issue"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"create_issue"}}"#,
    ] {
        assert_eq!(
            post(&stand, "read", body, &[]).await.status,
            StatusCode::OK,
            "{body}"
        );
        assert_eq!(
            post(&stand, "", body, &[]).await.status,
            StatusCode::FORBIDDEN,
            "{body}"
        );
    }
    for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
        assert_eq!(
            plain(&stand, method, "/mcp").await.status,
            StatusCode::OK,
            "{method}"
        );
    }
}

#[actix_web::test]
async fn a_rule_by_method_goes_by_the_forwarded_method_and_get_stands_for_head() {
    let stand = governed(
        vec![methods("DELETE", needs("write")), methods("GET", needs("admin"))],
        |_| {},
    );
    for (method, status) in [
        ("POST", StatusCode::OK),
        ("DELETE", StatusCode::FORBIDDEN),
        ("GET", StatusCode::FORBIDDEN),
        ("HEAD", StatusCode::FORBIDDEN),
        ("delete", StatusCode::BAD_REQUEST),
        ("", StatusCode::BAD_REQUEST),
        ("DELETE, POST", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(plain(&stand, method, "/mcp").await.status, status, "{method}");
    }
    let token = stand.token_where("scope", json!("admin"));
    let twice = about(ECHO)
        .append_header(("x-forwarded-method", "POST"))
        .insert_header(("authorization", format!("Bearer {token}")));
    assert_eq!(stand.ask(twice).await.status, StatusCode::BAD_REQUEST);
    let without = asking("/verify", PROXY)
        .insert_header(("x-forwarded-host", "echo.example.com"))
        .insert_header(("x-forwarded-uri", "/mcp"))
        .insert_header(("authorization", format!("Bearer {token}")));
    assert_eq!(stand.ask(without).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn a_header_that_overrides_the_method_is_refused_where_methods_matter() {
    let stand = governed(vec![methods("DELETE", needs("write"))], |_| {});
    for name in [
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x_http_method_override",
    ] {
        let answer = post(&stand, "admin", "", &[(name, "DELETE")]).await;
        refused_as_request(&answer, StatusCode::BAD_REQUEST);
    }
}

#[actix_web::test]
async fn a_rule_by_path_cannot_be_passed_by_spelling_the_path_differently() {
    let stand = governed(vec![paths("/mcp/archive@1/*", needs("write"))], |_| {});
    for path in [
        "/mcp/archive@1/x",
        "/mcp/archive@1",
        "/mcp/archive@1/",
        "/mcp/archive%401/x",
    ] {
        assert_eq!(
            plain(&stand, "GET", path).await.status,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    for path in [
        "/mcp/x/../archive@1/x",
        "/mcp/%61rchive@1/x",
        "/mcp//archive@1/x",
        "/mcp/archive@1;a/x",
        "/mcp\\archive@1",
        "/mcp/archive@1%2fx",
    ] {
        let answer = plain(&stand, "GET", path).await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (StatusCode::FORBIDDEN, None)
        );
    }
    refused_as_request(
        &plain(&stand, "GET", "/mcp/Archive@1/x").await,
        StatusCode::BAD_REQUEST,
    );
    assert_eq!(plain(&stand, "GET", "/mcp/archived").await.status, StatusCode::OK);
}

#[actix_web::test]
async fn what_is_public_passes_without_a_token_and_without_an_identity() {
    let stand = governed(
        vec![
            paths("/mcp/health", methods("GET", rule(Effect::Public))),
            tools("create_*", "write"),
        ],
        |_| {},
    );
    let health = |method: &'static str| {
        about("https://echo.example.com/mcp/health").insert_header(("x-forwarded-method", method))
    };
    for method in ["GET", "HEAD"] {
        let answer = stand.ask(health(method).insert_header(("x-user-id", "1"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{method}");
        for name in [
            "x-user-id",
            "x-user-name",
            "x-auth-client",
            "x-auth-scope",
            "x-auth-token",
        ] {
            assert_eq!(answer.header(name), Some(""), "{name}");
        }
        assert_eq!(answer.header("authorization"), None);
    }
    assert_eq!(
        stand
            .ask(health("GET").insert_header(("authorization", "Bearer x")))
            .await
            .status,
        StatusCode::OK
    );
    for request in [
        health("POST"),
        health("DELETE"),
        health("GET").set_payload(call("create_issue")),
        health("GET").set_payload("{"),
        health("GET").insert_header(("x-forwarded-uri", "/mcp")),
        health("GET").insert_header(("x-forwarded-uri", "/mcp/health/x")),
    ] {
        assert_eq!(stand.ask(request).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[actix_web::test]
async fn without_default_scopes_any_good_token_will_do_and_the_challenge_names_the_lowest() {
    let echo = Resource::new(ResourceUri::parse(ECHO).unwrap(), None);
    let resources = Resources::new(vec![echo], vec![], "auth.example.com");
    let stand = Stand::with(settings(resources), Signer::ed25519());
    assert_eq!(post(&stand, "", "", &[]).await.status, StatusCode::OK);
    let answer = stand.ask(about(ECHO)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.challenge().contains(r#"scope="read""#));
}

#[actix_web::test]
async fn a_header_that_overrides_the_path_is_refused_where_paths_matter() {
    let stand = governed(vec![paths("/mcp/archive/*", needs("write"))], |_| {});
    for name in ["x-original-url", "x-rewrite-url", "x_original_url"] {
        let answer = post(&stand, "admin", "", &[(name, "/mcp/archive/1")]).await;
        refused_as_request(&answer, StatusCode::BAD_REQUEST);
    }
}

#[actix_web::test]
async fn a_header_that_overrides_the_path_is_refused_where_the_path_chooses_the_resource() {
    let resource = |uri: &str| Resource::new(ResourceUri::parse(uri).unwrap(), None);
    let root = "https://echo.example.com";
    let below = "https://echo.example.com/other";
    for (uris, status) in [
        (vec![root], StatusCode::OK),
        (vec![ECHO], StatusCode::BAD_REQUEST),
        (vec![root, below], StatusCode::BAD_REQUEST),
        (vec![ECHO, below], StatusCode::BAD_REQUEST),
    ] {
        let all = uris.iter().map(|uri| resource(uri)).collect();
        let resources = Resources::new(all, vec![], "auth.example.com");
        let mut stand = Stand::with(settings(resources), Signer::ed25519());
        stand.grant = grant(uris[0]);
        stand.store.put(&stand.grant);
        let token = stand.token();
        for name in ["x-original-url", "x-rewrite-url", "X_Rewrite_URL"] {
            let request = about(ECHO)
                .insert_header(("authorization", format!("Bearer {token}")))
                .insert_header((name, "/other"));
            let answer = stand.ask(request).await;
            assert_eq!(answer.status, status, "{uris:?} {name}: {}", answer.body);
            assert_eq!(answer.header("www-authenticate"), None);
        }
    }
}
