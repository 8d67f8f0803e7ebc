//! What carries requests to an MCP server.

use std::{error::Error, future::Future};

use reqwest::{Request, Response};
use serde_json::{Value, json};

use crate::{
    connection::{Connection, ConnectionFault},
    http::{Http, HttpFault},
};

/// What carries requests to an MCP server, and puts a token on them where one is needed.
pub trait Wire: Send + Sync {
    /// Why a request brought no answer.
    type Fault: Error + Send + Sync + 'static;

    /// Sends a request. The answer's body may be a stream.
    fn send(&self, request: Request) -> impl Future<Output = Result<Response, Self::Fault>> + Send;

    /// What the client says that it can, in each request
    /// ([capabilities](https://modelcontextprotocol.io/specification/2026-07-28/basic/index#capabilities)).
    fn capabilities(&self) -> Value {
        json!({})
    }
}

impl Wire for &Http {
    type Fault = HttpFault;

    async fn send(&self, request: Request) -> Result<Response, HttpFault> {
        self.stream(request).await
    }
}

impl Wire for &Connection {
    type Fault = ConnectionFault;

    async fn send(&self, request: Request) -> Result<Response, ConnectionFault> {
        self.execute(request).await
    }

    fn capabilities(&self) -> Value {
        match self.extension() {
            Some(extension) => json!({ "extensions": { extension: {} } }),
            None => json!({}),
        }
    }
}
