//! What the tests here share.

pub(crate) mod browser;
pub(crate) mod flow;
pub(crate) mod mcp;
pub(crate) mod person;
pub(crate) mod process;
pub(crate) mod traefik;
pub(crate) mod world;
