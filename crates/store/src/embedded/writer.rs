//! The one thread that writes. Whatever waits while a commit is under way goes into the next one.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use redb::Database;
use tokio::sync::oneshot;

use super::tables::{Tables, unavailable};
use crate::{engine::Answer, verbs::StoreError};

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
    pub(super) fn start(database: Arc<Database>) -> Answer<Self> {
        let (jobs, waiting) = channel();
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || work(&database, &waiting))
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

fn work(database: &Database, waiting: &Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        let jobs = std::iter::once(first).chain(waiting.try_iter().take(BATCH - 1));
        let mut replies = Vec::new();
        let result = commit(database, jobs, &mut replies);
        for reply in replies {
            reply(result.as_ref().copied());
        }
    }
}

/// Runs the jobs in one transaction and commits it, if they changed anything.
fn commit(
    database: &Database,
    jobs: impl Iterator<Item = Job>,
    replies: &mut Vec<Reply>,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    let mut tables = Tables::open(&transaction)?;
    for job in jobs {
        let (result, reply) = job(&mut tables);
        replies.push(reply);
        result?;
    }
    let changed = tables.changed();
    drop(tables);
    if changed {
        transaction.commit()?;
    } else {
        transaction.abort()?;
    }
    Ok(())
}
