//! Who is let in: at login, and again whenever a grant is used for new tokens.

use mcp_gateway_model::{
    access::{Admission, Allow},
    grant::{Memberships, User},
    id::Login,
    resource::ResourceUri,
};
use mcp_gateway_store::{Pin, Store, StoreError};

use crate::{settings::Settings, state::AuthServer};

/// That the access rules let a user in; nothing else makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admitted(());

/// Why a user is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Neither the login nor the number is on the list.
    #[error("the user is not on the list of allowed users")]
    NotListed,
    /// The resource has a list of its own, and neither the login nor the number is on it.
    #[error("the user is not on the resource's list of allowed users")]
    NotListedForResource,
    /// The resource is for organisations or teams, and the user is in none of them as far as GitHub tells.
    #[error(
        "the user is in none of the organisations and teams that may use the resource, as far as is known here"
    )]
    NotAMember,
    /// The same, and the user did not let us see where they belong.
    #[error("the user did not let GitHub tell where they belong")]
    MembershipsHidden,
    /// The user took away the right to ask GitHub where they belong.
    #[error("the user withdrew GitHub's token")]
    Withdrawn,
    /// The resource is protected no longer, so nobody says who may use it.
    #[error("the resource is protected no longer")]
    ResourceGone,
    /// The login is on the list, and was first used by somebody with another number.
    #[error("the login is pinned to another user")]
    PinnedToAnother,
    /// The operator threw the user out.
    #[error("the user is blocked")]
    Blocked,
    /// Nobody can say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// The reason as a code, for the log and the audit line.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::NotListed => "not_listed",
            Self::NotListedForResource => "not_listed_for_resource",
            Self::NotAMember => "not_a_member",
            Self::MembershipsHidden => "memberships_hidden",
            Self::Withdrawn => "github_token_ended",
            Self::ResourceGone => "resource_gone",
            Self::PinnedToAnother => "pinned_to_another",
            Self::Blocked => "blocked",
            Self::Store(_) => "store_unavailable",
        }
    }
}

/// Applies the access rules to a user of the resource that `audience` means: the list of who may log in, and the resource's
/// own if it has one, with what is known about where the user belongs. Whoever is blocked is not let in at all.
///
/// A login that a list names is pinned to the first number it admits: logins can be renamed and taken by somebody else.
///
/// # Errors
/// [`Refusal`] says why the user is not let in, or that the store cannot be asked.
pub(crate) async fn admit(
    server: &AuthServer,
    user: &User,
    audience: &ResourceUri,
    memberships: Option<&Memberships>,
) -> Result<Admitted, Refusal> {
    let (settings, store) = (&server.settings, server.store.as_ref());
    apply(settings, store, user, audience, memberships).await
}

/// As [`admit`], for a grant whose user the store looks for among those who are blocked when the grant goes on.
///
/// # Errors
/// As [`admit`].
pub(crate) async fn admit_again(
    server: &AuthServer,
    user: &User,
    audience: &ResourceUri,
    memberships: Option<&Memberships>,
) -> Result<Admitted, Refusal> {
    match rules(&server.settings, user, audience, memberships)? {
        None => Ok(Admitted(())),
        Some(login) if server.store.pinned(&login).await? == Some(user.id) => Ok(Admitted(())),
        Some(_) => admit(server, user, audience, memberships).await,
    }
}

/// The same, where no server runs.
///
/// # Errors
/// As [`admit`].
pub(crate) async fn apply(
    settings: &Settings,
    store: &dyn Store,
    user: &User,
    audience: &ResourceUri,
    memberships: Option<&Memberships>,
) -> Result<Admitted, Refusal> {
    if store.is_blocked(user.id, &user.login).await? {
        return Err(Refusal::Blocked);
    }
    let Some(login) = rules(settings, user, audience, memberships)? else {
        return Ok(Admitted(()));
    };
    match store.pin(&login, user.id).await? {
        Pin::Theirs => Ok(Admitted(())),
        Pin::Taken(_) => Err(Refusal::PinnedToAnother),
    }
}

/// What the lists say. Somebody may be let in only if the login that is answered is pinned to them.
fn rules(
    settings: &Settings,
    user: &User,
    audience: &ResourceUri,
    memberships: Option<&Memberships>,
) -> Result<Option<Login>, Refusal> {
    let protected = settings.resources.of_audience(audience.as_str());
    let resource = &protected.ok_or(Refusal::ResourceGone)?.resource;
    let at_all = settings.allowed_users.admits(user.id, &user.login);
    let here = resource.allow.as_ref().map_or(Admission::Admitted, |allow| {
        allow.admits(user.id, &user.login, memberships)
    });
    // Who is refused by one list is not pinned by the other.
    match (at_all, here) {
        (Admission::Refused, _) => Err(Refusal::NotListed),
        (_, Admission::Refused) => {
            let of_members = resource.allow.as_ref().is_some_and(Allow::asks_memberships);
            Err(if of_members {
                Refusal::NotAMember
            } else {
                Refusal::NotListedForResource
            })
        }
        (Admission::Admitted, Admission::Admitted) => Ok(None),
        (Admission::IfPinned(login), _) | (_, Admission::IfPinned(login)) => Ok(Some(login)),
    }
}
