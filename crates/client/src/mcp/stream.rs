//! Answers: one JSON document, or a stream of events
//! ([Server-Sent Events](https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation)).

use std::collections::VecDeque;

use reqwest::{
    Response,
    header::{CONTENT_TYPE, HeaderMap},
};
use serde_json::Value;

use super::McpFault;

/// The most bytes of one message, and of all pages of a list together.
pub(super) const LARGEST: usize = 16 * 1024 * 1024;

/// The messages of an answer, one after the other.
pub(super) struct Answers {
    /// The header fields that came with it.
    pub(super) headers: HeaderMap,
    ready: VecDeque<Value>,
    /// Where more come from.
    stream: Option<(Response, Events)>,
}

/// Looks at status and type of `response`; reads it to its end unless it is a stream.
pub(super) async fn read<F>(mut response: Response) -> Result<Answers, McpFault<F>> {
    let status = response.status();
    let headers = response.headers().clone();
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if status.is_success() && essence == "text/event-stream" {
        return Ok(Answers {
            headers,
            ready: VecDeque::new(),
            stream: Some((response, Events::default())),
        });
    }
    let mut body = Vec::new();
    while let Some(chunk) = chunk(&mut response).await? {
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err(McpFault::TooLarge(LARGEST));
        }
    }
    let ready = messages(&body);
    if !status.is_success() && !ready.iter().any(|message| message["error"].is_object()) {
        return Err(McpFault::Status(status.as_u16()));
    }
    if ready.is_empty() && !body.iter().all(u8::is_ascii_whitespace) {
        return Err(McpFault::NotMcp("it is not JSON-RPC"));
    }
    Ok(Answers {
        headers,
        ready: ready.into(),
        stream: None,
    })
}

impl Answers {
    /// The next message; none at the end.
    pub(super) async fn next<F>(&mut self) -> Result<Option<Value>, McpFault<F>> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            let Some((response, events)) = &mut self.stream else {
                return Ok(None);
            };
            match chunk(response).await? {
                Some(chunk) => {
                    let found = events.feed(&chunk).ok_or(McpFault::TooLarge(LARGEST))?;
                    self.ready.extend(found.iter().flat_map(|event| messages(event)));
                }
                None => self.stream = None,
            }
        }
    }
}

async fn chunk<F>(response: &mut Response) -> Result<Option<Vec<u8>>, McpFault<F>> {
    let read = response.chunk().await;
    let chunk = read.map_err(|error| McpFault::Broken(error.without_url().to_string()))?;
    Ok(chunk.map(|bytes| bytes.to_vec()))
}

/// The messages in a document: one, or as many as an answer of revision 2025-03-26 has.
fn messages(body: &[u8]) -> Vec<Value> {
    match serde_json::from_slice(body) {
        Ok(Value::Array(all)) => all,
        Ok(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    }
}

/// Takes bytes as they come, and gives the data of each event.
#[derive(Default)]
struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    /// Whether the last byte ended a line in a way that a line feed may still belong to.
    after_return: bool,
}

impl Events {
    /// The events that `bytes` complete; nothing when one is too large.
    fn feed(&mut self, bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut events = Vec::new();
        for byte in bytes {
            let is_rest_of_end = *byte == b'\n' && self.after_return;
            self.after_return = *byte == b'\r';
            match byte {
                b'\n' if is_rest_of_end => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                other => self.line.push(*other),
            }
            if self.line.len() + self.data.len() > LARGEST {
                return None;
            }
        }
        Some(events)
    }

    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return (!data.is_empty()).then_some(data);
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data
                .extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(chunks: &[&str]) -> Vec<String> {
        let mut events = Events::default();
        let found = chunks
            .iter()
            .flat_map(|chunk| events.feed(chunk.as_bytes()).unwrap());
        found.map(|event| String::from_utf8(event).unwrap()).collect()
    }

    #[test]
    fn events_are_found_however_they_are_cut_and_however_lines_end() {
        let text =
            ": a comment\nid: 1\nevent: message\ndata: {\"a\":1}\n\ndata:{\ndata: \"b\":2}\n\nretry: 5\n\n";
        let expected = ["{\"a\":1}", "{\n\"b\":2}"];
        for end in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', end);
            assert_eq!(events(&[&text]), expected, "{end:?}");
            let bytes: Vec<_> = text.chars().map(String::from).collect();
            let bytes: Vec<_> = bytes.iter().map(String::as_str).collect();
            assert_eq!(events(&bytes), expected, "{end:?}");
        }
    }

    #[test]
    fn an_event_that_never_ends_is_given_up() {
        let mut events = Events::default();
        let piece = vec![b'a'; 1024 * 1024];
        let given_up = (0..17).any(|_| events.feed(&piece).is_none());
        assert!(given_up);
    }
}
