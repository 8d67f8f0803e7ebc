#![doc = include_str!("../README.md")]

mod admit;
mod approve;
pub mod audit;
mod authorize;
mod browser;
mod callback;
mod client_auth;
mod code;
mod consent;
mod cookies;
mod cors;
mod desk;
mod discovery;
mod door;
mod github;
pub mod keys;
pub mod limit;
mod login_routes;
mod logout;
mod metrics;
mod pages;
mod request;
pub mod routes;
mod seal;
pub mod settings;
mod state;

pub use desk::BadDesk;
pub use github::BadGithub;
pub use settings::{GithubSettings, Lifetimes, Limits, Settings};
pub use state::{AuthServer, StartError};
