//! What tests start and drive.

pub(crate) mod assertions;
mod browser;
pub(crate) mod desk;
pub(crate) mod device;
pub(crate) mod fragile;
pub(crate) mod log;
pub(crate) mod login;
pub(crate) mod members;
pub(crate) mod names;
pub(crate) mod publisher;
pub(crate) mod set;
pub(crate) mod signer;
