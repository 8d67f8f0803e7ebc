//! The authorization server over HTTP: a file for each RFC or subject.

mod support;

mod access;
mod access_by_resource;
mod audit;
mod audit_limits;
mod audit_login;
mod audit_refusals;
mod blocks;
mod callback;
mod client_life;
mod consent;
mod cors;
mod faults;
mod github;
mod keys;
mod limits;
mod pages;
mod personal_tokens;
mod rfc6749_authorize;
mod rfc6749_client;
mod rfc6749_refresh;
mod rfc6749_token;
mod rfc7009;
mod rfc7591;
mod rfc7591_bounds;
mod rfc7592;
mod rfc7636;
mod rfc7662;
mod rfc8414;
mod rfc8707;
mod rfc9068;
mod rfc9207;
mod slow_bodies;
mod ssrf;
mod whole;
