//! The sample MCP server behind the shipped Traefik files: answers come piece by piece, and everybody has their own data.

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    browser::drive,
    traefik::Front,
    world::{Layout, World},
};

/// How many pieces the long answer has.
const PIECES: u32 = 40;

/// A token of octocat's with these scopes, for the protected server.
fn token(world: &World, scopes: &str) -> String {
    let (url, name) = (world.mcp_url(), format!("for {scopes}"));
    world.operate(&[
        "admin",
        "tokens",
        "create",
        "octocat",
        "--name",
        &name,
        "--resource",
        &url,
        "--scope",
        scopes,
    ])
}

/// Messages to one session.
struct Session<'w> {
    http: &'w Client,
    url: String,
    token: &'w str,
    id: Option<String>,
}

impl Session<'_> {
    async fn send(&self, message: &Value) -> Response {
        let mut request = self
            .http
            .post(&self.url)
            .bearer_auth(self.token)
            .header("accept", "application/json, text/event-stream");
        if let Some(id) = &self.id {
            request = request
                .header("mcp-session-id", id)
                .header("mcp-protocol-version", "2025-11-25");
        }
        let answer = request.json(message).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
        answer
    }

    async fn open(mut self) -> Self {
        let hello = json!({
            "jsonrpc": "2.0", "id": 0, "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "e2e", "version": "1" },
            },
        });
        let answer = self.send(&hello).await;
        self.id = Some(answer.headers()["mcp-session-id"].to_str().unwrap().to_owned());
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await;
        self
    }

    async fn call(&self, id: u64, tool: &str, arguments: &Value) -> Response {
        let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": id } });
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
            .await
    }
}

/// The messages of an answer that is a stream, one at a time.
struct Events {
    answer: Response,
    unread: String,
}

impl Events {
    fn of(answer: Response) -> Self {
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let unread = String::new();
        Self { answer, unread }
    }

    /// The next message; nothing at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
                let message = data
                    .into_iter()
                    .find_map(|data| serde_json::from_str(data.trim()).ok());
                let rest = rest.to_owned();
                self.unread = rest;
                if message.is_some() {
                    return message;
                }
            } else {
                let piece = self.answer.chunk().await.unwrap()?;
                self.unread.push_str(std::str::from_utf8(&piece).unwrap());
            }
        }
    }
}

/// Takes a long answer, whose server makes each piece only when the one before was acknowledged.
async fn takes_piece_by_piece(world: &World) {
    let (http, token) = (world.http(), token(world, "read"));
    let session = Session {
        http: &http,
        url: world.mcp_url(),
        token: &token,
        id: None,
    };
    let session = session.open().await;
    let held = json!({ "name": "long", "pieces": PIECES });
    let mut events = Events::of(session.call(1, "hold", &held).await);
    for piece in 0..PIECES {
        // a proxy that waited for more than this would wait for ever
        let progress = events.next().await.unwrap();
        assert_eq!(progress["method"], "notifications/progress", "{progress}");
        assert_eq!(
            progress["params"]["progress"].as_f64(),
            Some(f64::from(piece)),
            "{progress}"
        );
        let acknowledged = session.call(2, "release", &json!({ "name": "long" })).await;
        let acknowledged = acknowledged.text().await.unwrap();
        assert!(acknowledged.contains("released long"), "{acknowledged}");
    }
    let done = events.next().await.unwrap();
    assert_eq!(
        (&done["id"], &done["result"]["isError"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn each_piece_of_a_long_answer_arrives_before_the_server_makes_the_next() {
    takes_piece_by_piece(&World::start(Layout::Apart(1)).await).await;
}

#[tokio::test]
async fn answers_come_piece_by_piece_where_bodies_of_requests_are_read_too() {
    let rules = "rule = [{ tools = [\"hold\", \"release\"], scopes = [\"read\"] }]";
    takes_piece_by_piece(&World::governed(Layout::Serve, rules, Front::WithBodies).await).await;
}

#[tokio::test]
async fn a_tool_that_a_rule_names_is_not_called_without_an_envelope_either() {
    let rules = "default_scopes = [\"read\"]\nrule = [{ tools = [\"echo\"], scopes = [\"write\"] }]";
    let world = World::governed(Layout::Serve, rules, Front::WithBodies).await;
    let http = world.http();
    let call = json!({ "name": "echo", "arguments": { "message": "said" } });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call });
    let before = world.backend().requests();
    for scopes in ["read", "read write"] {
        let token = token(&world, scopes);
        let refused = http
            .post(format!("{}/v1/tools/call", world.mcp_url()))
            .bearer_auth(&token)
            .json(&call);
        let refused = refused.send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{scopes}");
        let said = refused.text().await.unwrap();
        assert!(said.contains("must be a JSON-RPC message"), "{said}");
    }
    let reader = token(&world, "read");
    let in_envelope = http
        .post(format!("{}/v1", world.mcp_url()))
        .bearer_auth(reader)
        .json(&message);
    assert_eq!(in_envelope.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(world.backend().requests(), before, "it did not reach the server");
}

#[tokio::test]
async fn the_typescript_sdk_speaks_the_older_transport_through_the_gateway() {
    let world = World::start(Layout::Apart(1)).await;
    let token = token(&world, "read write");
    let header = format!("authorization: Bearer {token}");
    let url = format!("{}/v1/sse", world.mcp_url());
    let refused = world.http().get(&url).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let seen = drive(Some(&world), "sse.mjs", &[&url, "--header", &header]).await;
    assert_eq!(seen["pieces"], json!([0, 1, 2]), "{seen}");
    assert_eq!(
        (&seen["who"]["user_id"], &seen["who"]["login"]),
        (&json!("583231"), &json!("octocat"))
    );
    assert_eq!(seen["items"], json!([seen["item"]]), "{seen}");
}

#[tokio::test]
async fn a_client_whose_token_is_not_enough_for_a_tool_asks_for_more_and_calls_again() {
    let world = World::start(Layout::Apart(1)).await;
    let create = json!({ "name": "after stepping up", "value": 1 }).to_string();
    let arguments = [&world.mcp_url(), "octocat", "create_data", &create];
    let seen = drive(Some(&world), "step-up.mjs", &arguments).await;
    assert_eq!(seen["first"], "offline_access read", "{seen}");
    assert_eq!(seen["last"], "offline_access read write", "{seen}");
    assert_eq!(seen["times"], 2, "{seen}");
    assert!(seen["result"].to_string().contains("after stepping up"), "{seen}");
}

#[tokio::test]
async fn the_rest_api_knows_its_users_by_what_the_gateway_says_and_by_nothing_else() {
    let world = World::start(Layout::Apart(1)).await;
    let http = world.http();
    let api = world.mcp_url().replace("/mcp", "/api");
    let (reader, writer) = (token(&world, "read"), token(&world, "read write"));
    let ask = |method: Method, path: &str| http.request(method, format!("{api}{path}"));
    let keep = |request: RequestBuilder| request.json(&json!({ "name": "a", "value": 1 })).send();

    let before = world.backend().requests();
    let nobody = ask(Method::GET, "/data")
        .header("x-user-id", "583231")
        .header("x-auth-scope", "admin");
    assert_eq!(nobody.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.backend().requests(), before, "it did not reach the server");

    let forged = ask(Method::POST, "/data")
        .bearer_auth(&reader)
        .header("x-auth-scope", "admin");
    let refused = keep(forged).await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(
        refused.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .contains("insufficient_scope")
    );
    assert_eq!(refused.headers()["content-type"], "application/problem+json");

    let made = keep(
        ask(Method::POST, "/data")
            .bearer_auth(&writer)
            .header("x-user-id", "1"),
    )
    .await
    .unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let origins = made
        .headers()
        .get_all("access-control-allow-origin")
        .iter()
        .count();
    assert_eq!(origins, 1, "said once");
    let item: Value = made.json().await.unwrap();
    let listed = ask(Method::GET, "/data")
        .bearer_auth(&reader)
        .send()
        .await
        .unwrap();
    let listed: Value = listed.json().await.unwrap();
    assert_eq!(
        listed["items"],
        json!([item]),
        "the same person, whichever token they have"
    );
    let who = ask(Method::GET, "/user/profile")
        .bearer_auth(&reader)
        .send()
        .await
        .unwrap();
    let who: Value = who.json().await.unwrap();
    assert_eq!(
        (&who["user_id"], &who["scopes"]),
        (&json!("583231"), &json!(["read"]))
    );
}
