//! `doctor` against servers that are broken on purpose, one fault each: it names that fault and no other.

mod address;
mod browser;
mod challenge;
#[cfg(feature = "command")]
mod command;
mod endpoints;
mod healthy;
mod identity;
mod page;
mod resource;
mod server;
mod stand;
mod trust;
