//! The contract of the store, and what is special to each engine.

mod acl;
mod cluster;
mod contract;
mod file;
mod fixtures;
mod flood;
mod lists;
mod news;
mod outages;
mod patience;
mod redis;
mod samples;
mod secrets;
mod sentinel;
mod storage_page;
mod walk;
