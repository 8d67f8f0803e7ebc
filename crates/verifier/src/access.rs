//! Who may still use what they were once allowed: the access rules, applied on every look at the store.

use mcp_gateway_model::{
    access::{Admission, Allow, Standing},
    clock::Timestamp,
    grant::{Grant, GrantKind},
    resource::Protected,
};

use crate::{reason::Reason, settings::Settings};

/// Applies the list of who may log in, as far as this process knows it, and the resource's own. Answers until when that is
/// so, as long as the grant stays as it is: where somebody belongs counts for a time only.
///
/// A login that a list names counts without asking whom it is pinned to: it was pinned when the grant began, and
/// unpinning ends what its user allowed.
pub(crate) fn check(
    grant: &Grant,
    protected: &Protected,
    settings: &Settings,
    now: Timestamp,
) -> Result<Timestamp, Reason> {
    let Some(user) = &grant.user else {
        // a client that acts for itself is nobody whom a list could name
        return match grant.kind {
            GrantKind::ClientCredentials => Ok(Timestamp::NEVER),
            GrantKind::Consent | GrantKind::PersonalAccessToken { .. } => Err(Reason::GrantDiffers),
        };
    };
    match &settings.allowed_users {
        Some(allowed) if allowed.admits(user.id, &user.login) == Admission::Refused => {
            return Err(Reason::NotAllowed);
        }
        // nobody asks again for a personal access token, as the authorization server does at each refresh
        None if matches!(grant.kind, GrantKind::PersonalAccessToken { .. }) => {
            return Err(Reason::UsersUnknown);
        }
        Some(_) | None => {}
    }
    let Some(allow) = &protected.resource.allow else {
        return Ok(Timestamp::NEVER);
    };
    let (life, known) = (settings.memberships, grant.memberships.as_ref());
    let standing = |allow: &Allow, at| allow.standing(user, known, life, at);
    match (standing(allow, now), standing(allow, Timestamp::NEVER)) {
        (Standing::Admitted, Standing::Admitted) => Ok(Timestamp::NEVER),
        (Standing::Admitted, _) => Ok(known.map_or(now, |known| life.ends(known))),
        (Standing::Stale, _) => Err(Reason::MembershipStale),
        (Standing::Refused, _) => Err(Reason::NotAllowed),
    }
}
