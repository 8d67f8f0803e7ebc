//! The data that the sample server keeps: named values, each user's own.

mod draft;
mod files;

use std::{
    collections::HashMap,
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mcp_gateway_model::{clock::Timestamp, secret::random_text};
use rmcp::schemars;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use draft::{Draft, Fault};
pub use files::OpenError;

use files::Files;

/// How many items a user can have.
pub const MOST_ITEMS: usize = 100;
/// How many bytes the items of all users can have together.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// What an item weighs besides its name and value: its id, its times, its place in a file.
const OVERHEAD: usize = 256;

/// A named value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Item {
    /// What it is found by; never used again.
    pub(super) id: String,
    /// Its name; several can have the same.
    pub(super) name: String,
    /// Its value, any JSON.
    pub(super) value: Value,
    /// When it was made, in seconds since 1970.
    pub(super) created_at: u64,
    /// When it was last changed, in seconds since 1970.
    pub(super) updated_at: u64,
}

impl Item {
    fn weight(&self) -> usize {
        OVERHEAD + self.name.len() + self.value.to_string().len()
    }
}

/// Why items were not changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unchanged {
    #[error("no item of yours has this id: ask for the list to see which there are")]
    Unknown,
    #[error("you have {MOST_ITEMS} items, which is the most: delete one first")]
    TooMany,
    #[error(
        "this server keeps no more data, whosever it is: delete some of yours, or ask its operator for room"
    )]
    Full,
    #[error("the change could not be kept: ask the server's operator to look into its log")]
    Unkept(#[source] io::Error),
}

/// Everybody's items. Clones share them.
#[derive(Clone, Default)]
pub struct Items {
    kept: Arc<Mutex<Kept>>,
}

impl fmt::Debug for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // what people keep is nobody's business
        f.debug_struct("Items").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Kept {
    of: HashMap<String, Vec<Item>>,
    weight: usize,
    place: Place,
}

/// Where items are kept.
#[derive(Default)]
enum Place {
    #[default]
    Memory,
    Directory(Files),
    /// No more: another process may have the directory.
    Closed,
}

impl Items {
    /// Items that are forgotten at the end.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Items that are kept in a directory, which is made if it is not there. No other process can use it meanwhile.
    ///
    /// # Errors
    /// [`OpenError`] when the directory cannot be used, or a file in it cannot be read.
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let (files, of) = Files::open(directory)?;
        let kept = Kept {
            weight: of.values().flatten().map(Item::weight).sum(),
            of,
            place: Place::Directory(files),
        };
        Ok(Self {
            kept: Arc::new(Mutex::new(kept)),
        })
    }

    /// What a user has, the oldest first.
    pub(super) fn of(&self, user: &str) -> Vec<Item> {
        self.kept().of.get(user).cloned().unwrap_or_default()
    }

    /// One item of a user.
    pub(super) fn one(&self, user: &str, id: &str) -> Option<Item> {
        let kept = self.kept();
        kept.of.get(user)?.iter().find(|item| item.id == id).cloned()
    }

    /// Makes an item.
    pub(super) async fn create(&self, user: &str, draft: Draft, now: Timestamp) -> Result<Item, Unchanged> {
        let item = Item {
            id: random_text::<12>(),
            name: draft.name.unwrap_or_default(),
            value: draft.value.unwrap_or_default(),
            created_at: now.secs(),
            updated_at: now.secs(),
        };
        self.change(user, move |items| {
            if items.len() >= MOST_ITEMS {
                return Err(Unchanged::TooMany);
            }
            items.push(item.clone());
            Ok(item)
        })
        .await
    }

    /// Changes an item; what the draft leaves out stays.
    pub(super) async fn update(
        &self,
        user: &str,
        id: &str,
        draft: Draft,
        now: Timestamp,
    ) -> Result<Item, Unchanged> {
        let id = id.to_owned();
        self.change(user, move |items| {
            let item = items.iter_mut().find(|item| item.id == id);
            let item = item.ok_or(Unchanged::Unknown)?;
            item.name = draft.name.unwrap_or_else(|| item.name.clone());
            item.value = draft.value.unwrap_or_else(|| item.value.clone());
            item.updated_at = now.secs();
            Ok(item.clone())
        })
        .await
    }

    /// Deletes an item; answers what it was.
    pub(super) async fn delete(&self, user: &str, id: &str) -> Result<Item, Unchanged> {
        let id = id.to_owned();
        self.change(user, move |items| {
            let at = items.iter().position(|item| item.id == id);
            Ok(items.remove(at.ok_or(Unchanged::Unknown)?))
        })
        .await
    }

    /// Changes a user's items away from the threads that serve: a file is written, and waited for.
    async fn change<T: Send + 'static>(
        &self,
        user: &str,
        change: impl FnOnce(&mut Vec<Item>) -> Result<T, Unchanged> + Send + 'static,
    ) -> Result<T, Unchanged> {
        let (items, user) = (self.clone(), user.to_owned());
        let changed = tokio::task::spawn_blocking(move || items.kept().change(&user, change)).await;
        changed.unwrap_or_else(|ended| Err(Unchanged::Unkept(io::Error::other(ended))))
    }

    /// Leaves the directory to other processes: nothing changes here any more.
    pub(super) fn close(&self) {
        let mut kept = self.kept();
        if let Place::Directory(_) = kept.place {
            kept.place = Place::Closed;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// All or nothing: what is not on the disk is not in memory either.
    fn change<T>(
        &mut self,
        user: &str,
        change: impl FnOnce(&mut Vec<Item>) -> Result<T, Unchanged>,
    ) -> Result<T, Unchanged> {
        let weigh = |items: &[Item]| items.iter().map(Item::weight).sum::<usize>();
        let mut items = self.of.get(user).cloned().unwrap_or_default();
        let before = weigh(&items);
        let done = change(&mut items)?;
        let weight = self.weight - before + weigh(&items);
        if weight > MOST_BYTES && weight > self.weight {
            return Err(Unchanged::Full);
        }
        let written = match &self.place {
            Place::Memory => Ok(()),
            Place::Directory(files) => files.write(user, &items),
            Place::Closed => Err(io::Error::other("the data directory is closed")),
        };
        written.map_err(|error| {
            tracing::error!(%error, "the sample server cannot keep its data");
            Unchanged::Unkept(error)
        })?;
        self.weight = weight;
        if items.is_empty() {
            self.of.remove(user);
        } else {
            self.of.insert(user.to_owned(), items);
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn draft() -> Draft {
        Draft::whole(Some(json!("a")), Some(json!(1))).unwrap()
    }

    #[tokio::test]
    async fn when_there_is_no_room_for_anybody_s_items_some_can_still_be_deleted() {
        let (items, now) = (Items::in_memory(), Timestamp::from_secs(7));
        let first = items.create("1", draft(), now).await.unwrap();
        assert_eq!((first.created_at, first.updated_at), (7, 7));
        items.kept().weight = MOST_BYTES;
        let more = items.create("2", draft(), now).await;
        assert!(matches!(more, Err(Unchanged::Full)));
        assert!(items.of("2").is_empty());
        items.delete("1", &first.id).await.unwrap();
        assert!(items.create("2", draft(), now).await.is_ok());
        assert_eq!(items.kept().of.len(), 1, "who has nothing is forgotten");
    }

    #[tokio::test]
    async fn a_change_moves_the_time_of_the_change_alone() {
        let items = Items::in_memory();
        let made = items.create("1", draft(), Timestamp::from_secs(7)).await.unwrap();
        let changed = items
            .update("1", &made.id, draft(), Timestamp::from_secs(9))
            .await;
        let changed = changed.unwrap();
        assert_eq!((changed.created_at, changed.updated_at), (7, 9));
    }

    #[tokio::test]
    async fn what_is_closed_changes_no_more_and_leaves_its_directory_to_others() {
        let directory = tempfile::tempdir().unwrap();
        let items = Items::open(directory.path()).unwrap();
        items.close();
        let made = items.create("1", draft(), Timestamp::from_secs(7)).await;
        assert!(matches!(made, Err(Unchanged::Unkept(_))));
        assert!(Items::open(directory.path()).is_ok());
    }
}
