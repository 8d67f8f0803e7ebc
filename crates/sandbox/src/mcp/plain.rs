//! The endpoints that need no envelope: `initialize`, `tools/list` and `tools/call` below `/mcp/v1`, whose bodies are the
//! parameters and whose answers are the result. There is no session.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Bytes, Data, Payload, ServiceConfig},
};
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http_body_util::BodyExt as _;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use serde_json::{Map, Value, json};

use super::{
    LARGEST_BODY, SampleServer, body,
    identity::Received,
    items::Fault,
    problem,
    tools::Tools,
    transport::{admitted, inbound},
};

/// The service behind the endpoints: one message, one answer.
pub(super) type Plain = StreamableHttpService<Tools, NeverSessionManager>;

/// Headers that belong to the other way of speaking.
const OF_THE_TRANSPORT: &[&str] = &[
    "mcp-session-id",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "last-event-id",
];

/// Sets up the service.
pub(super) fn service(tools: impl Fn() -> Tools + Send + Sync + 'static) -> Plain {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(LARGEST_BODY)
        // hosts were looked at when the request arrived
        .disable_allowed_hosts();
    StreamableHttpService::new(move || Ok(tools()), NeverSessionManager::default().into(), config)
}

/// Mounts the endpoints.
pub(super) fn configure(routes: &mut ServiceConfig) {
    for (path, method) in [
        ("/initialize", "initialize"),
        ("/tools/list", "tools/list"),
        ("/tools/call", "tools/call"),
    ] {
        let answer = move |request: HttpRequest, payload: Payload, server: Data<SampleServer>| async move {
            let asked = Asked {
                request,
                payload,
                method,
            };
            let answered = asked.answer(&server).await;
            answered.unwrap_or_else(|refusal| refusal)
        };
        routes.service(problem::resource(path, "POST").route(web::post().to(answer)));
    }
}

struct Asked {
    request: HttpRequest,
    payload: Payload,
    method: &'static str,
}

impl Asked {
    async fn answer(self, server: &SampleServer) -> Result<HttpResponse, HttpResponse> {
        let sent = body::read(self.payload, LARGEST_BODY).await?;
        let mut params = if sent.is_empty() {
            Map::new()
        } else {
            body::says_json(&self.request)?;
            body::object(&sent)?
        };
        check(self.method, &params)?;
        // whoever asks for progress would get more than one answer
        params.remove("_meta");
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": self.method, "params": params });
        let message = Bytes::from(message.to_string());
        let admitted = admitted(&self.request, &message, &server.protection).await;
        let caller = admitted.map_err(|refusal| problem::refused(&refusal))?;
        let mut inbound = inbound(&self.request, message, caller).map_err(|_| unreadable())?;
        let received = inbound.headers().clone();
        inbound.extensions_mut().insert(Received(received));
        let headers = inbound.headers_mut();
        for name in OF_THE_TRANSPORT {
            headers.remove(*name);
        }
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        Ok(outbound(server.plain.handle(inbound).await).await)
    }
}

/// What is missing, said in the words of the body that was sent.
fn check(method: &str, params: &Map<String, Value>) -> Result<(), HttpResponse> {
    let wrong = |member, detail: &str| {
        let detail = detail.to_owned();
        Err(problem::faulty(&[Fault { member, detail }]))
    };
    match method {
        "initialize" if !params.get("protocolVersion").is_some_and(Value::is_string) => wrong(
            "protocolVersion",
            "protocolVersion is missing: the revision of MCP that you speak",
        ),
        "tools/call" if !params.get("name").is_some_and(Value::is_string) => {
            wrong("name", "name is missing: the tool to call")
        }
        "tools/call" if params.get("arguments").is_some_and(|given| !given.is_object()) => {
            wrong("arguments", "arguments must be a JSON object")
        }
        _ => Ok(()),
    }
}

fn unreadable() -> HttpResponse {
    problem::answer(
        StatusCode::BAD_REQUEST,
        "the request's address or headers cannot be read",
    )
}

/// The result out of its envelope; a JSON-RPC error is a problem.
async fn outbound(response: http::Response<super::transport::Body>) -> HttpResponse {
    let bytes = match response.into_body().collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(never) => match never {},
    };
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(Value::Object(mut message)) if message.contains_key("result") => {
            HttpResponse::Ok().json(message.remove("result"))
        }
        Ok(message) if message["error"]["message"].is_string() => {
            let detail = message["error"]["message"].as_str().unwrap_or_default();
            problem::answer(StatusCode::BAD_REQUEST, detail)
        }
        _ => problem::answer(StatusCode::BAD_REQUEST, String::from_utf8_lossy(&bytes).as_ref()),
    }
}
