//! Whose a session is: its id alone opens it to nobody else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rmcp::transport::streamable_http_server::{
    SessionId,
    session::{SessionManager as _, local::LocalSessionManager},
};

/// After how many sessions it is looked at which have ended.
const SWEEP: usize = 256;

/// The users who opened sessions. Clones share them.
#[derive(Clone)]
pub(super) struct Owners {
    sessions: Arc<LocalSessionManager>,
    of: Arc<Mutex<HashMap<SessionId, String>>>,
}

impl Owners {
    /// The owners of these sessions.
    pub(super) fn new(sessions: Arc<LocalSessionManager>) -> Self {
        Self {
            sessions,
            of: Arc::default(),
        }
    }

    /// Whether this user, or nobody known, may speak in a session. What nobody known has opened is open to all who know its id.
    pub(super) fn admit(&self, id: &str, user: Option<&str>) -> bool {
        self.of().get(id).is_none_or(|owner| Some(owner.as_str()) == user)
    }

    /// Notes whose a new session is, and forgets those that have ended, once in a while.
    pub(super) async fn note(&self, id: &str, user: &str) {
        for id in self.add(id, user) {
            if !matches!(self.sessions.has_session(&id).await, Ok(true)) {
                self.of().remove(&id);
            }
        }
    }

    /// Answers the sessions to look at.
    fn add(&self, id: &str, user: &str) -> Vec<SessionId> {
        let mut of = self.of();
        of.insert(id.into(), user.to_owned());
        if of.len().is_multiple_of(SWEEP) {
            of.keys().cloned().collect()
        } else {
            Vec::new()
        }
    }

    fn of(&self) -> MutexGuard<'_, HashMap<SessionId, String>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sessions_that_have_ended_are_forgotten() {
        let owners = Owners::new(Arc::default());
        for number in 1..SWEEP {
            owners.note(&number.to_string(), "583231").await;
        }
        assert_eq!(owners.of().len(), SWEEP - 1);
        // no session is there
        owners.note("last", "583231").await;
        assert_eq!(owners.of().len(), 0);
    }
}
