//! The contract of the store, and what is special to each engine.

mod acl;
mod contract;
mod file;
mod fixtures;
mod flood;
mod news;
mod outages;
mod redis;
mod samples;
mod secrets;
mod storage_page;
mod walk;
