//! The doors an error leaves by: JSON to a client, a redirect to a registered URI, a page to a person.

mod rejection;

pub(crate) use rejection::Rejection;
