#![doc = include_str!("../README.md")]

pub mod authorize;
pub mod connection;
pub mod credentials;
pub mod discover;
pub mod doctor;
pub mod extensions;
pub mod http;
pub mod identity;
pub mod login;
pub mod mcp;
#[cfg(feature = "rmcp")]
pub mod rmcp;
#[cfg(feature = "service")]
pub mod service;
pub mod token;
pub mod words;
