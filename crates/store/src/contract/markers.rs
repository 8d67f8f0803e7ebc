//! The markers that stop a grant: of its client, and of its user's number and login. They are read after a grant began or was
//! prolonged, never before only.

use mcp_gateway_model::{clock::Timestamp, grant::Grant};

use super::clients;
use crate::{
    engine::{Answer, Answers, Engine, Raw, Step},
    keys::Keys,
};

/// Who stopped a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Its client was removed.
    Client,
    /// Its user was blocked.
    User,
}

/// Where the markers of a grant lie: that of its client first. Each has a slot of its own.
pub(super) fn keys(keys: &Keys, grant: &Grant) -> Vec<String> {
    let mut markers = Vec::with_capacity(3);
    markers.push(keys.ended_client(&grant.client));
    if let Some(user) = &grant.user {
        markers.push(keys.blocked_user(user.id));
        markers.push(keys.blocked_login(&user.login));
    }
    markers
}

/// Looks for the markers of a user before anything is written, so that nothing is that would have to be taken back. It decides
/// nothing for a grant whose user is blocked in between: that is found by reading them afterwards.
pub(super) fn vacant_step(markers: &[String]) -> Option<Step> {
    let users = markers.get(1..).filter(|users| !users.is_empty())?;
    Some(Step::Vacant(users.to_vec()))
}

/// Whether one of the markers that were read says that the grant may not go on.
pub(super) fn stop(markers: &[String], answers: &mut Answers, now: Timestamp) -> Answer<Option<Stop>> {
    judged(markers, &answers.got()?, now)
}

/// Whether a marker says that the grant may not begin or go on.
pub(super) async fn is_stopped<E: Engine>(engine: &E, grant: &Grant, now: Timestamp) -> Answer<bool> {
    let markers = keys(engine.keys(), grant);
    let found = engine.get_scattered(&markers).await?;
    Ok(judged(&markers, &found, now)?.is_some())
}

fn judged(markers: &[String], found: &[Option<Raw>], now: Timestamp) -> Answer<Option<Stop>> {
    let Some(((marker, users), (client, blocks))) = markers.split_first().zip(found.split_first()) else {
        return Ok(None);
    };
    debug_assert_eq!(users.len(), blocks.len(), "each marker was read");
    if clients::is_marked(marker, client.as_ref(), now)? {
        return Ok(Some(Stop::Client));
    }
    Ok(blocks.iter().any(Option::is_some).then_some(Stop::User))
}
