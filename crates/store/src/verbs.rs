//! The verbs of the store.

mod answers;
mod calls;
mod devices;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::{BoxFuture, ready};
use mcp_gateway_model::{
    access::Person,
    client::Client,
    clock::Timestamp,
    grant::{Code, Grant, Memberships},
    id::{ClientId, GrantId, Login as LoginName, UserId},
    secret::Digest,
};
use mcp_gateway_watch::Watch;

use crate::records::{Block, BrowserLogin, Document, KeyRing, Login, Rate, Sealed, StoredPublicKey};

pub use answers::{
    Begun, Blocked, Health, Pin, Presented, Prolonged, Redemption, Replaced, Rotation, StoreError, Swapped,
    Taken, Warning,
};
pub use calls::{Calls, Look, Permit, Permitted, Prolong, Seen};
pub use devices::{Decided, DeviceAsked, DeviceRedemption, Devices, Polled};

/// What the verifier asks. Its connection can read nothing else.
#[async_trait]
pub trait GrantReader: Send + Sync + 'static {
    /// The grant, if it lives at `now`.
    async fn grant(&self, id: &GrantId, now: Timestamp) -> Result<Option<Grant>, StoreError>;

    /// The public keys that access tokens may be signed with.
    async fn public_keys(&self) -> Result<Vec<StoredPublicKey>, StoreError>;

    /// Whether the store answers, and how far its clock is from `now`.
    async fn health(&self, now: Timestamp) -> Result<Health, StoreError>;

    /// What knows whether an answer of [`GrantReader::grant`] still holds, for those who remember it; keys are the grants' ids.
    /// `None` where every question has to be asked again. Nothing holds unless somebody follows the news.
    fn watch(&self) -> Option<Arc<Watch>> {
        None
    }

    /// Follows the news of grants for as long as it is polled; for threads that serve, each of which may: of many at once one does,
    /// and who waits takes its place when that ends. Over at once where there is nothing to follow.
    fn follow(&self) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }
}

/// What the authorization server asks and does.
#[async_trait]
pub trait Store: GrantReader + Calls + Devices {
    // clients

    /// Adds a client. Its id must be new: one that is there already, or was removed less than a day ago, is
    /// [`StoreError::Refused`], and so is one that stands for another kind of credential.
    async fn add_client(&self, client: &Client, now: Timestamp) -> Result<(), StoreError>;

    /// The clients that the operator entered.
    async fn entered_clients(&self, now: Timestamp) -> Result<Vec<Client>, StoreError>;

    /// The client, if it has not expired at `now`.
    async fn client(&self, id: &ClientId, now: Timestamp) -> Result<Option<Client>, StoreError>;

    /// Replaces the record if the stored one has the revision `client.revision - 1`. Of many at once, one wins. A use
    /// that [`Store::touch_client`] noted since the caller read the record is kept.
    async fn replace_client(&self, client: &Client, now: Timestamp) -> Result<Replaced, StoreError>;

    /// Notes a use: the record lives at least until `until` (`None` for ever; never shortened), and was
    /// allowed something by a person if `seen`. Nothing happens to a client that is gone.
    async fn touch_client(
        &self,
        id: &ClientId,
        until: Option<Timestamp>,
        seen: bool,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes a client and ends all its grants: the marker that stops new grants first, then the grants by the index,
    /// then the record. Answers how many grants it ended.
    async fn end_client(&self, id: &ClientId, now: Timestamp) -> Result<u64, StoreError>;

    // logins

    /// Keeps a login under the SHA-256 of the value that its browser brings back.
    async fn put_login(&self, key: &Digest, login: &Login, now: Timestamp) -> Result<(), StoreError>;

    /// The login, without taking it.
    async fn login(&self, key: &Digest, now: Timestamp) -> Result<Option<Login>, StoreError>;

    /// Takes the login: of many at once, one gets it.
    async fn take_login(&self, key: &Digest, now: Timestamp) -> Result<Taken, StoreError>;

    /// Keeps a browser login under the SHA-256 of its cookie.
    async fn put_browser(
        &self,
        key: &Digest,
        browser: &BrowserLogin,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The browser login, if it has not ended at `now`.
    async fn browser(&self, key: &Digest, now: Timestamp) -> Result<Option<BrowserLogin>, StoreError>;

    /// Forgets a browser login.
    async fn end_browser(&self, key: &Digest) -> Result<(), StoreError>;

    // grants

    /// Begins a grant together with its code: the indexes by client and by user first, then both records, then the
    /// markers of client and user are read again; if one is there, everything is undone. `remembered_until` is how long
    /// the code is remembered after its use.
    async fn begin_grant(
        &self,
        grant: &Grant,
        code: &Code,
        remembered_until: Timestamp,
        now: Timestamp,
    ) -> Result<Begun, StoreError>;

    /// Begins a grant that has no code: the indexes first, then the record, then the markers of client and user are read
    /// again; if one is there, everything is undone. It lives until `grant.expires_at`.
    async fn add_grant(&self, grant: &Grant, now: Timestamp) -> Result<Begun, StoreError>;

    /// What a code was issued for, used or not. `None` when it was never issued, or was never used and has ended.
    async fn code(
        &self,
        grant: &GrantId,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<Code>, StoreError>;

    /// Prolongs a grant that still lives to `until` (never shortened), and opens its chain of refresh tokens at
    /// generation 1 if there is none. The markers of client and user are read afterwards; if one is there, the grant
    /// ends.
    async fn prolong(&self, id: &GrantId, until: Timestamp, now: Timestamp) -> Result<Prolonged, StoreError>;

    /// Whether generation `presented` of the grant's refresh token could be used at `now`; changes nothing.
    async fn refresh_is_live(
        &self,
        id: &GrantId,
        presented: Presented,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Ends a grant. Answers whether it lived.
    async fn end_grant(&self, id: &GrantId, now: Timestamp) -> Result<bool, StoreError>;

    /// The living grants of a user.
    async fn grants_of_user(&self, user: UserId, now: Timestamp) -> Result<Vec<Grant>, StoreError>;

    /// The living grants of a client.
    async fn grants_of_client(&self, client: &ClientId, now: Timestamp) -> Result<Vec<Grant>, StoreError>;

    // where people belong

    /// Keeps GitHub's token of the person who is about to begin a grant, sealed, until `ends`; it goes with the grant and is
    /// prolonged with it.
    async fn keep_upstream(
        &self,
        grant: &GrantId,
        token: &Sealed,
        ends: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// GitHub's token of the person who began the grant, sealed.
    async fn upstream(&self, grant: &GrantId) -> Result<Option<Sealed>, StoreError>;

    /// Has [`Store::rechecks`] answer the grant until `until` at least, if GitHub's token is kept for it: for as long as
    /// its access token lives.
    async fn recheck_until(
        &self,
        grant: &GrantId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The living grants whose access tokens live, and depend on where their users belong. Perhaps a few more.
    async fn rechecks(&self, now: Timestamp) -> Result<Vec<Grant>, StoreError>;

    /// Takes on the recheck of a grant until `until`: of many at once, one gets GitHub's token, sealed. `None` also when
    /// no access token of the grant lives.
    async fn claim_recheck(
        &self,
        grant: &GrantId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Sealed>, StoreError>;

    /// Notes where the person of a grant belongs, unless something newer is known, and changes nothing else. Answers
    /// whether the grant lives.
    async fn note_memberships(
        &self,
        grant: &GrantId,
        memberships: &Memberships,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    // users

    /// Pins a login of the allow-list to the first user it admits.
    async fn pin(&self, login: &LoginName, user: UserId) -> Result<Pin, StoreError>;

    /// Whom a login is pinned to, if to anybody; changes nothing.
    async fn pinned(&self, login: &LoginName) -> Result<Option<UserId>, StoreError>;

    /// Forgets whom a login is pinned to. Answers whom it was.
    async fn unpin(&self, login: &LoginName) -> Result<Option<UserId>, StoreError>;

    /// Throws somebody out: the markers that stop new grants first, then the grants of every account that is meant, by the
    /// index. A login means the account it is pinned to and those that have a living grant under it, and whoever comes
    /// with it later.
    async fn block(&self, person: &Person, now: Timestamp) -> Result<Blocked, StoreError>;

    /// Lets somebody in again. Answers whom: a number that was blocked by its login frees the login as well. Nothing that
    /// ended comes back.
    async fn unblock(&self, person: &Person) -> Result<Vec<Person>, StoreError>;

    /// Whether this account is blocked, by its number or by its login.
    async fn is_blocked(&self, user: UserId, login: &LoginName) -> Result<bool, StoreError>;

    /// Who is blocked.
    async fn blocks(&self) -> Result<Vec<Block>, StoreError>;

    // keys

    /// The signing keys.
    async fn key_ring(&self) -> Result<KeyRing, StoreError>;

    /// Replaces the signing keys if the stored ring has the revision `ring.revision - 1` (0 stands for none), and
    /// publishes the public ones with it.
    async fn replace_key_ring(&self, ring: &KeyRing) -> Result<Swapped, StoreError>;

    // what clients publish

    /// The copy of a document, if it has not gone at `now` ([`Document::ends_at`]).
    async fn document(&self, key: &Digest, now: Timestamp) -> Result<Option<Document>, StoreError>;

    /// Keeps a copy of a document, in the place of the one before. That a grant needed that one is kept. Of copies that no
    /// grant needed those that were read longest ago go, until there are `most`: never this one, and 64 in one call at most.
    async fn put_document(
        &self,
        key: &Digest,
        document: &Document,
        most: u32,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Notes that a grant needs the copy, if it is there.
    async fn keep_document(&self, key: &Digest, now: Timestamp) -> Result<(), StoreError>;

    // limits

    /// Uses a name that is good for one use, such as the `jti` of an assertion: of many at once, and of all that come
    /// before `until`, one gets `true`.
    async fn use_once(&self, name: &Digest, until: Timestamp, now: Timestamp) -> Result<bool, StoreError>;

    /// Takes one permit from the bucket `name`: `None` if there was one, else how long to wait for the next. Buckets
    /// are shared by all processes on the store.
    async fn take_permit(
        &self,
        name: &Digest,
        rate: Rate,
        now: Timestamp,
    ) -> Result<Option<Duration>, StoreError>;

    /// What an operator should know about how this store is set up: eviction, persistence, replication, a clock that is
    /// off by more than 5 seconds.
    async fn inspect(&self, now: Timestamp) -> Result<Vec<Warning>, StoreError>;
}
