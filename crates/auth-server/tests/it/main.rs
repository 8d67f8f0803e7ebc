//! The authorization server over HTTP: a file for each RFC or subject.

mod support;

mod access;
mod callback;
mod consent;
mod github;
mod pages;
mod rfc6749_authorize;
mod rfc7591;
mod rfc7592;
mod rfc7636;
mod rfc8707;
mod rfc9207;
