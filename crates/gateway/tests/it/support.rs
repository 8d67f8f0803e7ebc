//! What the tests here share.

pub(crate) mod run;
