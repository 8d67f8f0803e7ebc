//! The contract of the store, and what is special to each engine.

mod contract;
mod samples;
