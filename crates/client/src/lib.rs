#![doc = include_str!("../README.md")]

pub mod discover;
pub mod http;
