//! A JSON object in a request's body.

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::{StatusCode, header},
    web::BytesMut,
};
use futures_util::StreamExt;
use mcp_gateway_model::error::ErrorCode;
use serde_json::{Map, Value};

use crate::door::Rejection;

/// The most bytes a registration may have.
const LIMIT: usize = 64 * 1024;

/// The members of the object. One that is `null` counts as left out.
#[derive(Debug)]
pub(crate) struct JsonObject(Map<String, Value>);

impl JsonObject {
    /// Reads an object.
    ///
    /// # Errors
    /// `invalid_client_metadata` for anything else.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(mut members)) => {
                members.retain(|_, value| !value.is_null());
                Ok(Self(members))
            }
            Ok(_) => Err(rejected("the body must be a JSON object", "not_an_object")),
            Err(error) => Err(rejected("the body is not valid JSON", "not_json").because(error.to_string())),
        }
    }

    /// The members.
    pub(crate) const fn members(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl FromRequest for JsonObject {
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Rejection>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let content_type = request.content_type().to_ascii_lowercase();
        let is_json = content_type == "application/json" || content_type.ends_with("+json");
        let may_be_json = is_json || !request.headers().contains_key(header::CONTENT_TYPE);
        let mut payload = payload.take();
        Box::pin(async move {
            if !may_be_json {
                return Err(rejected("the body must be application/json", "not_json"));
            }
            let mut body = BytesMut::new();
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|error| {
                    rejected("the body could not be read", "body_broken").because(error.to_string())
                })?;
                if body.len() + chunk.len() > LIMIT {
                    let text = format!("the body must be at most {LIMIT} bytes");
                    return Err(rejected(text, "body_too_large").with_status(StatusCode::PAYLOAD_TOO_LARGE));
                }
                body.extend_from_slice(&chunk);
            }
            Self::parse(&body)
        })
    }
}

fn rejected(description: impl Into<std::borrow::Cow<'static, str>>, reason: &'static str) -> Rejection {
    Rejection::new(ErrorCode::InvalidClientMetadata, description, reason)
}
