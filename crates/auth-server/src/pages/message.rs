//! A page that says one thing, and what to do next.

use std::borrow::Cow;

use askama::Template;

use super::Frame;

/// A link that leads on.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// Where to.
    pub(crate) address: String,
    /// What it says.
    pub(crate) label: Cow<'static, str>,
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct Message<'a> {
    /// What is around it.
    pub(crate) frame: Frame<'a>,
    /// What happened, in a few words.
    pub(crate) title: &'a str,
    /// What happened, in sentences.
    pub(crate) paragraphs: &'a [Cow<'static, str>],
    /// What can be done; the first is the likeliest.
    pub(crate) links: &'a [Link],
    /// Whether something went wrong, so that the request's name is shown.
    pub(crate) is_fault: bool,
}
