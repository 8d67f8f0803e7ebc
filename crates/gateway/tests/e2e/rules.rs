//! Rules behind the real Traefik with the shipped files: what the body asks for decides, and nothing around it.

use reqwest::{Body, Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    browser::drive,
    flow::Flow,
    traefik::Front,
    world::{Layout, World},
};

/// Calls of `hold` and of whatever releases need `write`; the rest needs `read`.
const RULES: &str = "scopes = [\"read\", \"write\"]
default_scopes = [\"read\"]
max_body = 200000
rule = [
  { tools = [\"hold\", \"rel*\"], scopes = [\"write\"] },
  { paths = [\"/mcp/health\"], public = true },
]";

fn call(tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": { "name": "x" } } })
}

/// A token with `read` for the server.
async fn reader(world: &World) -> String {
    let mut flow = Flow::register(world.http(), &world.issuer()).await;
    let back = flow.log_in(&world.mcp_url(), 583_231).await;
    flow.exchange(&back["code"], &world.mcp_url()).await.access
}

/// The status and the challenge of the answer.
async fn answered(request: RequestBuilder) -> (StatusCode, String) {
    let answer = request.send().await.unwrap();
    let challenge = answer.headers().get("www-authenticate");
    let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
    (answer.status(), challenge.unwrap_or_default())
}

/// Requests that say one thing and ask for another, and what each is answered with.
fn disguises(http: &Client, url: &str, token: &str) -> Vec<(RequestBuilder, StatusCode)> {
    let post = || http.post(url).bearer_auth(token);
    let chunked = || {
        let pieces = call("release").to_string().into_bytes();
        let pieces: Vec<_> = pieces
            .chunks(7)
            .map(|p| Ok::<_, std::io::Error>(p.to_vec()))
            .collect();
        Body::wrap_stream(futures_util::stream::iter(pieces))
    };
    let batch = json!([call("echo"), call("release")]);
    vec![
        (
            post().json(&call("release")).header("mcp-name", "echo"),
            StatusCode::BAD_REQUEST,
        ),
        (
            post()
                .json(&call("release"))
                .header("mcp-name", "echo")
                .header("mcp-method", "tools/call")
                .header("mcp-protocol-version", "2026-07-28"),
            StatusCode::BAD_REQUEST,
        ),
        (post().json(&batch), StatusCode::FORBIDDEN),
        (post().body(chunked()), StatusCode::FORBIDDEN),
        (post().body(call("release").to_string()), StatusCode::FORBIDDEN),
        (
            http.get(url).bearer_auth(token).json(&call("release")),
            StatusCode::FORBIDDEN,
        ),
        (
            http.delete(url).bearer_auth(token).json(&call("release")),
            StatusCode::FORBIDDEN,
        ),
        (
            post().header("x-forwarded-method", "GET").json(&call("release")),
            StatusCode::FORBIDDEN,
        ),
        (
            post().header("content-encoding", "gzip").json(&call("echo")),
            StatusCode::BAD_REQUEST,
        ),
        (
            post().body(r#"{"method":"ping","method":"tools/call"}"#),
            StatusCode::BAD_REQUEST,
        ),
        (
            post().body(r#"{"method":"tools/call","params":{"name":"echo"},"Params":{"name":"hold"}}"#),
            StatusCode::BAD_REQUEST,
        ),
        (post(), StatusCode::FORBIDDEN),
    ]
}

/// Requests that the server could read in another way than the verifier, or with more than one message to come.
fn openings(http: &Client, url: &str, token: &str) -> Vec<(RequestBuilder, StatusCode)> {
    let post = || http.post(url).bearer_auth(token);
    vec![
        (
            http.get(url)
                .bearer_auth(token)
                .header("connection", "upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            StatusCode::BAD_REQUEST,
        ),
        (
            post()
                .json(&call("echo"))
                .header("content-type", "application/json; charset=utf-7"),
            StatusCode::BAD_REQUEST,
        ),
    ]
}

#[tokio::test]
async fn the_body_decides_whatever_the_headers_around_it_say() {
    let world = World::governed(Layout::Apart(1), RULES, Front::WithBodies).await;
    let token = reader(&world).await;
    let http = world.http();
    let post = || http.post(world.mcp_url()).bearer_auth(&token);

    let (status, challenge) = answered(post().json(&call("release"))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"write\""),
        "{challenge}"
    );
    let (status, challenge) = answered(http.post(world.mcp_url()).json(&call("release"))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(challenge.contains("scope=\"write\""), "{challenge}");

    let url = world.mcp_url();
    let all = disguises(&http, &url, &token).into_iter();
    for (request, expected) in all.chain(openings(&http, &url, &token)) {
        let (status, challenge) = answered(request).await;
        assert_eq!(status, expected, "{challenge}");
    }
    assert_eq!(world.backend().requests(), 0, "none of these reached the server");
}

/// A call of `echo` by revision 2026-07-28 whose body has this length, and what is to come back.
fn long_call(length: usize) -> (String, String) {
    let body = |message: &str| {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let params = json!({ "name": "echo", "arguments": { "message": message }, "_meta": meta });
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string()
    };
    let message = "x".repeat(length - body("").len());
    (body(&message), message)
}

#[tokio::test]
async fn what_is_let_through_arrives_whole_and_what_is_too_large_does_not() {
    let world = World::governed(Layout::Apart(1), RULES, Front::WithBodies).await;
    let token = reader(&world).await;
    let http = world.http();
    let post = |body: String| {
        let request = http.post(world.mcp_url()).bearer_auth(&token).body(body);
        request
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "echo")
    };
    let (body, message) = long_call(200_000);
    let answer = post(body).send().await.unwrap().text().await.unwrap();
    assert!(
        answer.contains(&message),
        "the server gets what the verifier read"
    );
    let reached = world.backend().requests();
    for (length, status) in [
        (200_001, StatusCode::PAYLOAD_TOO_LARGE),
        (4_194_304, StatusCode::PAYLOAD_TOO_LARGE),
        (4_194_305, StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(answered(post(long_call(length).0)).await.0, status, "{length}");
    }
    assert_eq!(world.backend().requests(), reached);
    // connections on which something was refused serve the next request
    let again = answered(post(long_call(1000).0)).await;
    assert_eq!(again.0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_public_reaches_the_server_without_an_identity() {
    let world = World::governed(Layout::Apart(1), RULES, Front::WithBodies).await;
    let url = format!("{}/health", world.mcp_url());
    let request = world.http().get(&url).header("x-user-id", "1").bearer_auth("x");
    answered(request).await;
    assert_eq!(world.backend().requests(), 1);
    let received = world.backend().last().unwrap();
    assert_eq!(received.header("x-user-id").unwrap_or_default(), "");
    assert_eq!(received.header("authorization"), None);
    assert_eq!(
        answered(world.http().get(world.mcp_url())).await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn without_the_body_a_call_is_refused_and_the_log_tells_the_operator_what_to_do() {
    let world = World::governed(Layout::Serve, RULES, Front::Shipped).await;
    let token = reader(&world).await;
    let (http, url) = (world.http(), world.mcp_url());
    let request = http.post(&url).bearer_auth(&token).json(&call("echo"));
    assert_eq!(answered(request).await.0, StatusCode::FORBIDDEN);
    assert_eq!(world.backend().requests(), 0);
    assert!(world.logs().contains("set forwardBody: true"), "{}", world.logs());
    answered(http.get(&url).bearer_auth(&token)).await;
    assert_eq!(world.backend().requests(), 1, "what calls nothing needs no body");
}

#[tokio::test]
async fn the_typescript_sdk_steps_up_and_its_call_ends_well() {
    let world = World::governed(Layout::Apart(1), RULES, Front::WithBodies).await;
    let seen = drive(Some(&world), "step-up.mjs", &[&world.mcp_url()]).await;
    assert_eq!(seen["first"], "offline_access read", "{seen}");
    assert_eq!(seen["asked"], "offline_access read write", "{seen}");
    assert_eq!(seen["last"], seen["asked"], "{seen}");
    assert_eq!(seen["times"], 2, "{seen}");
    assert!(
        seen["result"].to_string().contains("nothing is held as x"),
        "{seen}"
    );
}
