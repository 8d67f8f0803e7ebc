//! The embedded engine: one file (or memory), one process, nothing to install.

mod steps;
mod tables;
mod writer;

use std::{
    fs::{DirBuilder, OpenOptions, Permissions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
    time::Duration,
};

use mcp_gateway_model::clock::Timestamp;
use mcp_gateway_watch::Watch;
use redb::{Builder, Database, DatabaseError, backends::InMemoryBackend};

use crate::{
    engine::{Answer, Bound, Done, Engine, Raw, SLACK, Step, Swap, Value},
    keys::Keys,
    limits::Bucket,
    value::{SCHEMA, check_schema},
    verbs::{Health, StoreError, Warning},
};
use tables::{Reader, Tables};
use writer::Writer;

/// Memory that a file's pages may take.
const CACHE: usize = 32 << 20;

/// Where the members of an index begin: a separator that no key holds.
const MEMBER: char = '\u{0}';

/// The engine for one process: a redb file, or memory.
///
/// Writes go through one thread that puts all waiting ones into one commit; each is answered after its commit is on
/// disk. Reads see what is committed and wait for nobody.
pub struct EmbeddedStore {
    database: Arc<Database>,
    writer: Writer,
    keys: Keys,
    watch: Arc<Watch>,
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmbeddedStore")
    }
}

impl EmbeddedStore {
    /// A store in memory: gone with the process.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the machine has no memory or thread to give.
    pub fn in_memory() -> Result<Self, StoreError> {
        let database = Builder::new()
            .create_with_backend(InMemoryBackend::new())
            .map_err(|e| StoreError::Unavailable(format!("the store in memory cannot be made: {e}")))?;
        Self::begin(database)
    }

    /// The store in the file at `path`, which is made if it is not there: readable by its owner alone (mode 0600), as is
    /// its directory if that has to be made (0700).
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] when the file cannot be opened or another process has it open,
    /// [`StoreError::TooNew`] when a newer release wrote it, [`StoreError::Corrupt`] when it is not a store.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let refuse = |e: std::io::Error| {
            StoreError::Misconfigured(format!("{} cannot be opened: {e}", path.display()))
        };
        if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .map_err(refuse)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(refuse)?;
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(refuse)?;
        let database = Builder::new()
            .set_cache_size(CACHE)
            .create_file(file)
            .map_err(|e| match e {
                DatabaseError::DatabaseAlreadyOpen => StoreError::Misconfigured(format!(
                    "{} is in use by another process; only one can have it open",
                    path.display()
                )),
                e => StoreError::Corrupt {
                    key: path.display().to_string(),
                    reason: e.to_string(),
                },
            })?;
        Self::begin(database)
    }

    fn begin(database: Database) -> Result<Self, StoreError> {
        let keys = Keys::new(String::new());
        tables::prepare(&database, &keys.schema(), SCHEMA.to_string().as_bytes())?;
        let database = Arc::new(database);
        let watch = Arc::new(Watch::unfailing());
        let store = Self {
            writer: Writer::start(Arc::clone(&database), Arc::clone(&watch))?,
            database,
            keys,
            watch,
        };
        let mark = store.read(|r| r.get(&store.keys.schema()))?.unwrap_or_default();
        check_schema(&store.keys.schema(), &mark)?;
        Ok(store)
    }

    /// Removes records that ended before `now`, and answers how many. Writing does the same bit by bit; this is for a
    /// store that has nothing else to do.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be written.
    pub async fn sweep(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut swept = 0;
        loop {
            let round = self
                .writer
                .run(move |t: &mut Tables<'_>| t.sweep(now, 1000))
                .await?;
            swept += round;
            if round == 0 {
                return Ok(swept);
            }
        }
    }

    /// A lookup in a tree whose pages are in memory: microseconds, so it happens where it is asked for.
    fn read<T>(&self, look: impl FnOnce(&Reader) -> Result<T, redb::Error>) -> Answer<T> {
        Reader::begin(&self.database)
            .and_then(|r| look(&r))
            .map_err(|e| tables::unavailable(&e))
    }

    /// Writes, and sweeps a little on the way.
    async fn write<T: Send + 'static>(
        &self,
        now: Timestamp,
        job: impl FnOnce(&mut Tables<'_>) -> Result<T, redb::Error> + Send + 'static,
    ) -> Answer<T> {
        self.writer
            .run(move |t: &mut Tables<'_>| {
                let answer = job(t)?;
                t.sweep(now, 8)?;
                Ok(answer)
            })
            .await
    }
}

impl Engine for EmbeddedStore {
    fn keys(&self) -> &Keys {
        &self.keys
    }

    fn watch(&self) -> Option<Arc<Watch>> {
        Some(Arc::clone(&self.watch))
    }

    async fn get(&self, keys: &[String]) -> Answer<Vec<Option<Raw>>> {
        self.read(|r| keys.iter().map(|key| r.get(key)).collect())
    }

    async fn get_scattered(&self, keys: &[String]) -> Answer<Vec<Option<Raw>>> {
        self.get(keys).await
    }

    async fn put(&self, key: String, value: Value, now: Timestamp) -> Answer<()> {
        self.write(now, move |t| {
            t.put(&key, &value.bytes, swept_at(value.ends, SLACK))
        })
        .await
    }

    async fn put_new(&self, key: String, bytes: Raw) -> Answer<Option<Raw>> {
        self.writer
            .run(move |t: &mut Tables<'_>| {
                let held = t.get(&key)?;
                if held.is_none() {
                    t.put(&key, &bytes, None)?;
                }
                Ok(held)
            })
            .await
    }

    async fn take(&self, key: String) -> Answer<Option<Raw>> {
        self.writer.run(move |t: &mut Tables<'_>| t.remove(&key)).await
    }

    async fn remove(&self, keys: Vec<String>) -> Answer<()> {
        self.writer
            .run(move |t: &mut Tables<'_>| keys.iter().try_for_each(|key| t.remove(key).map(drop)))
            .await
    }

    async fn swap(&self, swaps: Vec<Swap>, now: Timestamp) -> Answer<bool> {
        self.write(now, move |t| steps::swap(t, swaps)).await
    }

    async fn index(&self, key: String, member: &str, ends: Timestamp, now: Timestamp) -> Answer<()> {
        let member = member.to_owned();
        self.write(now, move |t| steps::index(t, &key, &member, ends))
            .await
    }

    async fn unindex(&self, key: String, member: &str) -> Answer<()> {
        self.remove(vec![format!("{key}{MEMBER}{member}")]).await
    }

    async fn members(&self, key: &str) -> Answer<Vec<String>> {
        self.read(|r| r.below(&format!("{key}{MEMBER}")))
    }

    async fn soonest(&self, key: &str, bound: Bound, now: Timestamp) -> Answer<Vec<String>> {
        let living = self.read(|r| r.ends_below(&format!("{key}{MEMBER}")))?;
        Ok(steps::soonest(living, bound, now))
    }

    async fn take_permit(&self, key: String, bucket: Bucket, now: Timestamp) -> Answer<Option<Duration>> {
        self.write(now, move |t| steps::take_permit(t, &key, bucket, now))
            .await?
    }

    /// One transaction, and so one commit. A list that is looked through in the end is read where it is asked for: it may be
    /// long, and everybody's writes wait for the one thread that does them.
    async fn steps(&self, mut steps: Vec<Step>, now: Timestamp) -> Answer<Vec<Done>> {
        let last = steps.pop_if(|step| matches!(step, Step::Soonest { .. }));
        let asked = steps.len();
        let mut all = self.write(now, move |t| steps::all(t, steps, now)).await??;
        if let Some(Step::Soonest { key, bound }) = last
            && all.len() == asked
            && all.last().is_none_or(Done::goes_on)
        {
            all.push(Done::Members(self.soonest(&key, bound, now).await?));
        }
        Ok(all)
    }

    async fn health(&self, _: Timestamp) -> Answer<Health> {
        self.read(|r| r.get(&self.keys.schema()))?;
        Ok(Health {
            clock_skew: Duration::ZERO,
        })
    }

    async fn inspect(&self, _: Timestamp) -> Answer<Vec<Warning>> {
        Ok(Vec::new())
    }
}

/// When the broom may take a record that ends at `ends`.
fn swept_at(ends: Option<Timestamp>, slack: Duration) -> Option<Timestamp> {
    ends.map(|end| end.plus(slack))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Then;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn listing(member: &str, then: Vec<Swap>) -> Vec<Step> {
        let list = || "list".to_owned();
        let bound = Bound {
            most: 1,
            more: 0,
            at_once: 64,
            every: 1,
        };
        vec![
            Step::Index {
                key: list(),
                member: member.to_owned(),
                ends: NOW.plus(Duration::from_secs(60)),
            },
            Step::Swap(then),
            Step::Soonest { key: list(), bound },
        ]
    }

    #[tokio::test]
    async fn a_list_is_looked_through_by_who_asks_and_not_by_the_thread_that_writes() {
        let store = EmbeddedStore::in_memory().unwrap();
        for (member, too_many) in [("a", &[][..]), ("b", &["a"])] {
            let done = store.steps(listing(member, Vec::new()), NOW).await.unwrap();
            assert!(
                matches!(&done[2], Done::Members(found) if found == too_many),
                "{done:?}"
            );
        }
        assert_eq!(tables::LOOKED_THROUGH.get(), 2, "on this thread");
    }

    #[tokio::test]
    async fn after_a_swap_that_does_not_take_place_no_list_is_looked_through() {
        let store = EmbeddedStore::in_memory().unwrap();
        let swap = Swap::new("k".to_owned(), Some(b"other".to_vec()), Then::Keep);
        let done = store.steps(listing("a", vec![swap]), NOW).await.unwrap();
        assert!(
            matches!(done[..], [Done::Indexed, Done::Swapped(false)]),
            "{done:?}"
        );
        assert_eq!(tables::LOOKED_THROUGH.get(), 0);
    }
}
