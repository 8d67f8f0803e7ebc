//! What handlers take out of a request: parsed at the door, valid from there on.

mod body;
mod context;
mod form;
mod host;

pub(crate) use body::{body, counted_body};
pub(crate) use context::Context;
pub(crate) use form::{Form, Parameters};
pub(crate) use host::{host, only};
