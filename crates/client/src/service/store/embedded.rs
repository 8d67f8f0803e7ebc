//! The embedded engine: one file (or memory), one process, nothing to install.

use std::{
    fs::{DirBuilder, OpenOptions, Permissions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use mcp_gateway_model::clock::Timestamp;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, Table, TableDefinition,
    backends::InMemoryBackend,
};

use super::{
    StoreFault,
    engine::{Answer, Engine, Raw, Value},
};

/// When a record may go, in milliseconds since the epoch, and its bytes.
type Row = (u64, &'static [u8]);

const RECORDS: TableDefinition<'_, &str, Row> = TableDefinition::new("records");
const BROOM: TableDefinition<'_, (u64, &str), ()> = TableDefinition::new("broom");

/// Memory that the file's pages may take.
const CACHE: usize = 16 << 20;
/// How many records one write may sweep on its way, and how many one turn of the broom.
const ON_THE_WAY: usize = 8;
const AT_ONCE: usize = 1000;

/// The engine for one process.
pub(super) struct Embedded(Arc<Database>);

impl Embedded {
    /// A store that is gone with the process.
    pub(super) fn in_memory() -> Answer<Self> {
        let made = Builder::new().create_with_backend(InMemoryBackend::new());
        made.map_err(|error| StoreFault::Unavailable(error.to_string()))
            .and_then(Self::begin)
    }

    /// The store in the file at `path`: readable by its owner alone (0600), as is its directory if that has to be made.
    pub(super) fn open(path: &Path) -> Answer<Self> {
        let at = path.display();
        let refuse =
            |error: std::io::Error| StoreFault::Misconfigured(format!("{at} cannot be opened: {error}"));
        if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            let mut builder = DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .map_err(refuse)?;
        }
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let file = options.open(path).map_err(refuse)?;
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(refuse)?;
        let opened = Builder::new().set_cache_size(CACHE).create_file(file);
        opened
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => StoreFault::Misconfigured(format!(
                    "{at} is in use by another process; only one can have it open"
                )),
                error => StoreFault::Misconfigured(format!("{at} is not a store: {error}")),
            })
            .and_then(Self::begin)
    }

    fn begin(database: Database) -> Answer<Self> {
        let make_tables = || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            transaction.open_table(RECORDS)?;
            transaction.open_table(BROOM)?;
            Ok(transaction.commit()?)
        };
        make_tables().map_err(|error| unavailable(&error))?;
        Ok(Self(Arc::new(database)))
    }

    /// Does `job` in a transaction of its own, on a thread that may wait for the disk. Nothing is committed if it changed
    /// nothing.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Tables<'_>) -> Result<T, redb::Error> + Send + 'static,
    ) -> Answer<T> {
        let database = Arc::clone(&self.0);
        let work = move || -> Result<T, redb::Error> {
            let transaction = database.begin_write()?;
            let mut tables = Tables {
                records: transaction.open_table(RECORDS)?,
                broom: transaction.open_table(BROOM)?,
                has_changed: false,
            };
            let answer = job(&mut tables)?;
            let has_changed = tables.has_changed;
            drop(tables);
            if has_changed {
                transaction.commit()?;
            } else {
                transaction.abort()?;
            }
            Ok(answer)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| StoreFault::Unavailable(error.to_string()))?
            .map_err(|error| unavailable(&error))
    }
}

#[async_trait]
impl Engine for Embedded {
    /// A look-up in a tree whose pages are in memory: microseconds, so it happens where it is asked for.
    async fn get(&self, keys: &[String]) -> Answer<Vec<Option<Raw>>> {
        let look = || -> Result<_, redb::Error> {
            let records = self.0.begin_read()?.open_table(RECORDS)?;
            let one = |key: &String| Ok(records.get(key.as_str())?.map(|row| row.value().1.to_vec()));
            keys.iter().map(one).collect()
        };
        look().map_err(|error| unavailable(&error))
    }

    async fn put(&self, key: &str, value: Value, now: Timestamp) -> Answer<()> {
        let key = key.to_owned();
        self.write(move |tables| {
            tables.put(&key, &value)?;
            tables.sweep(now, ON_THE_WAY).map(drop)
        })
        .await
    }

    async fn swap(&self, key: &str, held: Option<Raw>, then: Option<Value>, now: Timestamp) -> Answer<bool> {
        let key = key.to_owned();
        self.write(move |tables| {
            if tables.get(&key)? != held {
                return Ok(false);
            }
            match then {
                Some(value) => tables.put(&key, &value)?,
                None => tables.remove(&key)?,
            }
            tables.sweep(now, ON_THE_WAY)?;
            Ok(true)
        })
        .await
    }

    async fn sweep(&self, now: Timestamp) -> Answer<u64> {
        let mut swept = 0;
        loop {
            let round = self.write(move |tables| tables.sweep(now, AT_ONCE)).await?;
            swept += round;
            if round == 0 {
                return Ok(swept);
            }
        }
    }

    /// Nothing can be set up in a wrong way.
    async fn inspect(&self, _: Timestamp) -> Answer<Vec<String>> {
        Ok(Vec::new())
    }
}

/// The tables within one transaction.
struct Tables<'t> {
    records: Table<'t, &'static str, Row>,
    broom: Table<'t, (u64, &'static str), ()>,
    has_changed: bool,
}

impl Tables<'_> {
    fn get(&self, key: &str) -> Result<Option<Raw>, redb::Error> {
        Ok(self.records.get(key)?.map(|row| row.value().1.to_vec()))
    }

    fn put(&mut self, key: &str, value: &Value) -> Result<(), redb::Error> {
        self.remove(key)?;
        let ends = value.ends.millis();
        self.records.insert(key, (ends, value.bytes.as_slice()))?;
        self.broom.insert((ends, key), ())?;
        self.has_changed = true;
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<(), redb::Error> {
        let ends = self.records.remove(key)?.map(|row| row.value().0);
        if let Some(ends) = ends {
            self.broom.remove((ends, key))?;
            self.has_changed = true;
        }
        Ok(())
    }

    fn sweep(&mut self, now: Timestamp, most: usize) -> Result<u64, redb::Error> {
        let mut ended = Vec::new();
        for row in self.broom.range(..(now.millis(), ""))?.take(most) {
            ended.push(row?.0.value().1.to_owned());
        }
        for key in &ended {
            self.remove(key)?;
        }
        Ok(ended.len() as u64)
    }
}

fn unavailable(error: &redb::Error) -> StoreFault {
    StoreFault::Unavailable(format!("the data file: {error}"))
}
