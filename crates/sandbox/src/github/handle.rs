//! The hand that changes users, breaks endpoints and counts calls while the stand-in runs.

use std::{fmt, iter::repeat_n, sync::Arc};

use super::{
    fault::{Endpoint, Fault},
    state::State,
    users::User,
};

/// Steers a running stand-in. Clones steer the same one.
#[derive(Clone)]
pub struct Handle {
    state: Arc<State>,
}

impl Handle {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    /// Breaks the token endpoint and the whole API until [`Handle::clear_faults`].
    pub fn set_fault(&self, fault: Fault) {
        let endpoints = Endpoint::CALLED_BY_SERVERS;
        for (endpoint, fault) in endpoints.into_iter().zip(repeat_n(fault, endpoints.len())) {
            self.set_fault_at(endpoint, fault);
        }
    }

    /// Breaks one endpoint until [`Handle::clear_faults`].
    pub fn set_fault_at(&self, endpoint: Endpoint, fault: Fault) {
        self.state.memory().faults.insert(endpoint, fault);
    }

    /// Mends everything.
    pub fn clear_faults(&self) {
        self.state.memory().faults.clear();
    }

    /// How often an endpoint was called, broken answers included.
    #[must_use]
    pub fn calls(&self, endpoint: Endpoint) -> usize {
        self.state
            .memory()
            .calls
            .get(&endpoint)
            .copied()
            .unwrap_or_default()
    }

    /// The decoded parameters of the last `GET /login/oauth/authorize`, in their order.
    #[must_use]
    pub fn last_authorize(&self) -> Option<Vec<(String, String)>> {
        self.state.memory().last_authorize.clone()
    }

    /// Logs this user in without a page from now on; `None` shows the page again.
    pub fn auto_choose(&self, login: Option<&str>) {
        self.state.memory().auto_choose = login.map(Into::into);
    }

    /// Adds a user, or replaces the one with the same id.
    pub fn put_user(&self, user: User) {
        let mut memory = self.state.memory();
        memory.users.retain(|other| other.id != user.id);
        memory.users.push(user);
    }

    /// Gives the user `id` another login; false when there is no such user.
    ///
    /// The login may belong to nobody: rename its present owner first, as GitHub demands.
    #[must_use = "false means that nobody was renamed"]
    pub fn rename(&self, id: u64, login: &str) -> bool {
        let mut memory = self.state.memory();
        if memory.user_by_login(login).is_some_and(|owner| owner.id != id) {
            return false;
        }
        match memory.users.iter_mut().find(|user| user.id == id) {
            Some(user) => {
                user.login = login.into();
                true
            }
            None => false,
        }
    }

    /// Changes a user, their organisations and teams for instance; false when there is no such user.
    #[must_use = "false means that nobody was changed"]
    pub fn change_user(&self, id: u64, change: impl FnOnce(&mut User)) -> bool {
        let mut memory = self.state.memory();
        let user = memory.users.iter_mut().find(|user| user.id == id);
        user.map(change).is_some()
    }

    /// From now on nobody grants this scope, as if they unticked it.
    pub fn withhold(&self, scope: &str) {
        self.state.memory().withheld.push(scope.into());
    }

    /// Revokes every access token of a user, as they do when they remove the app at GitHub.
    pub fn revoke_tokens_of(&self, id: u64) {
        self.state.memory().tokens.retain(|_, token| token.user != id);
    }

    /// Revokes one access token; false when there is no such token.
    #[must_use = "false means that nothing was revoked"]
    pub fn revoke_token(&self, token: &str) -> bool {
        self.state.memory().tokens.remove(token).is_some()
    }

    /// Deletes a user: its tokens are dead at once.
    pub fn remove_user(&self, id: u64) {
        self.state.memory().users.retain(|user| user.id != id);
    }

    /// Every access token that was issued: for tests that search logs and dumps for them.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        self.state.memory().tokens.keys().cloned().collect()
    }

    /// How many access tokens have been issued.
    #[must_use]
    pub fn tokens_issued(&self) -> usize {
        self.state.memory().tokens.len()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
