//! The library against servers that answer in every way that servers answer.
#![expect(clippy::unwrap_used, reason = "what a test sets up itself has to work")]

#[cfg(feature = "command")]
mod command;
#[cfg(feature = "command")]
mod command_login;
#[cfg(feature = "command")]
mod command_usage;
#[cfg(feature = "command")]
mod conformance;
mod connection;
mod credentials;
mod discover;
mod doctor;
mod enterprise;
mod http;
mod loopback;
mod mcp;
#[cfg(feature = "rmcp")]
mod rmcp;
#[cfg(feature = "service")]
mod service;
mod support;
#[cfg(all(feature = "command", feature = "service"))]
mod transcript;
