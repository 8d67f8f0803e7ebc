//! What users have allowed.

use mcp_gateway_model::{clock::Timestamp, secret::Digest};

use super::{
    Grant, Store, StoreFault, UserId,
    amounts::{GRANTS, REFRESH_TOKENS},
    engine::Raw,
};

/// A grant, and what proves that it has not changed since it was read.
#[derive(Clone, Debug)]
pub struct Held {
    /// The grant.
    pub grant: Grant,
    /// The name of its resource.
    pub name: String,
    pub(super) key: String,
    raw: Raw,
}

impl Store {
    /// Remembers a grant under the name of its resource, in the place of the one that the user had for that.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn put_grant(
        &self,
        name: &str,
        grant: &Grant,
        ends: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreFault> {
        let key = self.grant_key(&grant.user, name);
        self.count(&grant.user, GRANTS, &key, now).await?;
        let value = self.sealed(&key, grant, ends)?;
        self.engine.put(&key, value, now).await
    }

    /// The name of the resource that a refresh token of the user is for, or was before it was used: if the service gave it to
    /// the user.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn refreshed_by(
        &self,
        user: &UserId,
        refresh_token: &str,
    ) -> Result<Option<String>, StoreFault> {
        let found = self.read(&self.pointer_key(user, refresh_token)).await?;
        Ok(found.map(|(name, _)| name))
    }

    /// Remembers that a user was given the refresh token of a grant: who comes with it finds the grant, also after the service
    /// has used it.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn hand_out(
        &self,
        name: &str,
        grant: &Grant,
        ends: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreFault> {
        let Some(token) = &grant.refresh_token else {
            return Ok(());
        };
        let key = self.pointer_key(&grant.user, token);
        self.count(&grant.user, REFRESH_TOKENS, &key, now).await?;
        let value = self.sealed(&key, &name, ends)?;
        self.engine.put(&key, value, now).await
    }

    /// The user's grant for the first of the resources called `names` that there is one for.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn grant(&self, user: &UserId, names: &[String]) -> Result<Option<Held>, StoreFault> {
        let keys: Vec<_> = names.iter().map(|name| self.grant_key(user, name)).collect();
        if keys.is_empty() {
            return Ok(None);
        }
        let found = self.engine.get(&keys).await?;
        let mut both = names.iter().zip(keys.into_iter().zip(found));
        let first = both.find_map(|(name, (key, raw))| Some((name.clone(), key, raw?)));
        first
            .map(|(name, key, raw)| {
                let grant = self.opened(&key, &raw)?;
                Ok(Held {
                    grant,
                    name,
                    key,
                    raw,
                })
            })
            .transpose()
    }

    /// Puts a grant in the place of one that was read, unless that has changed meanwhile. Answers whether it did.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn replace_grant(
        &self,
        held: &Held,
        grant: &Grant,
        ends: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreFault> {
        let value = self.sealed(&held.key, grant, ends)?;
        self.engine
            .swap(&held.key, Some(held.raw.clone()), Some(value), now)
            .await
    }

    /// Forgets a grant, unless it has changed since it was read.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn forget_grant(&self, held: &Held, now: Timestamp) -> Result<bool, StoreFault> {
        self.engine
            .swap(&held.key, Some(held.raw.clone()), None, now)
            .await
    }

    fn pointer_key(&self, user: &UserId, refresh_token: &str) -> String {
        let user = Digest::of(user.as_str().as_bytes()).to_string();
        let token = Digest::of(refresh_token.as_bytes()).to_string();
        self.key("refresh-token", &[&user, &token])
    }

    fn grant_key(&self, user: &UserId, resource: &str) -> String {
        let user = Digest::of(user.as_str().as_bytes()).to_string();
        let resource = Digest::of(resource.as_bytes()).to_string();
        self.key("grant", &[&user, &resource])
    }
}
