//! What the endpoints for clients ask and do, in as few trips as may be.

use async_trait::async_trait;
use mcp_gateway_model::{client::Client, clock::Timestamp, grant::Grant, secret::Digest};

use super::{HeldGrant, client_lists, clients, grants, permit_step, refresh};
use crate::{
    engine::{Answer, Answers, Engine, Step, Swap, Then},
    verbs::{Begun, Calls, Look, Permit, Permitted, Presented, Prolong, Redemption, Rotation, Seen, Store},
};

#[async_trait]
impl<E: Engine> Calls for E {
    async fn look(&self, look: Look<'_>, now: Timestamp) -> Answer<Permitted<Seen>> {
        see(self, look, now).await
    }

    async fn register_client(
        &self,
        client: &Client,
        permit: Option<Permit>,
        most: u32,
        now: Timestamp,
    ) -> Answer<Permitted<u64>> {
        register(self, client, permit, most, now).await
    }

    async fn redeem(
        &self,
        held: Box<HeldGrant>,
        code: &Digest,
        prolong: Prolong,
        now: Timestamp,
    ) -> Answer<Permitted<Redemption>> {
        grants::redeem(self, held, code, prolong, now).await
    }

    async fn rotate(
        &self,
        held: Box<HeldGrant>,
        presented: Presented,
        prolong: Prolong,
        now: Timestamp,
    ) -> Answer<Permitted<Rotation>> {
        refresh::rotate(self, held, presented, prolong, now).await
    }

    async fn begin_own_grant(
        &self,
        grant: &Grant,
        permit: Option<Permit>,
        now: Timestamp,
    ) -> Answer<Permitted<Begun>> {
        grants::begun(self, grant, None, permit, now).await
    }
}

async fn see<E: Engine>(engine: &E, look: Look<'_>, now: Timestamp) -> Answer<Permitted<Seen>> {
    let client_key = look.client.map(|id| engine.keys().client(id));
    let grant_keys = look.grant.map(|id| HeldGrant::keys(engine.keys(), id));
    let mut steps = Vec::with_capacity(3);
    steps.extend(look.permit.map(|permit| permit_step(engine, permit)));
    steps.extend(client_key.iter().map(|key| Step::Get(vec![key.clone()])));
    steps.extend(grant_keys.iter().map(|keys| Step::Get(keys.to_vec())));

    let mut answers = Answers::new(engine.steps(steps, now).await?);
    if look.permit.is_some()
        && let Some(wait) = answers.wait()?
    {
        return Ok(Permitted::Wait(wait));
    }
    let mut seen = Seen::default();
    if let Some(key) = &client_key {
        seen.client = clients::living(key, answers.got_one()?.as_ref(), now)?;
    }
    if let Some((id, keys)) = look.grant.zip(grant_keys) {
        seen.grant = Some(Box::new(HeldGrant::new(id, keys, answers.got()?, now)?));
    }
    Ok(Permitted::Yes(seen))
}

/// The list of those that nobody uses comes before the record: it is a superset. An id is new, so nothing lies under its keys:
/// where something does, the slow way finds out what.
async fn register<E: Engine>(
    engine: &E,
    client: &Client,
    permit: Option<Permit>,
    most: u32,
    now: Timestamp,
) -> Answer<Permitted<u64>> {
    let key = engine.keys().client(&client.id);
    let marker = engine.keys().ended_client(&client.id);
    let listed = client_lists::unused_step(engine.keys(), client);
    let is_listed = listed.is_some();
    let mut steps = Vec::with_capacity(4);
    steps.extend(permit.map(|permit| permit_step(engine, permit)));
    steps.extend(listed);
    steps.push(Step::Swap(vec![
        Swap::new(key.clone(), None, Then::Put(clients::written(&key, client)?)),
        Swap::new(marker, None, Then::Keep),
    ]));
    steps.push(client_lists::too_many_step(engine.keys(), most));

    let mut answers = Answers::new(engine.steps(steps, now).await?);
    if permit.is_some()
        && let Some(wait) = answers.wait()?
    {
        return Ok(Permitted::Wait(wait));
    }
    if is_listed {
        answers.indexed()?;
    }
    if answers.swapped()? {
        let first = answers.members()?;
        return client_lists::make_room(engine, &first, now)
            .await
            .map(Permitted::Yes);
    }
    engine.add_client(client, now).await?;
    client_lists::bound_unused(engine, most, now)
        .await
        .map(Permitted::Yes)
}
