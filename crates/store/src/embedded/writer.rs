//! The one thread that writes. Whatever waits while a commit is under way goes into the next one.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use mcp_gateway_watch::Watch;
use redb::Database;
use tokio::sync::oneshot;

use super::tables::{Tables, unavailable};
use crate::{engine::Answer, keys::Keys, verbs::StoreError};

/// How many writes share a commit at most.
const BATCH: usize = 256;

/// Tells the caller, once it is known whether the commit is on disk.
type Reply = Box<dyn FnOnce(Result<(), &redb::Error>) + Send>;

/// A write. One that fails takes the whole commit with it: only the file can fail, never the write itself.
type Job = Box<dyn FnOnce(&mut Tables<'_>) -> (Result<(), redb::Error>, Reply) + Send>;

pub(super) struct Writer {
    /// Taken when the store goes, so that the thread ends.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Begins to write; whoever remembers a grant hears over `watch` that it changed before the writer does.
    pub(super) fn start(database: Arc<Database>, watch: Arc<Watch>) -> Answer<Self> {
        let (jobs, waiting) = channel();
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || work(&database, &waiting, &watch))
            .map_err(|e| StoreError::Unavailable(format!("no thread to write with: {e}")))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Runs `job` in a transaction; answers once that is on disk.
    pub(super) async fn run<T, J>(&self, job: J) -> Answer<T>
    where
        T: Send + 'static,
        J: FnOnce(&mut Tables<'_>) -> Result<T, redb::Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |tables| {
            let (result, value) = match job(tables) {
                Ok(value) => (Ok(()), Some(value)),
                Err(fault) => (Err(fault), None),
            };
            let reply: Reply = Box::new(move |committed| {
                let value = match (committed, value) {
                    (Ok(()), Some(value)) => Ok(value),
                    (Err(fault), _) => Err(unavailable(fault)),
                    (Ok(()), None) => Err(stopped()),
                };
                // a caller that went away wants no answer
                drop(reply.send(value));
            });
            (result, reply)
        });
        self.jobs
            .as_ref()
            .ok_or_else(stopped)?
            .send(job)
            .map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    /// Waits for the writes under way, so that the file is free when the store is gone.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store has been closed".into())
}

fn work(database: &Database, waiting: &Receiver<Job>, watch: &Watch) {
    while let Ok(first) = waiting.recv() {
        let jobs = std::iter::once(first).chain(waiting.try_iter().take(BATCH - 1));
        let mut replies = Vec::new();
        let mut changed = Vec::new();
        let result = commit(database, jobs, &mut replies, &mut changed);
        // also after a commit that failed: nobody knows what it left
        for id in changed.iter().filter_map(|key| Keys::watched(key)) {
            watch.touch(id);
        }
        for reply in replies {
            reply(result.as_ref().copied());
        }
    }
}

/// Runs the jobs in one transaction and commits it, if they changed anything: `changed` says of which keys.
fn commit(
    database: &Database,
    jobs: impl Iterator<Item = Job>,
    replies: &mut Vec<Reply>,
    changed: &mut Vec<String>,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    let mut tables = Tables::open(&transaction)?;
    for job in jobs {
        let (result, reply) = job(&mut tables);
        replies.push(reply);
        result?;
    }
    *changed = tables.into_changed();
    if changed.is_empty() {
        transaction.abort()?;
    } else {
        transaction.commit()?;
    }
    Ok(())
}
