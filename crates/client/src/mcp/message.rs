//! JSON-RPC messages, and what each of them says about itself.

use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use super::{McpFault, RpcError};

/// The newest revision: every request says of itself what it is.
pub(super) const MODERN: &str = "2026-07-28";

/// What the server understands.
pub(super) enum Era {
    /// Requests that say of themselves what they are.
    Modern,
    /// A handshake that has begun.
    Beginning,
    /// Requests behind a handshake.
    Legacy {
        version: String,
        session: Option<HeaderValue>,
    },
}

impl Era {
    /// The revision that the header names.
    pub(super) fn version(&self) -> Option<&str> {
        match self {
            Self::Modern => Some(MODERN),
            Self::Beginning => None,
            Self::Legacy { version, .. } => Some(version),
        }
    }
}

/// Who asks.
pub(super) fn client() -> Value {
    json!({ "name": "mcp-oauth", "version": env!("CARGO_PKG_VERSION") })
}

/// The metadata of a request
/// ([`_meta`](https://modelcontextprotocol.io/specification/2026-07-28/basic/index#meta)).
pub(super) fn meta(era: &Era, id: u64, capabilities: Value) -> Value {
    let mut meta = json!({ "progressToken": id });
    if matches!(era, Era::Modern) {
        meta["io.modelcontextprotocol/protocolVersion"] = MODERN.into();
        meta["io.modelcontextprotocol/clientInfo"] = client();
        meta["io.modelcontextprotocol/clientCapabilities"] = capabilities;
    }
    meta
}

/// The result in an answer.
pub(super) fn result<F>(mut message: Value) -> Result<Value, McpFault<F>> {
    if message["error"].is_object() {
        let error = &mut message["error"];
        return Err(McpFault::Rpc(RpcError {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"]
                .as_str()
                .unwrap_or("the server does not say why")
                .to_owned(),
            data: error["data"].take(),
        }));
    }
    match message.get_mut("result").map(Value::take) {
        Some(result) if result.is_object() => Ok(result),
        _ => Err(McpFault::NotMcp("neither a result nor an error")),
    }
}

/// What a server tells while it works.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// How far it is.
    Progress {
        /// What is done.
        done: f64,
        /// Of how much, if that is known.
        total: Option<f64>,
        /// What it is doing.
        message: Option<String>,
    },
    /// Something it wants to be read.
    Log(String),
}

impl Notice {
    pub(super) fn of(message: &Value) -> Option<Self> {
        let params = &message["params"];
        match message["method"].as_str()? {
            "notifications/progress" => Some(Self::Progress {
                done: params["progress"].as_f64()?,
                total: params["total"].as_f64(),
                message: params["message"].as_str().map(str::to_owned),
            }),
            "notifications/message" => Some(Self::Log(match &params["data"] {
                Value::String(text) => text.clone(),
                data => data.to_string(),
            })),
            _ => None,
        }
    }
}
