//! The wire behaviour of the stand-in GitHub and of the sample MCP server.

mod alone;
mod api;
mod authorize;
mod command;
mod exercises;
mod faults;
mod github;
mod kept;
mod listening;
mod mcp;
mod plain;
mod rest;
mod sample;
mod session;
mod sse;
mod streaming;
mod token;
mod tokens;
mod tools;
