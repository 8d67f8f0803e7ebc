//! Who may still use what they were once allowed: the access rules, applied on every look at the store.

use mcp_gateway_model::{
    access::{Admission, Allow, Standing},
    clock::Timestamp,
    grant::{Grant, GrantKind},
    resource::Protected,
};

use crate::{reason::Reason, settings::Settings};

/// Applies the list of who may log in, as far as this process knows it, and the resource's own.
///
/// A login that a list names counts without asking whom it is pinned to: it was pinned when the grant began, and
/// unpinning ends what its user allowed.
pub(crate) fn check(
    grant: &Grant,
    protected: &Protected,
    settings: &Settings,
    now: Timestamp,
) -> Result<(), Reason> {
    let Some(user) = &grant.user else {
        // a client that acts for itself is nobody whom a list could name
        return match grant.kind {
            GrantKind::ClientCredentials => Ok(()),
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
    let life = settings.memberships;
    let standing = |allow: &Allow| allow.standing(user, grant.memberships.as_ref(), life, now);
    match protected.resource.allow.as_ref().map(standing) {
        None | Some(Standing::Admitted) => Ok(()),
        Some(Standing::Stale) => Err(Reason::MembershipStale),
        Some(Standing::Refused) => Err(Reason::NotAllowed),
    }
}
