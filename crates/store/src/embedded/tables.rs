//! The two tables of the file: the records, and when each may be swept.

use mcp_gateway_model::clock::Timestamp;
use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction,
};

use crate::{engine::Raw, verbs::StoreError};

/// When a record may be swept, in milliseconds since the epoch, and its bytes.
type Row = (u64, &'static [u8]);

const RECORDS: TableDefinition<'_, &str, Row> = TableDefinition::new("records");
const BROOM: TableDefinition<'_, (u64, &str), ()> = TableDefinition::new("broom");

/// The row of a record that is never swept.
const NEVER: u64 = u64::MAX;

/// What is committed, at one moment.
pub(super) struct Reader(ReadOnlyTable<&'static str, Row>);

impl Reader {
    pub(super) fn begin(database: &Database) -> Result<Self, redb::Error> {
        Ok(Self(database.begin_read()?.open_table(RECORDS)?))
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Raw>, redb::Error> {
        Ok(self.0.get(key)?.map(|row| row.value().1.to_vec()))
    }

    /// When each record may be swept whose key begins with `prefix`, and the rest of its key.
    pub(super) fn ends_below(&self, prefix: &str) -> Result<Vec<(u64, String)>, redb::Error> {
        ends_below(&self.0, prefix)
    }

    /// The rest of every key that begins with `prefix`.
    pub(super) fn below(&self, prefix: &str) -> Result<Vec<String>, redb::Error> {
        let mut found = Vec::new();
        for row in self.0.range(prefix..)? {
            let (key, _) = row?;
            let Some(rest) = key.value().strip_prefix(prefix) else {
                break;
            };
            found.push(rest.to_owned());
        }
        Ok(found)
    }
}

/// The tables within one write transaction.
pub(super) struct Tables<'t> {
    records: Table<'t, &'static str, Row>,
    broom: Table<'t, (u64, &'static str), ()>,
    /// The keys that were written or removed.
    changed: Vec<String>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            records: transaction.open_table(RECORDS)?,
            broom: transaction.open_table(BROOM)?,
            changed: Vec::new(),
        })
    }

    /// The keys that there is something to commit of.
    pub(super) fn into_changed(self) -> Vec<String> {
        self.changed
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Raw>, redb::Error> {
        Ok(self.records.get(key)?.map(|row| row.value().1.to_vec()))
    }

    /// As [`Reader::ends_below`], with what this transaction changed.
    pub(super) fn ends_below(&self, prefix: &str) -> Result<Vec<(u64, String)>, redb::Error> {
        ends_below(&self.records, prefix)
    }

    /// Whether there is a record that may not be swept before `ends`.
    pub(super) fn stays_until(&self, key: &str, ends: Option<Timestamp>) -> Result<bool, redb::Error> {
        let ends = ends.map_or(NEVER, Timestamp::millis);
        Ok(self.records.get(key)?.is_some_and(|row| row.value().0 >= ends))
    }

    pub(super) fn put(
        &mut self,
        key: &str,
        bytes: &[u8],
        ends: Option<Timestamp>,
    ) -> Result<(), redb::Error> {
        let ends = ends.map_or(NEVER, Timestamp::millis);
        let before = self.records.insert(key, (ends, bytes))?.map(|row| row.value().0);
        if let Some(before) = before.filter(|before| *before != ends) {
            self.broom.remove((before, key))?;
        }
        if ends != NEVER {
            self.broom.insert((ends, key), ())?;
        }
        self.changed.push(key.to_owned());
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &str) -> Result<Option<Raw>, redb::Error> {
        let row = self.records.remove(key)?.map(|row| {
            let (ends, bytes) = row.value();
            (ends, bytes.to_vec())
        });
        let Some((ends, bytes)) = row else { return Ok(None) };
        self.broom.remove((ends, key))?;
        self.changed.push(key.to_owned());
        Ok(Some(bytes))
    }

    /// Removes records that may go at `now`, `most` of them at most. Answers how many it removed.
    pub(super) fn sweep(&mut self, now: Timestamp, most: usize) -> Result<u64, redb::Error> {
        let mut ended = Vec::new();
        for row in self.broom.range(..(now.millis(), ""))?.take(most) {
            ended.push(row?.0.value().1.to_owned());
        }
        let mut swept = 0;
        for key in ended {
            swept += u64::from(self.remove(&key)?.is_some());
        }
        Ok(swept)
    }
}

#[cfg(test)]
thread_local! {
    /// How many lists this thread has looked through.
    pub(super) static LOOKED_THROUGH: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

fn ends_below(
    records: &impl ReadableTable<&'static str, Row>,
    prefix: &str,
) -> Result<Vec<(u64, String)>, redb::Error> {
    #[cfg(test)]
    LOOKED_THROUGH.set(LOOKED_THROUGH.get() + 1);
    let mut found = Vec::new();
    for row in records.range(prefix..)? {
        let (key, row) = row?;
        let Some(rest) = key.value().strip_prefix(prefix) else {
            break;
        };
        found.push((row.value().0, rest.to_owned()));
    }
    Ok(found)
}

/// Makes the tables, and marks a file that has no mark yet.
pub(super) fn prepare(database: &Database, key: &str, mark: &[u8]) -> Result<(), StoreError> {
    let prepare = || -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        let mut tables = Tables::open(&transaction)?;
        if tables.get(key)?.is_none() {
            tables.put(key, mark, None)?;
        }
        drop(tables);
        transaction.commit()?;
        Ok(())
    };
    prepare().map_err(|e| unavailable(&e))
}

pub(super) fn unavailable(fault: &redb::Error) -> StoreError {
    StoreError::Unavailable(format!("the data file: {fault}"))
}
