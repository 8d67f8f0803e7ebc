//! What a message needs before it is served: a client without a token gets a 401 where the server stands alone, and one without
//! enough scopes a 403, so that it can log in and ask for more. A tool's error inside of a 200 tells it neither.

use serde_json::Value;

use super::{protection::Need, tools};

/// What nobody needs a token for: a client learns there what the server is and how to log in.
const OPEN: &[&str] = &["initialize", "ping", "server/discover", "tools/list"];

/// What the messages in a body need. What is no message needs nothing: it is refused as what it is.
pub(super) fn needs(body: &[u8]) -> Vec<Need> {
    match serde_json::from_slice(body) {
        Ok(Value::Array(messages)) => messages.iter().map(need).collect(),
        Ok(message) => vec![need(&message)],
        Err(_) => Vec::new(),
    }
}

fn need(message: &Value) -> Need {
    match message["method"].as_str() {
        // an answer to what the server asked
        None => Need::Nothing,
        Some(open) if OPEN.contains(&open) || open.starts_with("notifications/") => Need::Nothing,
        Some("tools/call") => tools::need(message["params"]["name"].as_str().unwrap_or_default()),
        Some(_) => Need::Admission,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_tells_how_to_log_in_is_open() {
        for (message, need) in [
            (json!({ "method": "initialize" }), Need::Nothing),
            (json!({ "method": "notifications/initialized" }), Need::Nothing),
            (json!({ "method": "tools/list" }), Need::Nothing),
            (json!({ "result": {} }), Need::Nothing),
            (json!({ "method": "resources/read" }), Need::Admission),
            (json!({ "method": "tools/call" }), Need::Admission),
            (call("nowhere"), Need::Admission),
            (call("oauth_authenticate"), Need::Nothing),
            (call("echo"), Need::Admission),
            (call("get_data"), Need::Scope("read")),
            (call("delete_data"), Need::Scope("write")),
        ] {
            assert_eq!(needs(message.to_string().as_bytes()), [need], "{message}");
        }
        let batch = json!([call("get_data"), call("create_data")]).to_string();
        assert_eq!(
            needs(batch.as_bytes()),
            [Need::Scope("read"), Need::Scope("write")]
        );
        assert_eq!(needs(b"{"), []);
    }

    fn call(tool: &str) -> Value {
        json!({ "method": "tools/call", "params": { "name": tool } })
    }
}
