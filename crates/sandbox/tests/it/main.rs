//! The wire behaviour of the stand-in GitHub and of the sample MCP server.

mod api;
mod authorize;
mod command;
mod exercises;
mod faults;
mod github;
mod listening;
mod mcp;
mod session;
mod streaming;
mod token;
