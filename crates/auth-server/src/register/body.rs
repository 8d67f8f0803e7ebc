//! A JSON object in a request's body.

use std::{fmt, future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::{StatusCode, header},
    web::BytesMut,
};
use futures_util::StreamExt;
use mcp_gateway_model::error::ErrorCode;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::door::Rejection;

/// The most bytes a registration may have.
const LIMIT: usize = 64 * 1024;

/// The members of the object, each sent once. One that is `null` counts as left out.
pub(crate) struct JsonObject(Map<String, Value>);

/// Names only: a client secret may be among the values.
impl fmt::Debug for JsonObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl JsonObject {
    /// Reads an object. Of a member that is there twice, one reader takes the first and another the last
    /// ([RFC 8259 §4](https://www.rfc-editor.org/rfc/rfc8259#section-4)): that is refused.
    ///
    /// # Errors
    /// `invalid_client_metadata` for anything else.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Rejection> {
        let Pairs(pairs) = serde_json::from_slice(bytes).map_err(|error| {
            if error.is_data() {
                rejected("the body must be a JSON object", "not_an_object")
            } else {
                rejected("the body is not valid JSON", "not_json").because(error.to_string())
            }
        })?;
        let mut members = Map::new();
        for (name, value) in pairs {
            if members.contains_key(&name) {
                return Err(repeated(&name));
            }
            members.insert(name, value);
        }
        members.retain(|_, value| !value.is_null());
        Ok(Self(members))
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

/// The members of an object as they were sent.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

fn repeated(name: &str) -> Rejection {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "_-.#".contains(*c);
    let shown: String = name.chars().filter(plain).take(40).collect();
    rejected(format!("{shown} was sent more than once"), "member_repeated")
}

fn rejected(description: impl Into<std::borrow::Cow<'static, str>>, reason: &'static str) -> Rejection {
    Rejection::new(ErrorCode::InvalidClientMetadata, description, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_was_sent_twice_is_named_and_refused() {
        for body in [
            r#"{"client_name": "a", "client_name": "b"}"#,
            r#"{"client_name": null, "client_name": "b"}"#,
            r#"{"client_name": "a", "x": 1, "client_n\u0061me": "a"}"#,
        ] {
            let refused = JsonObject::parse(body.as_bytes()).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::InvalidClientMetadata);
            assert_eq!(
                refused.description(),
                "client_name was sent more than once",
                "{body}"
            );
        }
        let below = JsonObject::parse(br#"{"x": {"a": 1, "a": 2}}"#).unwrap();
        assert_eq!(below.members().len(), 1);
    }

    #[test]
    fn what_is_no_object_or_no_json_is_refused_as_such() {
        let reason = |body: &str| JsonObject::parse(body.as_bytes()).unwrap_err().reason().code;
        for body in ["[]", "\"x\"", "1", "null", "true"] {
            assert_eq!(reason(body), "not_an_object", "{body}");
        }
        for body in ["", "{", "{} {}", r#"{"a": 1e999}"#, r#"{"a"}"#, "nul"] {
            assert_eq!(reason(body), "not_json", "{body}");
        }
    }

    #[test]
    fn debug_text_shows_names_and_no_values() {
        let object = JsonObject::parse(br#"{"client_secret": "hunter2"}"#).unwrap();
        assert_eq!(format!("{object:?}"), r#"{"client_secret"}"#);
    }
}
