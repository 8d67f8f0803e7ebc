//! The protocol by which something that was read of a store is believed: every order in which things can happen.

#![cfg_attr(
    loom,
    expect(clippy::unwrap_used, reason = "a thread that panicked has failed the test")
)]

#[cfg(loom)]
mod interleavings;
#[cfg(not(loom))]
mod protocol;
