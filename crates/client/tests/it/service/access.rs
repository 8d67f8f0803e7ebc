//! `access-resource`: what is passed on, what comes back, and with whose token.

use actix_web::{HttpResponse, http::StatusCode, web::Bytes};
use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    authority::Authority,
    stage::{Stage, told},
    steps::log_in,
};
use crate::support::site::{Asked, json as answer};

/// What the MCP server does once the token is good.
pub(crate) fn protected(asked: &Asked) -> HttpResponse {
    match asked.path.as_str() {
        "/mcp" => answer(
            200,
            &json!({ "version": "2024-11-05", "capabilities": { "tools": {}, "resources": {} } }),
        ),
        "/echo" => HttpResponse::Ok()
            .insert_header(("mcp-session-id", "session-1"))
            .insert_header(("set-cookie", "a=b"))
            .json(json!({
                "method": asked.method,
                "body": asked.body,
                "headers": asked.headers.iter()
                    .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
                    .collect::<serde_json::Map<String, Value>>(),
            })),
        "/page" => HttpResponse::Ok()
            .content_type("text/html")
            .body("<script>alert(1)</script>"),
        "/unchanged" => HttpResponse::NotModified()
            .insert_header(("etag", "\"1\""))
            .finish(),
        "/missing" => answer(404, &json!({ "code": "missing" })),
        "/broken" => HttpResponse::Ok().content_type("application/json").body("{"),
        "/large" => HttpResponse::Ok()
            .content_type("application/json")
            .body(format!("\"{}\"", "x".repeat(5 << 20))),
        "/elsewhere" => HttpResponse::Found()
            .insert_header(("location", "http://169.254.169.254/"))
            .finish(),
        "/scope" => HttpResponse::Forbidden()
            .insert_header((
                "www-authenticate",
                "Bearer error=\"insufficient_scope\", scope=\"read write\"",
            ))
            .finish(),
        "/events" => {
            // the second event never comes: a stream is passed on while it lasts
            let first =
                stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"data: first\n\n")) });
            HttpResponse::Ok()
                .content_type("text/event-stream")
                .streaming(first.chain(stream::pending()))
        }
        _ => HttpResponse::build(StatusCode::NO_CONTENT).finish(),
    }
}

async fn logged_in() -> (Stage, Authority) {
    let (stage, authority) = (Stage::start(), Authority::start());
    log_in(&stage, &authority, "1").await;
    (stage, authority)
}

#[actix_web::test]
async fn json_is_wrapped_for_get_alone_and_raw_leaves_it() {
    let (stage, authority) = logged_in().await;
    let mcp = format!("{}/mcp", authority.resource.url);
    let plain = json!({ "version": "2024-11-05", "capabilities": { "tools": {}, "resources": {} } });
    for (parameters, expected) in [
        (vec![("resource_url", mcp.as_str())], json!({ "data": plain })),
        (
            vec![("resource_url", mcp.as_str()), ("raw", "false")],
            json!({ "data": plain }),
        ),
        (
            vec![("resource_url", mcp.as_str()), ("raw", "true")],
            plain.clone(),
        ),
    ] {
        assert_eq!(
            stage.get("1", "/access-resource", &parameters).await,
            (200, expected)
        );
    }
    assert_eq!(
        stage
            .post("1", "/access-resource", &[("resource_url", &mcp)])
            .await,
        (200, plain)
    );
    let odd = [("resource_url", mcp.as_str()), ("raw", "yes")];
    assert_eq!(stage.get("1", "/access-resource", &odd).await.0, 400);
}

#[actix_web::test]
async fn what_mcp_needs_is_passed_on_and_nothing_that_tells_who_asks() {
    let (stage, authority) = logged_in().await;
    let echo = format!("{}/echo", authority.resource.url);
    let request = stage
        .request("1", Method::PUT, "/access-resource", &[("resource_url", &echo)])
        .header("Authorization", "Bearer of-the-gateway")
        .header("Cookie", "session=secret")
        .header("X-User-Name", "octocat")
        .header("X-Forwarded-For", "203.0.113.9")
        .header("Content-Type", "application/json")
        .header("Mcp-Session-Id", "session-1")
        .header("Mcp-Protocol-Version", "2025-11-25")
        .header("Mcp-Method", "tools/call")
        .header("Mcp-Name", "weather")
        .header("Mcp-Param-Region", "us-west1")
        .body("{\"jsonrpc\":\"2.0\"}");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["mcp-session-id"], "session-1");
    assert!(!response.headers().contains_key("set-cookie"));
    let (status, echoed) = told(response).await;
    assert_eq!(
        (status, &echoed["method"], &echoed["body"]),
        (200, &json!("PUT"), &json!("{\"jsonrpc\":\"2.0\"}"))
    );
    let headers = echoed["headers"].as_object().unwrap();
    assert_eq!(headers["authorization"], "Bearer access-1");
    assert_eq!(headers["mcp-session-id"], "session-1");
    assert_eq!(headers["mcp-protocol-version"], "2025-11-25");
    assert_eq!(headers["mcp-method"], "tools/call");
    assert_eq!(headers["mcp-name"], "weather");
    assert_eq!(headers["mcp-param-region"], "us-west1");
    assert_eq!(headers["content-type"], "application/json");
    for name in headers.keys() {
        let is_private = name == "cookie" || name.starts_with("x-");
        assert!(!is_private, "{name} was passed on");
    }
}

#[actix_web::test]
async fn a_stream_is_passed_on_while_it_lasts() {
    let (stage, authority) = logged_in().await;
    let events = format!("{}/events", authority.resource.url);
    for method in [Method::GET, Method::POST] {
        let request = stage.request("1", method, "/access-resource", &[("resource_url", &events)]);
        let mut response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.chunk().await.unwrap().unwrap(), "data: first\n\n");
    }
}

#[actix_web::test]
async fn statuses_and_redirects_are_the_resources_own() {
    let (stage, authority) = logged_in().await;
    let at = |path: &str| format!("{}{path}", authority.resource.url);
    let missing = stage
        .get("1", "/access-resource", &[("resource_url", &at("/missing"))])
        .await;
    assert_eq!(missing, (404, json!({ "code": "missing" })));
    let request = stage.request(
        "1",
        Method::GET,
        "/access-resource",
        &[("resource_url", &at("/elsewhere"))],
    );
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 302);
    assert!(
        !response.headers().contains_key("location"),
        "nobody is sent elsewhere"
    );
    let request = stage.request(
        "1",
        Method::DELETE,
        "/access-resource",
        &[("resource_url", &at("/session"))],
    );
    assert_eq!(request.send().await.unwrap().status(), 204);
}

#[actix_web::test]
async fn what_another_server_writes_is_no_page_of_ours() {
    let (stage, authority) = logged_in().await;
    let page = format!("{}/page", authority.resource.url);
    let request = stage.request("1", Method::GET, "/access-resource", &[("resource_url", &page)]);
    let response = request.send().await.unwrap();
    let headers = response.headers();
    assert_eq!(headers["content-disposition"], "attachment");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(
        headers["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("sandbox")
    );
    assert_eq!(headers["cache-control"], "no-store");
}

#[actix_web::test]
async fn an_answer_that_cannot_be_wrapped_is_the_other_servers_fault() {
    let (stage, authority) = logged_in().await;
    for path in ["/broken", "/large"] {
        let url = format!("{}{path}", authority.resource.url);
        let (status, fault) = stage
            .get("1", "/access-resource", &[("resource_url", &url)])
            .await;
        assert_eq!((status, &fault["error"]), (502, &json!("bad_gateway")), "{path}");
    }
}

#[actix_web::test]
async fn missing_scopes_are_named() {
    let (stage, authority) = logged_in().await;
    let url = format!("{}/scope", authority.resource.url);
    let (status, fault) = stage
        .get("1", "/access-resource", &[("resource_url", &url)])
        .await;
    assert_eq!(
        (status, &fault["error"], &fault["scope"]),
        (403, &json!("insufficient_scope"), &json!("read write"))
    );
}

#[actix_web::test]
async fn a_token_goes_to_its_resource_alone() {
    let (stage, authority) = logged_in().await;
    let elsewhere = Authority::start();
    let url = format!("{}/mcp", elsewhere.resource.url);
    let (status, fault) = stage
        .get("1", "/access-resource", &[("resource_url", &url)])
        .await;
    assert_eq!((status, &fault["error"]), (401, &json!("no_token")));
    assert!(elsewhere.resource.asked().is_empty(), "nothing was sent there");
    assert!(!authority.resource.asked().is_empty());
}

#[actix_web::test]
async fn a_body_that_is_too_large_is_not_passed_on() {
    let (stage, authority) = logged_in().await;
    let url = format!("{}/echo", authority.resource.url);
    let request = stage.request("1", Method::POST, "/access-resource", &[("resource_url", &url)]);
    let (status, fault) = told(request.body(vec![b'x'; (4 << 20) + 1]).send().await.unwrap()).await;
    assert_eq!((status, &fault["error"]), (400, &json!("invalid_request")));
    assert!(!authority.resource.lines().contains(&"POST /echo".to_owned()));
}

#[actix_web::test]
async fn a_token_in_the_address_is_deprecated() {
    let (stage, authority) = logged_in().await;
    let mcp = format!("{}/mcp", authority.resource.url);
    let deprecation = async |parameters: &[(&str, &str)], status: u16| {
        let response = stage
            .request("1", Method::GET, "/access-resource", parameters)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status);
        response
            .headers()
            .get("deprecation")
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let given = [("resource_url", mcp.as_str()), ("access_token", "access-1")];
    assert_eq!(deprecation(&given, 200).await.as_deref(), Some("@1795219200"));
    assert_eq!(deprecation(&given[..1], 200).await, None);
    // however it is answered
    let bad = [("resource_url", mcp.as_str()), ("access_token", "bad")];
    assert_eq!(deprecation(&bad, 401).await.as_deref(), Some("@1795219200"));
    assert_eq!(
        deprecation(&given[1..], 400).await.as_deref(),
        Some("@1795219200")
    );
}
