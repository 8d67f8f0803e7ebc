//! How much of a kind one user may have kept: what comes on top takes the place of the oldest.

use std::time::Duration;

use mcp_gateway_model::{clock::Timestamp, secret::Digest};

use super::{Store, StoreFault, UserId};

/// The most of each kind.
const MOST: usize = 200;
/// How often the list is tried to be changed while others change it.
const TRIES: usize = 16;

/// How long a list is kept after its last change: longer than what it counts.
const LIFE: Duration = Duration::from_secs(100 * 86_400);

/// What is counted.
pub(super) const GRANTS: &str = "grants";
pub(super) const REGISTRATIONS: &str = "registrations";
pub(super) const REFRESH_TOKENS: &str = "refresh-tokens";

impl Store {
    /// Notes that the record under `key` is kept for a user, and removes the oldest of this kind if they are too many.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub(super) async fn count(
        &self,
        user: &UserId,
        kind: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<(), StoreFault> {
        let user = Digest::of(user.as_str().as_bytes()).to_string();
        let list = self.key("of-user", &[&user, kind]);
        let place = self.place(key).to_owned();
        for _ in 0..TRIES {
            let (mut kept, held) = match self.read::<Vec<String>>(&list).await? {
                Some((kept, raw)) => (kept, Some(raw)),
                None => (Vec::new(), None),
            };
            if kept.contains(&place) {
                return Ok(());
            }
            if kept.len() >= MOST {
                kept = self.still_there(kept).await?;
            }
            kept.push(place.clone());
            let oldest: Vec<_> = kept.drain(..kept.len().saturating_sub(MOST)).collect();
            let value = self.sealed(&list, &kept, now.plus(LIFE))?;
            if !self.engine.swap(&list, held, Some(value), now).await? {
                continue;
            }
            for place in oldest {
                self.remove(&place, now).await?;
            }
            return Ok(());
        }
        Err(StoreFault::Unavailable(
            "too many change the same list".to_owned(),
        ))
    }

    async fn still_there(&self, places: Vec<String>) -> Result<Vec<String>, StoreFault> {
        let keys: Vec<_> = places.iter().map(|place| self.at(place)).collect();
        let found = self.engine.get(&keys).await?;
        let both = places.into_iter().zip(found);
        Ok(both.filter_map(|(place, found)| found.map(|_| place)).collect())
    }

    async fn remove(&self, place: &str, now: Timestamp) -> Result<(), StoreFault> {
        let key = self.at(place);
        let held = self.engine.get(std::slice::from_ref(&key)).await?.pop().flatten();
        if held.is_some() {
            self.engine.swap(&key, held, None, now).await?;
        }
        Ok(())
    }

    /// The key of a place.
    fn at(&self, place: &str) -> String {
        format!("{}{place}", self.prefix)
    }
}
