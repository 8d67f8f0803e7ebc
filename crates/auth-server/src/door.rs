//! The doors an error leaves by: JSON to a client, a redirect to a registered URI, a page to a person.

mod page;
mod redirect;
mod refusal;
mod rejection;

pub(crate) use page::Page;
pub(crate) use redirect::{BadReturn, Redirect, ReturnAddress};
pub(crate) use refusal::Refusal;
pub(crate) use rejection::{RATE_LIMITED, Rejection};
