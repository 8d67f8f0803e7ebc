//! Servers for tests.

pub(crate) mod site;
