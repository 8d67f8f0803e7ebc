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

pub use embedded::EmbeddedStore;
pub use keys::patterns;
pub use records::{
    Block, BrowserLogin, Document, KeyRing, Login, LoginStage, Rate, RingKey, Sealed, StoredPublicKey,
};
pub use redis::{RedisOptions, RedisReader, RedisStore};
pub use verbs::{
    Begun, Blocked, GrantReader, Health, Pin, Presented, Prolonged, Redemption, Replaced, Rotation, Store,
    StoreError, Swapped, Taken, Warning,
};
