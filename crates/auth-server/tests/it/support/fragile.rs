//! A store that stops answering when it is told to.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use mcp_gateway_model::{
    access::Person,
    client::Client,
    clock::Timestamp,
    grant::{Code, Grant, Memberships},
    id::{ClientId, GrantId, Login as LoginName, UserId},
    secret::Digest,
};
use mcp_gateway_store::{
    Begun, Block, Blocked, BrowserLogin, Calls, Document, EmbeddedStore, GrantReader, Health, HeldGrant,
    KeyRing, Login, Look, Permit, Permitted, Pin, Presented, Prolong, Prolonged, Rate, Redemption, Replaced,
    Rotation, Sealed, Seen, Store, StoreError, StoredPublicKey, Swapped, Taken, Warning,
};
use mcp_gateway_store::{Decided, DeviceAsked, DeviceRedemption, DeviceRequest, Devices, Polled};

/// An embedded store, until it breaks.
pub(crate) struct Fragile {
    inner: EmbeddedStore,
    broken: AtomicBool,
    asked: AtomicU32,
}

impl Fragile {
    pub(crate) fn new(inner: EmbeddedStore) -> Self {
        Self {
            inner,
            broken: AtomicBool::new(false),
            asked: AtomicU32::new(0),
        }
    }

    /// From now on nothing is answered, or all is again.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// How often it was asked for something since this was called before.
    pub(crate) fn asked(&self) -> u32 {
        self.asked.swap(0, Ordering::SeqCst)
    }

    fn check(&self) -> Result<(), StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.broken.load(Ordering::SeqCst) {
            Err(StoreError::Unavailable(
                "redis://user:hunter2@10.0.0.7 timed out".into(),
            ))
        } else {
            Ok(())
        }
    }
}

macro_rules! fragile {
    ($verbs:ident { $(fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $verbs for Fragile {
            $(
                async fn $name(&self, $($argument: $kind),*) -> Result<$answer, StoreError> {
                    self.check()?;
                    self.inner.$name($($argument),*).await
                }
            )*
        }
    };
}

fragile!(GrantReader {
    fn grant(id: &GrantId, now: Timestamp) -> Option<Grant>;
    fn public_keys() -> Vec<StoredPublicKey>;
    fn health(now: Timestamp) -> Health;
});

fragile!(Devices {
    fn ask_by_device(user_code: &Digest, device: &DeviceRequest, now: Timestamp) -> DeviceAsked;
    fn device_of_user_code(user_code: &Digest, now: Timestamp) -> Option<DeviceRequest>;
    fn decide_device(device: &Digest, grant: Option<&GrantId>, now: Timestamp) -> Decided;
    fn poll_device(device: &Digest, client: &ClientId, now: Timestamp) -> Polled;
    fn redeem_device(device: &Digest, now: Timestamp) -> DeviceRedemption;
});

fragile!(Calls {
    fn look(look: Look<'_>, now: Timestamp) -> Permitted<Seen>;
    fn register_client(client: &Client, permit: Option<Permit>, most: u32, now: Timestamp) -> Permitted<u64>;
    fn redeem(held: Box<HeldGrant>, code: &Digest, prolong: Prolong, now: Timestamp) -> Permitted<Redemption>;
    fn rotate(
        held: Box<HeldGrant>,
        presented: Presented,
        prolong: Prolong,
        now: Timestamp
    ) -> Permitted<Rotation>;
    fn begin_own_grant(grant: &Grant, permit: Option<Permit>, now: Timestamp) -> Permitted<Begun>;
});

fragile!(Store {
    fn add_client(client: &Client, now: Timestamp) -> ();
    fn entered_clients(now: Timestamp) -> Vec<Client>;
    fn client(id: &ClientId, now: Timestamp) -> Option<Client>;
    fn replace_client(client: &Client, now: Timestamp) -> Replaced;
    fn touch_client(id: &ClientId, until: Option<Timestamp>, seen: bool, now: Timestamp) -> ();
    fn end_client(id: &ClientId, now: Timestamp) -> u64;
    fn put_login(key: &Digest, login: &Login, now: Timestamp) -> ();
    fn login(key: &Digest, now: Timestamp) -> Option<Login>;
    fn take_login(key: &Digest, now: Timestamp) -> Taken;
    fn put_browser(key: &Digest, browser: &BrowserLogin, now: Timestamp) -> ();
    fn browser(key: &Digest, now: Timestamp) -> Option<BrowserLogin>;
    fn end_browser(key: &Digest) -> ();
    fn begin_grant(grant: &Grant, code: &Code, remembered_until: Timestamp, now: Timestamp) -> Begun;
    fn add_grant(grant: &Grant, now: Timestamp) -> Begun;
    fn code(grant: &GrantId, digest: &Digest, now: Timestamp) -> Option<Code>;
    fn prolong(id: &GrantId, until: Timestamp, now: Timestamp) -> Prolonged;
    fn refresh_is_live(id: &GrantId, presented: Presented, now: Timestamp) -> bool;
    fn end_grant(id: &GrantId, now: Timestamp) -> bool;
    fn grants_of_user(user: UserId, now: Timestamp) -> Vec<Grant>;
    fn grants_of_client(client: &ClientId, now: Timestamp) -> Vec<Grant>;
    fn use_once(name: &Digest, until: Timestamp, now: Timestamp) -> bool;
    fn keep_upstream(grant: &GrantId, token: &Sealed, ends: Timestamp, now: Timestamp) -> ();
    fn upstream(grant: &GrantId) -> Option<Sealed>;
    fn recheck_until(grant: &GrantId, until: Timestamp, now: Timestamp) -> ();
    fn rechecks(now: Timestamp) -> Vec<Grant>;
    fn claim_recheck(grant: &GrantId, until: Timestamp, now: Timestamp) -> Option<Sealed>;
    fn note_memberships(grant: &GrantId, memberships: &Memberships, now: Timestamp) -> bool;
    fn pin(login: &LoginName, user: UserId) -> Pin;
    fn pinned(login: &LoginName) -> Option<UserId>;
    fn unpin(login: &LoginName) -> Option<UserId>;
    fn block(person: &Person, now: Timestamp) -> Blocked;
    fn unblock(person: &Person) -> Vec<Person>;
    fn is_blocked(user: UserId, login: &LoginName) -> bool;
    fn blocks() -> Vec<Block>;
    fn key_ring() -> KeyRing;
    fn replace_key_ring(ring: &KeyRing) -> Swapped;
    fn document(key: &Digest, now: Timestamp) -> Option<Document>;
    fn put_document(key: &Digest, document: &Document, most: u32, now: Timestamp) -> ();
    fn keep_document(key: &Digest, now: Timestamp) -> ();
    fn take_permit(name: &Digest, rate: Rate, now: Timestamp) -> Option<Duration>;
    fn inspect(now: Timestamp) -> Vec<Warning>;
});
