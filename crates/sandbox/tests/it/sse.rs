//! HTTP with Server-Sent Events, the transport of revision 2024-11-05.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{path::Path, process::Command};

use futures_util::{Stream, StreamExt as _};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::sample::{HUBOT, OCTOCAT, Person, Sample, problem};

type Pieces = std::pin::Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>;

/// An open stream, and where its messages go.
struct Line {
    pieces: Pieces,
    unread: String,
    place: String,
}

impl Line {
    async fn open(sample: &Sample, person: Option<Person>, path: &str) -> Self {
        let request = match person {
            Some(person) => sample.ask_as(person, Method::GET, path),
            None => sample.ask(Method::GET, path),
        };
        let answer = request
            .header("accept", "text/event-stream")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut line = Self {
            pieces: Box::pin(answer.bytes_stream()),
            unread: String::new(),
            place: String::new(),
        };
        let (event, place) = line.event().await.unwrap();
        assert_eq!(event, "endpoint", "the first event tells where messages go");
        line.place = place;
        line
    }

    /// The next event and its data; nothing when the stream has ended.
    async fn event(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .map(str::to_owned)
                };
                let found = field("event: ").zip(field("data: "));
                let rest = rest.to_owned();
                self.unread = rest;
                if found.is_some() {
                    return found;
                }
            } else {
                let piece = self.pieces.next().await?.unwrap();
                self.unread.push_str(std::str::from_utf8(&piece).unwrap());
            }
        }
    }

    /// The next message.
    async fn message(&mut self) -> Value {
        let (event, data) = self.event().await.unwrap();
        assert_eq!(event, "message");
        serde_json::from_str(&data).unwrap()
    }

    async fn say(&self, sample: &Sample, person: Option<Person>, message: &Value) -> Response {
        let request = match person {
            Some(person) => sample.ask_as(person, Method::POST, &self.place),
            None => sample.ask(Method::POST, &self.place),
        };
        request.json(message).send().await.unwrap()
    }

    async fn greet(&mut self, sample: &Sample, person: Option<Person>) -> Value {
        let said = self.say(sample, person, &hello()).await;
        assert_eq!(said.status(), 202);
        let greeted = self.message().await;
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(self.say(sample, person, &initialized).await.status(), 202);
        greeted
    }
}

fn hello() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {
            "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        },
    })
}

fn call(id: u64, tool: &str, arguments: &Value) -> Value {
    let params = json!({ "name": tool, "arguments": arguments });
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
}

#[tokio::test]
async fn a_stream_opens_at_both_addresses_and_carries_every_answer() {
    let sample = Sample::start();
    for path in ["/mcp/v1/sse", "/mcp/v1"] {
        let mut line = Line::open(&sample, Some(OCTOCAT), path).await;
        let greeted = line.greet(&sample, Some(OCTOCAT)).await;
        assert_eq!(greeted["result"]["protocolVersion"], "2024-11-05");
        line.say(&sample, Some(OCTOCAT), &call(1, "whoami", &json!({})))
            .await;
        let who = line.message().await;
        assert_eq!(
            (&who["id"], &who["result"]["isError"]),
            (&json!(1), &json!(false))
        );
        assert!(
            who["result"]["content"][0]["text"]
                .as_str()
                .unwrap()
                .contains("583231"),
            "{who}"
        );
    }
}

#[tokio::test]
async fn every_call_is_of_whoever_sent_it() {
    let sample = Sample::start();
    let mut line = Line::open(&sample, None, "/mcp/v1/sse").await;
    line.greet(&sample, None).await;
    for (person, seen) in [(None, "null"), (Some(OCTOCAT), "583231")] {
        line.say(&sample, person, &call(1, "whoami", &json!({}))).await;
        let who = line.message().await;
        assert!(
            who["result"]["content"][0]["text"]
                .as_str()
                .unwrap()
                .contains(seen),
            "{who}"
        );
    }
    // it is the first one's who was known
    for other in [Some(HUBOT), None] {
        let answer = line.say(&sample, other, &call(1, "whoami", &json!({}))).await;
        problem(answer, 404).await;
    }
}

#[tokio::test]
async fn messages_go_to_the_address_of_the_stream_so_that_a_challenge_names_what_was_asked_for() {
    let sample = Sample::start();
    for path in ["/mcp/v1/sse", "/mcp/v1"] {
        let line = Line::open(&sample, None, path).await;
        assert_eq!(line.place.split_once('?').unwrap().0, path);
    }
}

#[tokio::test]
async fn nobody_speaks_on_a_stream_that_another_opened() {
    let sample = Sample::start();
    let mut line = Line::open(&sample, Some(OCTOCAT), "/mcp/v1/sse").await;
    line.greet(&sample, Some(OCTOCAT)).await;
    for other in [Some(HUBOT), None] {
        let answer = line.say(&sample, other, &call(1, "whoami", &json!({}))).await;
        problem(answer, 404).await;
    }
    // nothing of theirs arrived
    line.say(
        &sample,
        Some(OCTOCAT),
        &call(2, "echo", &json!({ "message": "mine" })),
    )
    .await;
    assert_eq!(line.message().await["id"], 2);
}

#[tokio::test]
async fn pieces_arrive_one_by_one_each_after_the_one_before_was_acknowledged() {
    let sample = Sample::start();
    let mut line = Line::open(&sample, Some(OCTOCAT), "/mcp/v1/sse").await;
    line.greet(&sample, Some(OCTOCAT)).await;
    let mut hold = call(1, "hold", &json!({ "name": "a", "pieces": 5 }));
    hold["params"]["_meta"] = json!({ "progressToken": "p" });
    line.say(&sample, Some(OCTOCAT), &hold).await;
    let (mut seen, mut acknowledged) = (Vec::new(), 0);
    loop {
        let message = line.message().await;
        if message["method"] == "notifications/progress" {
            // what is let go comes after the call that lets it go, so no piece runs ahead
            assert!(seen.len() <= acknowledged + 1, "{message}");
            seen.push(message["params"]["progress"].as_f64().unwrap());
            line.say(
                &sample,
                Some(OCTOCAT),
                &call(2, "release", &json!({ "name": "a" })),
            )
            .await;
        } else if message["id"] == 2 {
            acknowledged += 1;
        } else {
            assert_eq!(
                (&message["id"], &message["result"]["isError"]),
                (&json!(1), &json!(false))
            );
            break;
        }
    }
    assert_eq!(seen, [0.0, 1.0, 2.0, 3.0, 4.0]);
}

#[tokio::test]
async fn what_is_no_message_or_belongs_to_no_stream_is_refused() {
    let sample = Sample::start();
    let line = Line::open(&sample, Some(OCTOCAT), "/mcp/v1/sse").await;
    let send = |place: &str| sample.ask_as(OCTOCAT, Method::POST, place);
    problem(
        send(&line.place)
            .json(&json!({ "no": "message" }))
            .send()
            .await
            .unwrap(),
        400,
    )
    .await;
    problem(send(&line.place).body("x").send().await.unwrap(), 415).await;
    problem(send("/mcp/v1/sse").json(&hello()).send().await.unwrap(), 400).await;
    problem(
        send("/mcp/v1/sse?sessionId=x")
            .json(&hello())
            .send()
            .await
            .unwrap(),
        404,
    )
    .await;
    let put = sample.ask(Method::PUT, &line.place).send().await.unwrap();
    assert_eq!(put.headers()["allow"], "GET, POST");
    problem(put, 405).await;
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let sample = Sample::start();
    let mut line = Line::open(&sample, Some(OCTOCAT), "/mcp/v1/sse").await;
    let stopped = tokio::spawn(sample.running.stop());
    assert_eq!(line.event().await, None);
    stopped.await.unwrap();
}

#[test]
fn the_typescript_sdk_calls_tools_over_it() {
    let sample = Sample::start();
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/clients");
    assert!(
        clients.join("node_modules").is_dir(),
        "the clients are not installed: run scripts/setup, or npm ci in crates/gateway/tests/clients"
    );
    for path in ["/mcp/v1/sse", "/mcp/v1"] {
        let output = Command::new("node")
            .arg(clients.join("sse.mjs"))
            .arg(format!("{}{path}", sample.running.url()))
            .args([
                "--header",
                "x-user-id: 583231",
                "--header",
                "x-auth-scope: read write",
            ])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(seen["pieces"], json!([0, 1, 2]), "{seen}");
        assert_eq!(seen["item"]["name"], "over SSE", "{seen}");
        assert_eq!(seen["items"], json!([seen["item"]]), "{seen}");
        assert_eq!(seen["deleted"], seen["item"], "{seen}");
    }
}
