//! `Mcp-Method` and `Mcp-Name`: what clients of revision 2026-07-28 and later say about the body of a request in its headers
//! ([Streamable HTTP, request metadata](https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#request-metadata)).

use std::borrow::Cow;

use actix_web::http::header::HeaderMap;
use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_model::rule::Message;

use crate::reason::{Cause, Reason};

const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";
const REVISION: &str = "mcp-protocol-version";
/// The first revision whose servers compare these headers with the body.
const FIRST: &str = "2026-07-28";

/// What the headers of one request say.
pub(crate) struct Mirrored<'r> {
    method: Option<&'r str>,
    name: Option<Cow<'r, str>>,
    revision: Option<&'r str>,
}

impl<'r> Mirrored<'r> {
    /// Reads the headers; each may be there once.
    pub(crate) fn read(headers: &'r HeaderMap) -> Result<Self, Reason> {
        Ok(Self {
            method: at_most_once(headers, METHOD)?,
            name: at_most_once(headers, NAME)?.map(decoded).transpose()?,
            revision: at_most_once(headers, REVISION)?,
        })
    }

    /// Whether they say what every one of these messages says.
    pub(crate) fn agrees_with(&self, messages: &[Message<'_>]) -> Result<(), Reason> {
        let agree = messages.iter().all(|message| {
            let method = self.method.is_none_or(|method| message.method() == Some(method));
            method && self.name.as_deref().is_none_or(|name| message.is_about(name))
        });
        if agree { Ok(()) } else { Err(Reason::McpHeaders) }
    }

    /// What they say by themselves: nothing, unless the revision is one in which servers compare them with the body.
    pub(crate) fn alone(self) -> Result<Option<Message<'r>>, Cause> {
        let (Some(method), Some(revision)) = (self.method, self.revision) else {
            return Ok(None);
        };
        if !is_revision(revision) || revision < FIRST {
            return Ok(None);
        }
        let message = Message::mirrored(method, self.name);
        message.map(Some).map_err(Cause::of_body)
    }
}

fn at_most_once<'r>(headers: &'r HeaderMap, name: &str) -> Result<Option<&'r str>, Reason> {
    let mut values = headers.get_all(name);
    let value = values.next();
    if values.next().is_some() {
        return Err(Reason::McpHeaders);
    }
    let text = value.map(|value| value.to_str()).transpose();
    text.map_err(|_| Reason::McpHeaders)
}

/// A name that is not plain ASCII comes as `=?base64?...?=`.
fn decoded(text: &str) -> Result<Cow<'_, str>, Reason> {
    let inner = text.strip_prefix("=?base64?").and_then(|t| t.strip_suffix("?="));
    let Some(inner) = inner else {
        return Ok(Cow::Borrowed(text));
    };
    let bytes = STANDARD.decode(inner).map_err(|_| Reason::McpHeaders)?;
    let text = String::from_utf8(bytes).map_err(|_| Reason::McpHeaders)?;
    Ok(Cow::Owned(text))
}

/// Whether this is a date, so that it can be compared as a text.
fn is_revision(text: &str) -> bool {
    let digit_or_hyphen = |(i, b): (usize, u8)| {
        if [4, 7].contains(&i) {
            b == b'-'
        } else {
            b.is_ascii_digit()
        }
    };
    text.len() == 10 && text.bytes().enumerate().all(digit_or_hyphen)
}
