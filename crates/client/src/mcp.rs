//! As much of an MCP client as a command needs: tools are listed and called over Streamable HTTP
//! ([MCP, revision 2026-07-28](https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http)),
//! with servers of every revision since 2025-03-26.

mod fault;
mod header;
mod message;
mod stream;
mod tool;
mod wire;

use reqwest::{
    Method, Request,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Map, Value, json};
use url::Url;

pub use fault::{McpFault, RpcError};
pub use message::Notice;
pub use tool::{Outcome, Tool};
pub use wire::Wire;

use message::{Era, MODERN, meta};

/// The revision that is asked for where a server wants to be initialized.
const LEGACY: &str = "2025-11-25";
/// The revisions that such a server may choose.
const LEGACIES: [&str; 4] = [LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"];
/// The most pages of a list.
const PAGES: usize = 1000;
/// The most tools that a list is read for.
const TOOLS: usize = 10_000;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// What is told while a call runs.
pub type Listener = Box<dyn Fn(Notice) + Send + Sync>;

/// A conversation with an MCP server.
pub struct Session<W> {
    wire: W,
    url: Url,
    era: Era,
    last_id: u64,
    listener: Listener,
}

impl<W: Wire> Session<W> {
    /// Begins a conversation: a request of the newest revision, and the handshake of the older ones where the server does
    /// not understand it
    /// ([Backward Compatibility](https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#backward-compatibility)).
    ///
    /// # Errors
    /// [`McpFault`] when the server cannot be reached, or speaks no revision that is known here.
    pub async fn open(wire: W, url: Url, listener: Listener) -> Result<Self, McpFault<W::Fault>> {
        let mut session = Self {
            wire,
            url,
            era: Era::Modern,
            last_id: 0,
            listener,
        };
        let versions = match session.ask("server/discover", Map::new(), HeaderMap::new()).await {
            Ok(found) => versions(&found["supportedVersions"]),
            Err(McpFault::Rpc(error)) if error.is_of_version() => versions(&error.data["supported"]),
            Err(fault) if fault.is_misunderstanding() => vec![LEGACY.to_owned()],
            Err(fault) => return Err(fault),
        };
        if versions.is_empty() || versions.iter().any(|version| version == MODERN) {
            return Ok(session);
        }
        let known = versions
            .iter()
            .find(|version| LEGACIES.contains(&version.as_str()));
        let version = known.cloned().ok_or(McpFault::Versions(versions))?;
        session.initialize(version).await?;
        Ok(session)
    }

    /// The handshake of revisions up to 2025-11-25.
    async fn initialize(&mut self, version: String) -> Result<(), McpFault<W::Fault>> {
        self.era = Era::Beginning;
        let params = json!({
            "protocolVersion": version,
            "capabilities": self.wire.capabilities(),
            "clientInfo": message::client(),
        });
        let (result, headers) = self
            .exchange("initialize", object(params), HeaderMap::new())
            .await?;
        let chosen = result["protocolVersion"].as_str().unwrap_or_default();
        if !LEGACIES.contains(&chosen) {
            return Err(McpFault::Versions(vec![chosen.to_owned()]));
        }
        self.era = Era::Legacy {
            version: chosen.to_owned(),
            session: headers.get(SESSION).cloned(),
        };
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.post(&initialized, HeaderMap::new()).await.map(drop)
    }

    /// All tools, in the server's order.
    ///
    /// # Errors
    /// [`McpFault`] when the server does not answer with a list.
    pub async fn tools(&mut self) -> Result<Vec<Tool>, McpFault<W::Fault>> {
        let mut tools = Vec::new();
        let (mut cursor, mut size) = (None, 0);
        for _ in 0..PAGES {
            let mut params = Map::new();
            params.extend(cursor.clone().map(|cursor| ("cursor".to_owned(), cursor)));
            let page = self.ask("tools/list", params, HeaderMap::new()).await?;
            let listed = page["tools"]
                .as_array()
                .ok_or(McpFault::NotMcp("no list of tools"))?;
            size += page.to_string().len();
            if size > stream::LARGEST || tools.len() + listed.len() > TOOLS {
                return Err(McpFault::TooLarge(stream::LARGEST));
            }
            for tool in listed {
                match Tool::read(tool) {
                    Ok(tool) => tools.push(tool),
                    Err(problem) => (self.listener)(Notice::Log(problem)),
                }
            }
            let next = page.get("nextCursor").filter(|next| next.is_string()).cloned();
            if next.is_none() || next == cursor {
                return Ok(tools);
            }
            cursor = next;
        }
        Ok(tools)
    }

    /// Calls `tool`.
    ///
    /// # Errors
    /// [`McpFault`] when there is no result. That the tool itself failed is in the [`Outcome`].
    pub async fn call(
        &mut self,
        tool: &Tool,
        arguments: Map<String, Value>,
    ) -> Result<Outcome, McpFault<W::Fault>> {
        let mut headers = HeaderMap::new();
        if matches!(self.era, Era::Modern) {
            headers.insert(NAME, header::value(&tool.name));
            headers.extend(tool.mirrored(&arguments));
        }
        let params = json!({ "name": tool.name, "arguments": arguments });
        let result = self.ask("tools/call", object(params), headers).await?;
        Outcome::read(result)
    }

    /// Ends the conversation. That the server keeps no record of it is no reason to fail.
    pub async fn close(self) {
        if let Era::Legacy {
            version,
            session: Some(session),
        } = self.era
        {
            let mut request = Request::new(Method::DELETE, self.url);
            request.headers_mut().insert(SESSION, session);
            request
                .headers_mut()
                .extend(HeaderValue::try_from(version).ok().map(|value| (VERSION, value)));
            let _ended = self.wire.send(request).await;
        }
    }

    async fn ask(
        &mut self,
        method: &str,
        params: Map<String, Value>,
        headers: HeaderMap,
    ) -> Result<Value, McpFault<W::Fault>> {
        self.exchange(method, params, headers)
            .await
            .map(|(result, _)| result)
    }

    /// A request and its result, with the header fields that came with it.
    async fn exchange(
        &mut self,
        method: &str,
        mut params: Map<String, Value>,
        mut headers: HeaderMap,
    ) -> Result<(Value, HeaderMap), McpFault<W::Fault>> {
        self.last_id += 1;
        let id = self.last_id;
        params.insert("_meta".to_owned(), meta(&self.era, id, self.wire.capabilities()));
        if matches!(self.era, Era::Modern) {
            headers.insert(METHOD, header::value(method));
        }
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut answers = self.post(&request, headers).await?;
        loop {
            let message = answers.next().await?.ok_or(McpFault::NoAnswer)?;
            if message["method"].is_string() {
                self.heard(&message).await?;
            } else if message["id"] == id || message["error"].is_object() {
                let result = message::result(message)?;
                return Ok((result, answers.headers));
            }
        }
    }

    /// What the server says of its own accord. A server of an older revision may ask, too: there is nothing that it could be
    /// given, but it is told so.
    async fn heard(&mut self, message: &Value) -> Result<(), McpFault<W::Fault>> {
        if let Some(notice) = Notice::of(message) {
            (self.listener)(notice);
        }
        let id = message.get("id").filter(|id| id.is_string() || id.is_number());
        let (Some(id), Era::Legacy { .. }) = (id, &self.era) else {
            return Ok(());
        };
        let answer = if message["method"] == "ping" {
            json!({ "jsonrpc": "2.0", "id": id, "result": {} })
        } else {
            let error = json!({ "code": -32601, "message": "This client has no such method" });
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        };
        self.post(&answer, HeaderMap::new()).await.map(drop)
    }

    async fn post(&self, message: &Value, headers: HeaderMap) -> Result<stream::Answers, McpFault<W::Fault>> {
        let mut request = Request::new(Method::POST, self.url.clone());
        *request.body_mut() = Some(message.to_string().into());
        let fields = request.headers_mut();
        fields.extend(headers);
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        fields.extend(
            self.era
                .version()
                .map(|version| (VERSION, header::value(version))),
        );
        if let Era::Legacy {
            session: Some(session),
            ..
        } = &self.era
        {
            fields.insert(SESSION, session.clone());
        }
        let response = self.wire.send(request).await.map_err(McpFault::Wire)?;
        stream::read(response).await
    }
}

fn versions(list: &Value) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
