//! The requests, as they go over the wire.

use serde_json::Value;
use url::form_urlencoded;

use crate::{
    Answer,
    client::Line,
    seed::Seed,
    stage::{REDIRECT, RESOURCE, VERIFIER},
};

/// What Traefik asks about a call of the protected server, with the headers that come with one.
pub(crate) fn verify(path: &str, token: &str) -> String {
    verify_from(path, token, "192.0.2.7")
}

/// The same about a call from an address.
pub(crate) fn verify_from(path: &str, token: &str, address: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: application/json, text/event-stream\r\n\
         Content-Type: application/json\r\nMcp-Protocol-Version: 2025-06-18\r\nX-Forwarded-For: {address}\r\n\
         X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: echo.bench.test\r\n\
         X-Forwarded-Uri: /mcp\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
}

/// What Traefik asks about the call of a tool where there are rules for tools: with the body of the call.
pub(crate) fn verify_tool(token: &str) -> String {
    let body = serde_json::json!({
        "jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": { "name": "get_note", "arguments": { "path": "shopping/list", "lines": 20 } },
    })
    .to_string();
    format!(
        "GET /verify HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: application/json, text/event-stream\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nMcp-Protocol-Version: 2025-06-18\r\n\
         X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Proto: https\r\n\
         X-Forwarded-Host: tools.bench.test\r\nX-Forwarded-Uri: /mcp\r\nAuthorization: Bearer {token}\r\n\r\n{body}",
        body.len()
    )
}

/// A call of the protected server through Traefik.
pub(crate) fn call(token: &str) -> String {
    format!(
        "GET /mcp HTTP/1.1\r\nHost: echo.bench.test\r\nUser-Agent: bench\r\nAccept: application/json, text/event-stream\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    )
}

/// A registration.
pub(crate) fn register(method: &str) -> String {
    let body = serde_json::json!({
        "client_name": "Bench", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": method,
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
    });
    post("/register", "application/json", &body.to_string())
}

/// The exchange of a code.
pub(crate) fn exchange(code: &str, client: &Registered) -> String {
    let mut form = client.form();
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", REDIRECT)
        .append_pair("code_verifier", VERIFIER)
        .append_pair("resource", RESOURCE);
    post("/token", FORM, &form.finish())
}

/// A question about a token.
pub(crate) fn introspect(token: &str, client: &Registered) -> String {
    let mut form = client.form();
    form.append_pair("token", token);
    post("/introspect", FORM, &form.finish())
}

const FORM: &str = "application/x-www-form-urlencoded";

fn post(path: &str, kind: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: application/json\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A client that registered itself.
pub(crate) struct Registered {
    pub(crate) id: String,
    secret: Option<String>,
}

impl Registered {
    /// Registers one at the server at `port`.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) async fn at(port: u16, method: &str) -> Answer<Self> {
        let answer = json(port, &register(method), 201).await?;
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Ok(Self {
            id: text("client_id").ok_or("a registration without client_id")?,
            secret: text("client_secret"),
        })
    }

    fn form(&self) -> form_urlencoded::Serializer<'static, String> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &self.id);
        if let Some(secret) = &self.secret {
            form.append_pair("client_secret", secret);
        }
        form
    }

    /// The exchanges of the codes of these grants.
    pub(crate) fn exchanges(&self, seeds: &[Seed]) -> Vec<String> {
        seeds.iter().map(|seed| exchange(&seed.code, self)).collect()
    }
}

/// Asks once; answers the JSON.
///
/// # Errors
/// When the answer has another status, or is no JSON.
pub(crate) async fn json(port: u16, request: &str, expected: u16) -> Answer<Value> {
    let mut line = Line::open(port).await?;
    let status = line.ask(request.as_bytes()).await?;
    if status != expected {
        let body = String::from_utf8_lossy(line.body()).into_owned();
        return Err(format!("{status} was answered where {expected} was expected: {body}").into());
    }
    Ok(serde_json::from_slice(line.body())?)
}
