//! The executable as an operator meets it: its configuration, its command line, its processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

mod algorithms;
mod alone;
mod apart;
mod api_key;
mod certificate;
mod check_config;
mod clients_configuration;
mod clients_entered;
mod command_line;
mod configuration_documents;
mod configuration_faults;
mod configuration_rules;
mod configuration_sources;
mod demo;
mod demo_settings;
mod described;
mod dev;
mod directory;
mod edge;
mod embed;
mod front;
mod logs;
mod memberships;
mod memory;
mod memory_guide;
mod oauth_flow;
mod oauth_off;
mod sdk;
mod tokens;
mod users;
