//! Who is let in: at login, and again whenever a grant is used for new tokens.

use mcp_gateway_model::{access::Admission, grant::User};
use mcp_gateway_store::{Pin, StoreError};

use crate::state::AuthServer;

/// That the access rules let a user in; nothing else makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admitted(());

/// Why a user is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Neither the login nor the number is on the list.
    #[error("the user is not on the list of allowed users")]
    NotListed,
    /// The login is on the list, and was first used by somebody with another number.
    #[error("the login is pinned to another user")]
    PinnedToAnother,
    /// Nobody can say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// The reason as a code, for the log and the audit line.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::NotListed => "not_listed",
            Self::PinnedToAnother => "pinned_to_another",
            Self::Store(_) => "store_unavailable",
        }
    }
}

/// Applies the access rules to a user.
///
/// A login that the list names is pinned to the first number it admits: logins can be renamed and taken by somebody else.
///
/// # Errors
/// [`Refusal`] says why the user is not let in, or that the store cannot be asked.
pub(crate) async fn admit(server: &AuthServer, user: &User) -> Result<Admitted, Refusal> {
    match server.settings.allowed_users.admits(user.id, &user.login) {
        Admission::Admitted => Ok(Admitted(())),
        Admission::Refused => Err(Refusal::NotListed),
        Admission::IfPinned(login) => match server.store.pin(&login, user.id).await? {
            Pin::Theirs => Ok(Admitted(())),
            Pin::Taken(_) => Err(Refusal::PinnedToAnother),
        },
    }
}
