//! The page where a person types the code that a device shows.

use askama::Template;

use super::Frame;

/// The page.
#[derive(Template)]
#[template(path = "device.html")]
pub(crate) struct CodeEntry<'a> {
    /// What is around it.
    pub(crate) frame: Frame<'a>,
    /// That the form was shown in this browser.
    pub(crate) token: String,
    /// Whether the person wants to use another account.
    pub(crate) choose: bool,
    /// Whether a code was typed that leads nowhere.
    pub(crate) is_wrong: bool,
}
