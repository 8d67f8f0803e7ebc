#![doc = include_str!("../README.md")]

mod records;
mod verbs;

pub use records::{BrowserLogin, KeyRing, Login, LoginStage, Rate, RingKey, Sealed, StoredPublicKey};
pub use verbs::{
    Begun, GrantReader, Health, Pin, Presented, Prolonged, Redemption, Replaced, Rotation, Store, StoreError,
    Swapped, Taken, Warning,
};
