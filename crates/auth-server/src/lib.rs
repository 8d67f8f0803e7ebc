#![doc = include_str!("../README.md")]

mod admit;
pub mod audit;
mod code;
mod door;
pub mod limit;
mod request;
pub mod settings;
mod state;

pub use settings::{GithubSettings, Lifetimes, Limits, Settings};
pub use state::{AuthServer, StartError};
