//! The whole of it, for real: the built executable, the shipped Traefik files in a real Traefik, a real Redis, Chromium,
//! and MCP clients that nobody here wrote. What is missing on the machine fails the test that needs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

mod aliases;
mod client_service;
mod clients;
mod clients_matrix;
mod command_line;
mod conformance;
mod curl_lines;
mod devices;
mod doctor;
mod documents;
mod forged;
mod headless;
mod inspector;
mod memory_service;
mod openid_connect;
mod predecessor;
mod readme;
mod replicas;
mod routes;
mod rules;
mod sample;
mod secrets;
mod sentinel_and_cluster;
mod server_conformance;
mod servers;
mod whole_job;
