#![doc = include_str!("../README.md")]

pub mod github;
pub mod mcp;
mod running;

pub use running::{Running, StartError};
