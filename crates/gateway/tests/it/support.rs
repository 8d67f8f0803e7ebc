//! What the tests here share.

pub(crate) mod agent;
pub(crate) mod mcp;
pub(crate) mod news;
pub(crate) mod relay;
pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod stage;
pub(crate) mod wire;
