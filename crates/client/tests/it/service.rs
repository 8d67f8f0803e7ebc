//! The service, over HTTP, against servers that behave and servers that do not.

mod access;
mod authority;
mod callback;
mod discovery;
mod fixtures;
mod kept;
mod logs;
mod openapi;
mod refresh;
mod register;
mod registrations;
mod samples;
mod stage;
mod steps;
mod store;
mod targets;
mod tokens;
mod users;
mod wire;
