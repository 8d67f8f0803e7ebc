//! What carries requests to an MCP server.

use std::{error::Error, future::Future};

use reqwest::{Request, Response};

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
}
