//! Parameters of queries and forms (RFC 6749 §3.1, §3.2): sent once or not at all, and an empty one counts as not sent.

use std::{collections::BTreeMap, fmt, future::Future, pin::Pin};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::StatusCode, web};
use futures_util::StreamExt;
use mcp_gateway_model::error::ErrorCode;

use crate::door::Rejection;

/// The most bytes a form may have.
const LIMIT: usize = 16 * 1024;

/// Parameters by name.
#[derive(Default)]
pub(crate) struct Parameters(BTreeMap<String, String>);

/// Names only: values are codes, tokens and secrets.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Parameters {
    /// Reads `application/x-www-form-urlencoded` text.
    ///
    /// # Errors
    /// `invalid_request` that names a parameter which was sent twice. `resource` may be repeated with the same value
    /// (RFC 8707 §2).
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Rejection> {
        let mut parameters = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(text) {
            if value.is_empty() {
                continue;
            }
            let (name, value) = (name.into_owned(), value.into_owned());
            match parameters.get(&name) {
                None => {
                    parameters.insert(name, value);
                }
                Some(before) if name == "resource" && *before == value => {}
                Some(_) if name == "resource" => {
                    return Err(Rejection::new(
                        ErrorCode::InvalidTarget,
                        "resource was sent with several values: ask for one at a time",
                        "several_resources",
                    ));
                }
                Some(_) => return Err(repeated(&name)),
            }
        }
        Ok(Self(parameters))
    }

    /// The parameter, if it was sent and is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Takes the parameter out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// The parameter.
    ///
    /// # Errors
    /// `invalid_request` that names it when it was not sent.
    pub(crate) fn require(&self, name: &'static str) -> Result<&str, Rejection> {
        self.get(name).ok_or_else(|| {
            Rejection::new(
                ErrorCode::InvalidRequest,
                format!("{name} is missing"),
                "parameter_missing",
            )
            .because(name)
        })
    }
}

fn repeated(name: &str) -> Rejection {
    let shown: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(40)
        .collect();
    Rejection::new(
        ErrorCode::InvalidRequest,
        format!("{shown} was sent more than once"),
        "parameter_repeated",
    )
}

/// The parameters of a form in a request's body.
#[derive(Debug)]
pub(crate) struct Form(pub(crate) Parameters);

impl FromRequest for Form {
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Rejection>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_form = request
            .content_type()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded");
        let mut payload = payload.take();
        Box::pin(async move {
            if !is_form {
                return Err(Rejection::new(
                    ErrorCode::InvalidRequest,
                    "the body must be application/x-www-form-urlencoded",
                    "not_a_form",
                ));
            }
            let mut body = web::BytesMut::new();
            while let Some(chunk) = payload.next().await {
                let chunk = chunk.map_err(|error| {
                    Rejection::new(
                        ErrorCode::InvalidRequest,
                        "the body could not be read",
                        "body_broken",
                    )
                    .because(error.to_string())
                })?;
                if body.len() + chunk.len() > LIMIT {
                    return Err(Rejection::new(
                        ErrorCode::InvalidRequest,
                        format!("the body must be at most {LIMIT} bytes"),
                        "body_too_large",
                    )
                    .with_status(StatusCode::PAYLOAD_TOO_LARGE));
                }
                body.extend_from_slice(&chunk);
            }
            Parameters::parse(&body).map(Self)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_text_shows_names_and_no_values() {
        let form = Form(Parameters::parse(b"code=mcp_ac_x&client_secret=hunter2").unwrap());
        assert_eq!(format!("{form:?}"), r#"Form({"client_secret", "code"})"#);
    }
}
