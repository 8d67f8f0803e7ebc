#![doc = include_str!("../README.md")]

pub mod access;
pub mod client;
pub mod clock;
pub mod cors;
pub mod error;
pub mod grant;
pub mod id;
pub mod internet;
pub mod issuer;
pub mod key;
pub mod metadata;
pub mod pkce;
pub mod proxy;
pub mod published;
pub mod redirect;
pub mod resource;
pub mod rule;
pub mod scope;
pub mod seal;
pub mod secret;
pub mod tally;
pub mod token;

/// The version of every record's form in the store; a store that holds a newer one is not opened.
pub const SCHEMA_VERSION: u32 = 1;
