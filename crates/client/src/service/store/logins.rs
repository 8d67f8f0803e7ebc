//! Logins under way.

use std::time::Duration;

use mcp_gateway_model::{clock::Timestamp, secret::Secret};

use super::{Login, Store, StoreFault, UserId};

/// For how long after its end a login is told from one that never was.
const AFTERLIFE: Duration = Duration::from_secs(600);

/// What became of a state that came back.
#[derive(Debug)]
pub enum Returned {
    /// It is this user's, who alone gets it, and only once.
    Login(Box<Login>),
    /// Another user began it. It stays.
    AnothersLogin,
    /// It came back too late.
    Expired,
    /// It never was, or came back before.
    Unknown,
}

impl Store {
    /// Remembers a login under the state that it will come back with.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn begin_login(&self, login: &Login, now: Timestamp) -> Result<(), StoreFault> {
        let key = self.login_key(&login.pending.state);
        let value = self.sealed(&key, login, login.expires_at.plus(AFTERLIFE))?;
        self.engine.put(&key, value, now).await
    }

    /// Ends the login that `state` belongs to, if it is this user's: of many at once, one gets it.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn end_login(
        &self,
        state: &Secret,
        user: &UserId,
        now: Timestamp,
    ) -> Result<Returned, StoreFault> {
        let key = self.login_key(state);
        let Some((login, raw)) = self.read::<Login>(&key).await? else {
            return Ok(Returned::Unknown);
        };
        if login.user != *user {
            return Ok(Returned::AnothersLogin);
        }
        if login.expires_at.has_passed(now) {
            return Ok(Returned::Expired);
        }
        if self.engine.swap(&key, Some(raw), None, now).await? {
            Ok(Returned::Login(Box::new(login)))
        } else {
            Ok(Returned::Unknown)
        }
    }

    fn login_key(&self, state: &Secret) -> String {
        self.key("login", &[&state.digest().to_string()])
    }
}
