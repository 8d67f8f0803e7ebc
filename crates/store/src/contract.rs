//! The verbs, written once for both engines.

mod blocks;
mod calls;
mod client_lists;
mod clients;
mod devices;
mod documents;
mod grants;
mod held;
mod keys;
mod logins;
mod markers;
mod once;
mod refresh;
mod unused_documents;
mod upstream;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mcp_gateway_model::{
    access::Person,
    client::Client,
    clock::Timestamp,
    grant::{Code, Grant, Memberships},
    id::{ClientId, GrantId, Login as LoginName, UserId},
    secret::Digest,
};
use mcp_gateway_watch::Watch;
use serde::de::DeserializeOwned;

use crate::{
    engine::{Answer, Engine, Raw, Step},
    limits::Bucket,
    records::{Block, BrowserLogin, Document, KeyRing, Login, Rate, Sealed, StoredPublicKey},
    value::decode,
    verbs::{
        Begun, Blocked, GrantReader, Health, Permit, Pin, Presented, Prolonged, Replaced, Store, Swapped,
        Taken, Warning,
    },
};

pub(crate) use grants::living;
pub use held::HeldGrant;
pub(crate) use keys::published;

fn permit_step<E: Engine>(engine: &E, permit: Permit) -> Step {
    Step::Permit {
        key: engine.keys().permit(&permit.name),
        bucket: Bucket::new(permit.rate),
    }
}

/// The record in bytes that were found under `key`, if any were.
fn read<T: DeserializeOwned>(key: &str, bytes: Option<&Raw>) -> Answer<Option<T>> {
    bytes.map(|bytes| decode(key, bytes)).transpose()
}

/// The one value under `key`.
async fn get_one<E: Engine>(engine: &E, key: String) -> Answer<(String, Option<Raw>)> {
    let keys = [key];
    let found = engine.get(&keys).await?.pop().flatten();
    let [key] = keys;
    Ok((key, found))
}

/// The values under keys of one slot.
async fn get_each<E: Engine, const N: usize>(
    engine: &E,
    keys: [String; N],
) -> Answer<[(String, Option<Raw>); N]> {
    let mut found = engine.get(&keys).await?.into_iter();
    Ok(keys.map(|key| (key, found.next().flatten())))
}

#[async_trait]
impl<E: Engine> GrantReader for E {
    async fn grant(&self, id: &GrantId, now: Timestamp) -> Answer<Option<Grant>> {
        let (key, found) = get_one(self, self.keys().grant(id)).await?;
        living(&key, found.as_ref(), now)
    }

    async fn public_keys(&self) -> Answer<Vec<StoredPublicKey>> {
        let (key, found) = get_one(self, self.keys().public_keys()).await?;
        published(&key, found.as_ref())
    }

    async fn health(&self, now: Timestamp) -> Answer<Health> {
        Engine::health(self, now).await
    }

    fn watch(&self) -> Option<Arc<Watch>> {
        Engine::watch(self)
    }
}

#[async_trait]
impl<E: Engine> Store for E {
    async fn add_client(&self, client: &Client, now: Timestamp) -> Answer<()> {
        clients::add(self, client, now).await
    }

    async fn entered_clients(&self, now: Timestamp) -> Answer<Vec<Client>> {
        client_lists::entered(self, now).await
    }

    async fn client(&self, id: &ClientId, now: Timestamp) -> Answer<Option<Client>> {
        clients::get(self, id, now).await
    }

    async fn replace_client(&self, client: &Client, now: Timestamp) -> Answer<Replaced> {
        clients::replace(self, client, now).await
    }

    async fn touch_client(
        &self,
        id: &ClientId,
        until: Option<Timestamp>,
        seen: bool,
        now: Timestamp,
    ) -> Answer<()> {
        clients::touch(self, id, clients::Use { until, seen }, now).await
    }

    async fn end_client(&self, id: &ClientId, now: Timestamp) -> Answer<u64> {
        clients::end(self, id, now).await
    }

    async fn put_login(&self, key: &Digest, login: &Login, now: Timestamp) -> Answer<()> {
        logins::put(self, key, login, now).await
    }

    async fn login(&self, key: &Digest, now: Timestamp) -> Answer<Option<Login>> {
        logins::get(self, key, now).await
    }

    async fn take_login(&self, key: &Digest, now: Timestamp) -> Answer<Taken> {
        logins::take(self, key, now).await
    }

    async fn put_browser(&self, key: &Digest, browser: &BrowserLogin, now: Timestamp) -> Answer<()> {
        logins::put_browser(self, key, browser, now).await
    }

    async fn browser(&self, key: &Digest, now: Timestamp) -> Answer<Option<BrowserLogin>> {
        logins::browser(self, key, now).await
    }

    async fn end_browser(&self, key: &Digest) -> Answer<()> {
        self.remove(vec![self.keys().browser(key)]).await
    }

    async fn begin_grant(
        &self,
        grant: &Grant,
        code: &Code,
        remembered_until: Timestamp,
        now: Timestamp,
    ) -> Answer<Begun> {
        grants::begin(self, grant, code, remembered_until, now).await
    }

    async fn add_grant(&self, grant: &Grant, now: Timestamp) -> Answer<Begun> {
        grants::add(self, grant, now).await
    }

    async fn code(&self, grant: &GrantId, digest: &Digest, now: Timestamp) -> Answer<Option<Code>> {
        grants::code(self, grant, digest, now).await
    }

    async fn prolong(&self, id: &GrantId, until: Timestamp, now: Timestamp) -> Answer<Prolonged> {
        refresh::prolong(self, id, until, now).await
    }

    async fn refresh_is_live(&self, id: &GrantId, presented: Presented, now: Timestamp) -> Answer<bool> {
        refresh::is_live(self, id, presented, now).await
    }

    async fn end_grant(&self, id: &GrantId, now: Timestamp) -> Answer<bool> {
        grants::end(self, id, now).await
    }

    async fn grants_of_user(&self, user: UserId, now: Timestamp) -> Answer<Vec<Grant>> {
        let mut found = grants::indexed(self, &self.keys().user_grants(user), now).await?;
        found.retain(|grant| grant.is_of(user));
        Ok(found)
    }

    async fn grants_of_client(&self, client: &ClientId, now: Timestamp) -> Answer<Vec<Grant>> {
        let mut found = grants::indexed(self, &self.keys().client_grants(client), now).await?;
        found.retain(|grant| grant.client == *client);
        Ok(found)
    }

    async fn keep_upstream(
        &self,
        grant: &GrantId,
        token: &Sealed,
        ends: Timestamp,
        now: Timestamp,
    ) -> Answer<()> {
        upstream::keep(self, grant, token, ends, now).await
    }

    async fn upstream(&self, grant: &GrantId) -> Answer<Option<Sealed>> {
        upstream::token(self, grant).await
    }

    async fn recheck_until(&self, grant: &GrantId, until: Timestamp, now: Timestamp) -> Answer<()> {
        upstream::recheck_until(self, grant, until, now).await
    }

    async fn rechecks(&self, now: Timestamp) -> Answer<Vec<Grant>> {
        grants::indexed(self, &self.keys().rechecks(), now).await
    }

    async fn claim_recheck(
        &self,
        grant: &GrantId,
        until: Timestamp,
        now: Timestamp,
    ) -> Answer<Option<Sealed>> {
        upstream::claim(self, grant, until, now).await
    }

    async fn note_memberships(
        &self,
        grant: &GrantId,
        memberships: &Memberships,
        now: Timestamp,
    ) -> Answer<bool> {
        upstream::note(self, grant, memberships, now).await
    }

    async fn pin(&self, login: &LoginName, user: UserId) -> Answer<Pin> {
        logins::pin(self, login, user).await
    }

    async fn pinned(&self, login: &LoginName) -> Answer<Option<UserId>> {
        logins::pinned(self, login).await
    }

    async fn unpin(&self, login: &LoginName) -> Answer<Option<UserId>> {
        logins::unpin(self, login).await
    }

    async fn block(&self, person: &Person, now: Timestamp) -> Answer<Blocked> {
        blocks::block(self, person, now).await
    }

    async fn unblock(&self, person: &Person) -> Answer<Vec<Person>> {
        blocks::unblock(self, person).await
    }

    async fn is_blocked(&self, user: UserId, login: &LoginName) -> Answer<bool> {
        let found = self.get_scattered(&blocks::markers(self, user, login)).await?;
        Ok(found.iter().any(Option::is_some))
    }

    async fn blocks(&self) -> Answer<Vec<Block>> {
        blocks::list(self).await
    }

    async fn key_ring(&self) -> Answer<KeyRing> {
        keys::ring(self).await
    }

    async fn replace_key_ring(&self, ring: &KeyRing) -> Answer<Swapped> {
        keys::replace(self, ring).await
    }

    async fn document(&self, key: &Digest, now: Timestamp) -> Answer<Option<Document>> {
        documents::get(self, key, now).await
    }

    async fn put_document(&self, key: &Digest, document: &Document, most: u32, now: Timestamp) -> Answer<()> {
        documents::put(self, key, document, now).await?;
        unused_documents::bound(self, key, document, most, now).await
    }

    async fn keep_document(&self, key: &Digest, now: Timestamp) -> Answer<()> {
        documents::keep(self, key, now).await?;
        unused_documents::strike(self, key).await
    }

    async fn use_once(&self, name: &Digest, until: Timestamp, now: Timestamp) -> Answer<bool> {
        once::use_once(self, name, until, now).await
    }

    async fn take_permit(&self, name: &Digest, rate: Rate, now: Timestamp) -> Answer<Option<Duration>> {
        Engine::take_permit(self, self.keys().permit(name), Bucket::new(rate), now).await
    }

    async fn inspect(&self, now: Timestamp) -> Answer<Vec<Warning>> {
        Engine::inspect(self, now).await
    }
}
