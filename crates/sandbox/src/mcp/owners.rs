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
/// How many sessions all those together may have who are not known; each is forgotten when nothing was said in it for some minutes.
const MOST_OF_STRANGERS: usize = 1000;

/// The users who opened sessions, or spoke in them first. Clones share them.
#[derive(Clone)]
pub(super) struct Owners {
    sessions: Arc<LocalSessionManager>,
    of: Arc<Mutex<HashMap<SessionId, Option<String>>>>,
}

impl Owners {
    /// The owners of these sessions.
    pub(super) fn new(sessions: Arc<LocalSessionManager>) -> Self {
        Self {
            sessions,
            of: Arc::default(),
        }
    }

    /// Whether this user, or nobody known, may speak in a session. One that nobody known has opened, before a login as a rule, is
    /// from then on the first user's who speaks in it.
    pub(super) fn admit(&self, id: &str, user: Option<&str>) -> bool {
        let mut of = self.of();
        let Some(owner) = of.get_mut(id) else {
            // there is no such session
            return true;
        };
        if owner.is_none() {
            *owner = user.map(ToOwned::to_owned);
        }
        owner.as_deref() == user
    }

    /// Whether somebody who is not known may open a session.
    pub(super) async fn has_room(&self) -> bool {
        if self.of_strangers() >= MOST_OF_STRANGERS {
            self.forget_ended().await;
        }
        self.of_strangers() < MOST_OF_STRANGERS
    }

    /// Notes whose a new session is, and forgets those that have ended, once in a while.
    pub(super) async fn note(&self, id: &str, user: Option<&str>) {
        let known = {
            let mut of = self.of();
            of.insert(id.into(), user.map(ToOwned::to_owned));
            of.len()
        };
        if known.is_multiple_of(SWEEP) {
            self.forget_ended().await;
        }
    }

    async fn forget_ended(&self) {
        let known: Vec<_> = self.of().keys().cloned().collect();
        for id in known {
            if !matches!(self.sessions.has_session(&id).await, Ok(true)) {
                self.of().remove(&id);
            }
        }
    }

    fn of_strangers(&self) -> usize {
        self.of().values().filter(|owner| owner.is_none()).count()
    }

    fn of(&self) -> MutexGuard<'_, HashMap<SessionId, Option<String>>> {
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
            owners.note(&number.to_string(), Some("583231")).await;
        }
        assert_eq!(owners.of().len(), SWEEP - 1);
        // no session is there
        owners.note("last", Some("583231")).await;
        assert_eq!(owners.of().len(), 0);
    }

    #[tokio::test]
    async fn strangers_can_have_so_many_and_make_room_when_they_log_in() {
        let sessions = Arc::new(LocalSessionManager::default());
        let owners = Owners::new(Arc::clone(&sessions));
        let mut transports = Vec::new();
        for _ in 0..MOST_OF_STRANGERS {
            assert!(owners.has_room().await);
            let (id, transport) = sessions.create_session().await.unwrap();
            owners.note(&id, None).await;
            transports.push((id, transport));
        }
        assert!(!owners.has_room().await);
        let (first, second) = (&transports[0].0, &transports[1].0);
        assert!(owners.admit(first, Some("583231")));
        assert!(owners.has_room().await);
        owners.note("again", None).await;
        sessions.close_session(second).await.unwrap();
        assert!(owners.has_room().await);
    }
}
