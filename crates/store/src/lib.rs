#![doc = include_str!("../README.md")]

mod contract;
mod embedded;
mod engine;
mod keys;
mod limits;
mod records;
mod redis;
#[cfg(feature = "testing")]
pub mod testing;
mod value;
mod verbs;

use mcp_gateway_model::clock::Clock;

pub use contract::HeldGrant;
pub use embedded::EmbeddedStore;
pub use keys::patterns;
pub use mcp_gateway_watch::{Mark, Moment, Term, Watch};
pub use records::{
    Block, BrowserLogin, DeviceRequest, DeviceStage, Document, KeyRing, Login, LoginAnswer, LoginStage, Rate,
    RedirectAnswer, RingKey, Sealed, StoredPublicKey,
};
pub use redis::{RedisKind, RedisOptions, RedisReader, RedisStore};
pub use verbs::{
    Begun, Blocked, Calls, Decided, DeviceAsked, DeviceRedemption, Devices, GrantReader, Health, Look,
    Permit, Permitted, Pin, Polled, Presented, Prolong, Prolonged, Redemption, Replaced, Rotation, Seen,
    Store, StoreError, Swapped, Taken, Warning,
};

/// The moment that `clock` shows, on both of its hands.
#[must_use]
pub fn moment(clock: &dyn Clock) -> Moment {
    Moment::new(clock.ticks().nanos(), clock.now().millis())
}
