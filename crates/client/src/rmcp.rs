//! What gives the official Rust SDK its tokens: an HTTP client for its transport that logs in, refreshes and steps up by
//! itself.
//!
//! ```no_run
//! # async fn example(connection: mcp_gateway_client::connection::Connection) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use mcp_gateway_client::rmcp::Authorized;
//! use rmcp::{
//!     ServiceExt,
//!     transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
//! };
//!
//! let server = connection.server().as_str().to_owned();
//! let transport = StreamableHttpClientTransport::with_client(
//!     Authorized::new(Arc::new(connection)),
//!     StreamableHttpClientTransportConfig::with_uri(server),
//! );
//! let client = ().serve(transport).await?;
//! println!("{:?}", client.list_all_tools().await?);
//! # Ok(())
//! # }
//! ```

mod bounded;

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use bounded::Bounded;
use futures_util::{StreamExt, stream::BoxStream};
use reqwest::{
    Method, Request, Response, StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use rmcp::{
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    transport::streamable_http_client::{
        AuthRequiredError, HttpStatusError, InsufficientScopeError, SseError, StreamableHttpClient,
        StreamableHttpError, StreamableHttpPostResponse,
    },
};
use sse_stream::{Sse, SseStream};
use url::Url;

use crate::{
    connection::{Connection, ConnectionFault},
    discover::Challenge,
    http::HttpFault,
};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
/// The most bytes of an answer that is no stream.
const LIMIT: usize = 16 * 1024 * 1024;
/// The most bytes of one event, unless the transport says otherwise.
const EVENT: usize = 16 * 1024 * 1024;

type Fault = StreamableHttpError<ConnectionFault>;
type Fields = HashMap<HeaderName, HeaderValue>;

/// A [`Connection`] as the SDK's transport wants it. A token that the transport itself is given is not sent: the connection
/// has its own.
#[derive(Clone, Debug)]
pub struct Authorized(Arc<Connection>);

impl Authorized {
    /// What sends the transport's messages with the tokens of `connection`.
    #[must_use]
    pub const fn new(connection: Arc<Connection>) -> Self {
        Self(connection)
    }

    async fn send(&self, request: Request) -> Result<Response, Fault> {
        self.0.execute(request).await.map_err(StreamableHttpError::Client)
    }
}

impl StreamableHttpClient for Authorized {
    type Error = ConnectionFault;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: Fields,
    ) -> Result<StreamableHttpPostResponse, Fault> {
        self.post_message_with_max_sse_event_size(
            uri,
            message,
            session_id,
            auth_header,
            custom_headers,
            EVENT,
        )
        .await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _: Option<String>,
        custom_headers: Fields,
        max_sse_event_size: usize,
    ) -> Result<StreamableHttpPostResponse, Fault> {
        let mut request = request(Method::POST, &uri, session_id.as_deref(), custom_headers)?;
        let accept = HeaderValue::from_static("application/json, text/event-stream");
        request.headers_mut().insert(header::ACCEPT, accept);
        let json = HeaderValue::from_static(JSON);
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        *request.body_mut() = Some(serde_json::to_vec(&message)?.into());
        let response = self.send(request).await?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND && session_id.is_some() {
            return Err(StreamableHttpError::SessionExpired);
        }
        let response = granted(response)?;
        if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        let session = field(response.headers(), &SESSION).map(ToOwned::to_owned);
        let is_request = matches!(message, ClientJsonRpcMessage::Request(_));
        match field(response.headers(), &header::CONTENT_TYPE) {
            Some(kind) if kind.starts_with(EVENTS) => {
                let events = events(response, max_sse_event_size);
                Ok(StreamableHttpPostResponse::Sse(events, session))
            }
            Some(kind) if kind.starts_with(JSON) => match answer(response).await? {
                Some(message) => Ok(StreamableHttpPostResponse::Json(message, session)),
                // some answer with an empty 200 where a 202 belongs
                None if !is_request => Ok(StreamableHttpPostResponse::Accepted),
                None => Err(StreamableHttpError::UnexpectedEndOfStream),
            },
            None if status.is_success() && !is_request => Ok(StreamableHttpPostResponse::Accepted),
            _ if !status.is_success() => Err(HttpStatusError::new(status.as_u16(), None).into()),
            kind => Err(StreamableHttpError::UnexpectedContentType(
                kind.map(ToOwned::to_owned),
            )),
        }
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        _: Option<String>,
        custom_headers: Fields,
    ) -> Result<(), Fault> {
        let request = request(Method::DELETE, &uri, Some(&session_id), custom_headers)?;
        let response = granted(self.send(request).await?)?;
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => Err(StreamableHttpError::ServerDoesNotSupportDeleteSession),
            status if status.is_success() => Ok(()),
            status => Err(HttpStatusError::new(status.as_u16(), None).into()),
        }
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: Fields,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Fault> {
        self.get_stream_with_max_sse_event_size(
            uri,
            session_id,
            last_event_id,
            auth_header,
            custom_headers,
            EVENT,
        )
        .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        _: Option<String>,
        custom_headers: Fields,
        max_sse_event_size: usize,
    ) -> Result<BoxStream<'static, Result<Sse, SseError>>, Fault> {
        let mut request = request(Method::GET, &uri, session_id.as_deref(), custom_headers)?;
        let accept = HeaderValue::from_static(EVENTS);
        request.headers_mut().insert(header::ACCEPT, accept);
        if let Some(id) = last_event_id {
            request.headers_mut().insert(LAST_EVENT, text(&id)?);
        }
        let response = granted(self.send(request).await?)?;
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => return Err(StreamableHttpError::ServerDoesNotSupportSse),
            status if !status.is_success() => {
                return Err(HttpStatusError::new(status.as_u16(), None).into());
            }
            _ => {}
        }
        match field(response.headers(), &header::CONTENT_TYPE) {
            Some(kind) if kind.starts_with(EVENTS) => Ok(events(response, max_sse_event_size)),
            kind => Err(StreamableHttpError::UnexpectedContentType(
                kind.map(ToOwned::to_owned),
            )),
        }
    }
}

fn request(method: Method, uri: &str, session: Option<&str>, fields: Fields) -> Result<Request, Fault> {
    let not_a_url = || StreamableHttpError::UnexpectedServerResponse(Cow::from("its address is not a URL"));
    let mut request = Request::new(method, Url::parse(uri).map_err(|_| not_a_url())?);
    // what the protocol and the connection write themselves comes after these, in their place
    request.headers_mut().extend(fields);
    if let Some(session) = session {
        request.headers_mut().insert(SESSION, text(session)?);
    }
    Ok(request)
}

fn text(text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::try_from(text).map_err(|_| {
        StreamableHttpError::UnexpectedServerResponse(Cow::from(
            "it gave a name that no header field can have",
        ))
    })
}

fn field<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Tells the SDK that even the connection was not let in.
fn granted(response: Response) -> Result<Response, Fault> {
    let challenge = field(response.headers(), &header::WWW_AUTHENTICATE).map(ToOwned::to_owned);
    match (response.status(), challenge) {
        (StatusCode::UNAUTHORIZED, Some(challenge)) => Err(StreamableHttpError::AuthRequired(
            AuthRequiredError::new(challenge),
        )),
        (StatusCode::FORBIDDEN, Some(text)) => {
            let challenge = Challenge::for_token(response.headers());
            let scope = challenge
                .as_ref()
                .and_then(Challenge::scope)
                .map(ToOwned::to_owned);
            Err(StreamableHttpError::InsufficientScope(
                InsufficientScopeError::new(text, scope),
            ))
        }
        _ => Ok(response),
    }
}

/// The message in an answer that is no stream, whatever its status.
async fn answer(mut response: Response) -> Result<Option<ServerJsonRpcMessage>, Fault> {
    let status = response.status();
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await.map_err(|_| broken())?;
        let Some(chunk) = chunk else { break };
        if body.len() + chunk.len() > LIMIT {
            return Err(StreamableHttpError::ResponseBodyTooLarge { max_size: LIMIT });
        }
        body.extend_from_slice(&chunk);
    }
    if body.is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice(&body) {
        Ok(message) => Ok(Some(message)),
        Err(_) if !status.is_success() => Err(HttpStatusError::new(status.as_u16(), None).into()),
        Err(error) => Err(error.into()),
    }
}

fn broken() -> Fault {
    let fault = HttpFault::Broken("its answer is not whole".to_owned());
    StreamableHttpError::Client(fault.into())
}

fn events(response: Response, limit: usize) -> BoxStream<'static, Result<Sse, SseError>> {
    SseStream::from_bytes_stream(Bounded::new(response.bytes_stream(), limit)).boxed()
}
