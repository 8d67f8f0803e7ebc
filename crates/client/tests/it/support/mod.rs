//! Servers for tests.

pub(crate) mod authority;
pub(crate) mod browser;
#[cfg(feature = "command")]
pub(crate) mod command;
#[cfg(feature = "command")]
pub(crate) mod guarded;
#[cfg(feature = "command")]
pub(crate) mod mcp;
#[expect(dead_code, reason = "the auth-server's own tests need more of it")]
#[path = "../../../../auth-server/tests/it/support/names.rs"]
pub(crate) mod names;
pub(crate) mod site;
