//! MCP Inspector runs in a browser: nothing works without CORS, the 401 of the protected server included.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::{
    credentials::Credentials,
    replay::{Ask, Challenge, Discovered, Held, Replay, text},
};
use crate::support::flow::VERIFIER;

const ORIGIN: &str = "http://localhost:6274";
const REDIRECT: &str = "http://localhost:6274/oauth/callback";
const HEADERS: &str = "authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, \
                       last-event-id";

/// A preflight, as a browser judges it.
async fn preflight(replay: &Replay, url: &str, method: &str) {
    let request = replay.http.request(Method::OPTIONS, url).header("origin", ORIGIN);
    let request = request
        .header("access-control-request-method", method)
        .header("access-control-request-headers", HEADERS);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT, "{url}");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*", "{url}");
    let list = |name: &str| answer.headers()[name].to_str().unwrap().to_ascii_lowercase();
    let methods = list("access-control-allow-methods");
    assert!(
        methods.contains(&method.to_ascii_lowercase()),
        "{url}: {method} is not among {methods}"
    );
    let allowed = list("access-control-allow-headers");
    for header in HEADERS.split(", ") {
        let is_listed = allowed.split(',').any(|name| name.trim() == header);
        assert!(is_listed, "{url}: {header} is not among {allowed}");
    }
}

/// Whether a script of another origin may read the answer.
fn readable(answer: &Response) {
    let url = answer.url();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*", "{url}");
    let credentials = answer.headers().get("access-control-allow-credentials");
    assert!(credentials.is_none(), "{url}");
}

async fn get(replay: &Replay, url: &str) -> Value {
    preflight(replay, url, "GET").await;
    let request = replay.http.get(url).header("origin", ORIGIN);
    let request = request.header("mcp-protocol-version", replay.revision);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{url}");
    readable(&answer);
    answer.json().await.unwrap()
}

async fn post(replay: &Replay, url: &str, form: &[(&str, &str)]) -> Response {
    preflight(replay, url, "POST").await;
    let request = replay.http.post(url).header("origin", ORIGIN).form(form);
    let answer = request.send().await.unwrap();
    readable(&answer);
    answer
}

async fn register(replay: &Replay, server: &Value) -> Credentials {
    let endpoint = text(&server["registration_endpoint"]);
    preflight(replay, &endpoint, "POST").await;
    let metadata = json!({
        "client_name": "MCP Inspector",
        "client_uri": "https://github.com/modelcontextprotocol/inspector",
        "redirect_uris": [REDIRECT, "http://localhost:6274/oauth/callback/debug"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    let request = replay.http.post(endpoint).header("origin", ORIGIN);
    let registered = request.json(&metadata).send().await.unwrap();
    assert_eq!(registered.status(), StatusCode::CREATED);
    readable(&registered);
    Credentials::registered(&registered.json().await.unwrap())
}

#[tokio::test]
async fn mcp_inspector_does_everything_from_a_browser() {
    let replay = Replay::start("2025-11-25").await;
    let url = replay.url();
    preflight(&replay, &url, "POST").await;
    let request = replay.http.post(&url).header("origin", ORIGIN).body("{}");
    let refused = request.send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    readable(&refused);
    let exposed = refused.headers()["access-control-expose-headers"]
        .to_str()
        .unwrap();
    let exposed = exposed.to_ascii_lowercase();
    assert!(
        exposed.contains("www-authenticate") && exposed.contains("mcp-session-id"),
        "{exposed}"
    );
    let challenge = Challenge::of(&refused);

    let resource = get(&replay, &challenge.metadata).await;
    assert_eq!(resource["resource"], url);
    let issuer = text(&resource["authorization_servers"][0]);
    let server = get(
        &replay,
        &format!("{issuer}/.well-known/oauth-authorization-server"),
    )
    .await;
    get(&replay, &format!("{issuer}/.well-known/openid-configuration")).await;

    let client = register(&replay, &server).await;
    let found = Discovered { resource, server };
    let ask = Ask {
        redirect_uri: REDIRECT,
        resource: Some(&url),
        ..Ask::default()
    };
    let back = replay.authorize(&found, client.id(), &ask).await;
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", &back["code"]),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("resource", &url),
        ("client_id", client.id()),
    ];
    let tokens = post(&replay, &text(&found.server["token_endpoint"]), &exchange).await;
    assert_eq!(tokens.status(), StatusCode::OK);
    let held = Held::of(&tokens.json().await.unwrap());
    replay.calls(&held.access).await;

    let revocation = [("token", held.refresh.as_str()), ("client_id", client.id())];
    let revoked = post(&replay, &text(&found.server["revocation_endpoint"]), &revocation).await;
    assert_eq!(revoked.status(), StatusCode::OK);
    replay.world.heard().await;
    let request = replay.http.post(&url).header("origin", ORIGIN).body("{}");
    let ended = request.bearer_auth(&held.access).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::UNAUTHORIZED);
    readable(&ended);
}
