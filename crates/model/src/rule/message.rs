//! What the body of a request asks for: JSON-RPC messages ([JSON-RPC 2.0 §4](https://www.jsonrpc.org/specification#request_object)),
//! read so that no server can make something else of them than a rule did.

use std::{borrow::Cow, cell::Cell, collections::HashSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Call, TOOLS_CALL, pattern::is_plain_name};

/// The most messages of a batch.
const MOST: usize = 100;
/// The members of a message that mean something.
const OF_A_MESSAGE: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
/// The member whose own members some servers find in the object that it stands in.
const PROTOTYPE: &str = "__proto__";
/// The members of parameters that mean something.
const OF_PARAMETERS: [&str; 4] = ["name", "uri", "arguments", "_meta"];

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message<'b> {
    method: Option<Cow<'b, str>>,
    name: Option<Cow<'b, str>>,
    uri: Option<Cow<'b, str>>,
    is_response: bool,
}

impl<'b> Message<'b> {
    /// Reads a body: one message, or a batch of them. Everything is read to its end, and nothing may be there twice.
    ///
    /// # Errors
    /// [`BadBody`] says what is wrong.
    pub fn read(body: &'b [u8]) -> Result<Vec<Self>, BadBody> {
        if !matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
            return Err(BadBody::Message);
        }
        let fault = Cell::new(None);
        let mut json = serde_json::Deserializer::from_slice(body);
        let read = Body(&fault).deserialize(&mut json);
        let messages = read.and_then(|messages| json.end().map(|()| messages));
        let messages = messages.map_err(|_| fault.take().unwrap_or(BadBody::Json))?;
        messages.iter().try_for_each(Self::check)?;
        Ok(messages)
    }

    /// A message of which only the method and the name are known.
    ///
    /// # Errors
    /// [`BadBody`] when it would not be accepted in a body either.
    pub fn mirrored(method: &'b str, name: Option<Cow<'b, str>>) -> Result<Self, BadBody> {
        let message = Self {
            method: Some(Cow::Borrowed(method)),
            name,
            ..Self::default()
        };
        message.check()?;
        Ok(message)
    }

    /// What it asks for, as rules see it.
    #[must_use]
    pub fn call(&self) -> Call<'_> {
        let method = self.method.as_deref();
        Call {
            method,
            tool: self.name.as_deref().filter(|_| method == Some(TOOLS_CALL)),
        }
    }

    /// The MCP method; a response has none.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// Whether `name` is the tool, prompt or resource that it names; also if it names nothing that could be compared.
    #[must_use]
    pub fn is_about(&self, name: &str) -> bool {
        let own = [&self.name, &self.uri].map(Option::as_deref);
        match self.method() {
            Some(TOOLS_CALL | "prompts/get") => own[0] == Some(name),
            Some("resources/read") => own[1] == Some(name),
            _ => own == [None, None] || own.contains(&Some(name)),
        }
    }

    fn check(&self) -> Result<(), BadBody> {
        let Some(method) = self.method() else {
            // what is called without an envelope is named by the path, which rules of messages do not look at
            return if self.is_response {
                Ok(())
            } else {
                Err(BadBody::Message)
            };
        };
        if !is_plain_name(method) || (method != TOOLS_CALL && folded(method) == TOOLS_CALL) {
            return Err(BadBody::Method);
        }
        if method == TOOLS_CALL && !self.name.as_deref().is_some_and(is_plain_name) {
            return Err(BadBody::Tool);
        }
        Ok(())
    }
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// Not JSON in UTF-8, or nested too deeply, or more than one value.
    #[error("the body must be one JSON value in UTF-8, nested at most 128 deep, with nothing after it")]
    Json,
    /// Neither a message nor a list of them: no JSON object, or one that neither asks (`method`) nor answers (`result`, `error`).
    #[error("the body must be a JSON-RPC message, or a list of 1 to 100 messages")]
    Message,
    /// A member that is there twice, or that some readers take for another.
    #[error(
        "a member is there twice, its name differs from another only in the case of letters, or it is __proto__"
    )]
    Duplicate,
    /// Not the name of a method.
    #[error("method must be the name of an MCP method, exactly as it is written in the specification")]
    Method,
    /// A call of nothing.
    #[error("tools/call needs the name of a tool in params.name, as text without spaces around it")]
    Tool,
}

/// Where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Message,
    Parameters,
    Elsewhere,
}

/// Reads a whole body.
struct Body<'f>(&'f Cell<Option<BadBody>>);

impl<'de> DeserializeSeed<'de> for Body<'_> {
    type Value = Vec<Message<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Body<'_> {
    type Value = Vec<Message<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message or a list of messages")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Scan(self.0, Place::Message)
            .visit_map(map)
            .map(|found| vec![found.message])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut messages = Vec::new();
        while let Some(found) = list.next_element_seed(Scan(self.0, Place::Message))? {
            if !found.is_object || messages.len() == MOST {
                return fail(self.0, BadBody::Message);
            }
            messages.push(found.message);
        }
        if messages.is_empty() {
            return fail(self.0, BadBody::Message);
        }
        Ok(messages)
    }
}

/// Reads any value, and remembers what matters of it.
#[derive(Clone, Copy)]
struct Scan<'f>(&'f Cell<Option<BadBody>>, Place);

/// What a value was.
#[derive(Default)]
struct Found<'de> {
    text: Option<Cow<'de, str>>,
    is_object: bool,
    message: Message<'de>,
}

impl<'de> Found<'de> {
    const fn text(text: Cow<'de, str>) -> Self {
        Self {
            text: Some(text),
            is_object: false,
            message: Message {
                method: None,
                name: None,
                uri: None,
                is_response: false,
            },
        }
    }
}

impl<'de> DeserializeSeed<'de> for Scan<'_> {
    type Value = Found<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scan<'_> {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Found::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Found::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Found::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Found::default())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Found::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Found::text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Found::text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element_seed(Scan(self.0, Place::Elsewhere))?.is_some() {}
        Ok(Found::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self(fault, place) = self;
        let mut seen = HashSet::new();
        let mut found = Found {
            is_object: true,
            ..Found::default()
        };
        while let Some(key) = map.next_key_seed(Scan(fault, Place::Elsewhere))? {
            let key = key.text.unwrap_or_default();
            if is_disguised(&key, place) || seen.contains(&key) {
                return fail(fault, BadBody::Duplicate);
            }
            let inner = match (place, key.as_ref()) {
                (Place::Message, "params") => Place::Parameters,
                _ => Place::Elsewhere,
            };
            let value = map.next_value_seed(Scan(fault, inner))?;
            let message = &mut found.message;
            match (place, key.as_ref()) {
                (Place::Message, "method") if value.text.is_none() => return fail(fault, BadBody::Method),
                (Place::Message, "method") => message.method = value.text,
                (Place::Message, "result" | "error") => message.is_response = true,
                (Place::Message, "params") => {
                    (message.name, message.uri) = (value.message.name, value.message.uri);
                }
                (Place::Parameters, "name") => message.name = value.text,
                (Place::Parameters, "uri") => message.uri = value.text,
                _ => {}
            }
            seen.insert(key);
        }
        Ok(found)
    }
}

fn fail<T, E: Error>(fault: &Cell<Option<BadBody>>, what: BadBody) -> Result<T, E> {
    fault.set(Some(what));
    Err(E::custom(what))
}

/// Whether some readers would take `key` for a member that means something: those that ignore the case of letters, and
/// those in JavaScript that copy the object, and with it what is below [`PROTOTYPE`].
fn is_disguised(key: &str, place: Place) -> bool {
    let known: &[&str] = match place {
        Place::Message => &OF_A_MESSAGE,
        Place::Parameters => &OF_PARAMETERS,
        Place::Elsewhere => return false,
    };
    key == PROTOTYPE || !known.contains(&key) && known.contains(&folded(key).as_str())
}

/// Without the case of letters, however they are written (`ſ` is an `s`, the Kelvin sign a `k`).
fn folded(text: &str) -> String {
    text.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests;
