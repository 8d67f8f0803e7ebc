//! Answers stream: told by the order of events, not by the clock.

use futures_util::StreamExt;
use reqwest::Response;
use serde_json::{Value, json};

use crate::session::{Session, result};

/// Reads a stream of events until a message arrives for which `wanted` holds.
async fn until(
    answer: &mut (impl StreamExt<Item = reqwest::Result<bytes::Bytes>> + Unpin),
    wanted: fn(&Value) -> bool,
) -> Value {
    let mut text = String::new();
    while let Some(Ok(piece)) = answer.next().await {
        text.push_str(&String::from_utf8_lossy(&piece));
        let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
        let found = data
            .filter_map(|data| serde_json::from_str(data.trim()).ok())
            .find(wanted);
        if let Some(message) = found {
            return message;
        }
    }
    panic!("the stream ended before the message came: {text}");
}

fn is_stream(answer: &Response) -> bool {
    answer.headers()["content-type"]
        .to_str()
        .is_ok_and(|kind| kind.starts_with("text/event-stream"))
}

#[tokio::test]
async fn progress_arrives_while_the_call_still_waits() {
    let session = Session::open("2025-11-25").await;
    let params = json!({
        "name": "hold",
        "arguments": { "name": "a" },
        "_meta": { "progressToken": "p" },
    });
    let answer = session.call("tools/call", &params).send().await.unwrap();
    assert!(is_stream(&answer));
    let mut held = answer.bytes_stream();
    let progress = until(&mut held, |message| message["method"] == "notifications/progress").await;
    assert_eq!(progress["params"]["message"], "held");
    // only now is the call let go: what came before cannot have waited for the end of the answer
    let released = result(
        session
            .tool("release", &json!({ "name": "a" }))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(released["isError"], false);
    let done = until(&mut held, |message| message.get("result").is_some()).await;
    assert_eq!(done["result"]["content"][0]["text"], "a was released");
}

#[tokio::test]
async fn releasing_what_nobody_holds_is_an_error_of_the_tool() {
    let session = Session::open("2025-11-25").await;
    let released = result(
        session
            .tool("release", &json!({ "name": "b" }))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(released["isError"], true);
}

#[tokio::test]
async fn the_stream_of_a_session_stays_open_until_the_server_stops() {
    let session = Session::open("2025-11-25").await;
    let answer = session
        .client
        .get(session.running.mcp_url())
        .header("Accept", "text/event-stream")
        .header("Mcp-Session-Id", session.id.as_deref().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert!(is_stream(&answer));
    let mut events = answer.bytes_stream();
    assert!(
        events.next().await.unwrap().is_ok(),
        "the first event comes at once"
    );
    let stopped = tokio::spawn(session.running.stop());
    while let Some(Ok(_)) = events.next().await {}
    stopped.await.unwrap();
}
