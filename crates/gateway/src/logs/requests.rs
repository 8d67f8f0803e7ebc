//! The lines of requests are written many at a time: each thread has a page of its own, and a clerk carries pages away that
//! are not full after a while. Whole lines only, and those of one thread in their order.

use std::{
    cell::RefCell,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use super::{
    Sink,
    line::{Line, Pen, Words},
};

/// How much a page holds; then its thread writes it out.
const FULL: usize = 16 * 1024;
/// How long a line waits at most, while requests keep coming. The first one after a rest is written at once.
const INTERVAL: Duration = Duration::from_millis(100);

/// Where the lines go, once it is known.
static JOURNAL: OnceLock<Journal> = OnceLock::new();

thread_local! {
    static DESK: RefCell<Option<Desk>> = const { RefCell::new(None) };
}

/// Begins to write lines to `outputs`; without any, none are made.
///
/// # Errors
/// When there cannot be a thread for it.
pub(super) fn begin(outputs: Vec<(Sink, Words)>) -> std::io::Result<()> {
    if outputs.is_empty() {
        return Ok(());
    }
    let journal = JOURNAL.get_or_init(|| Journal::new(outputs));
    let clerk = thread::Builder::new()
        .name("log".to_owned())
        .spawn(|| journal.carry())?;
    let _only_one = journal.clerk.set(clerk.thread().clone());
    Ok(())
}

/// Writes the line of a request.
pub(crate) fn write(line: &Line<'_>) {
    if let Some(journal) = JOURNAL.get() {
        DESK.with_borrow_mut(|desk| desk.get_or_insert_with(|| journal.desk()).write(line, journal));
    }
}

/// Writes out what is on the pages of all threads: before the process ends.
pub(crate) fn write_out() {
    if let Some(journal) = JOURNAL.get() {
        journal.write_out();
    }
}

/// Where a thread writes.
struct Desk {
    /// One for each output.
    pens: Vec<Pen>,
    page: Arc<Mutex<Page>>,
}

impl Desk {
    fn write(&mut self, line: &Line<'_>, journal: &Journal) {
        let mut page = held(&self.page);
        let was_empty = page.is_empty();
        let texts = page.texts.iter_mut().zip(&mut self.pens);
        for ((text, pen), (_, words)) in texts.zip(&journal.outputs) {
            pen.write(line, words, text);
        }
        if page.is_full() {
            page.write_out(journal);
        }
        drop(page);
        if was_empty {
            journal.wake_clerk();
        }
    }
}

/// Lines that are not written out yet, for each output.
struct Page {
    texts: Vec<Vec<u8>>,
}

impl Page {
    fn is_empty(&self) -> bool {
        self.texts.iter().all(Vec::is_empty)
    }

    fn is_full(&self) -> bool {
        self.texts.iter().any(|text| text.len() >= FULL)
    }

    fn write_out(&mut self, journal: &Journal) {
        for (text, (sink, _)) in self.texts.iter_mut().zip(&journal.outputs) {
            if !text.is_empty() {
                // there is nowhere to complain that the log cannot be written
                let _lost = sink.put(text);
                text.clear();
            }
        }
    }
}

/// Everything that is written to.
struct Journal {
    outputs: Vec<(Sink, Words)>,
    pages: Mutex<Vec<Arc<Mutex<Page>>>>,
    clerk: OnceLock<Thread>,
    /// Whether the clerk looks again before it rests.
    is_called: AtomicBool,
}

impl Journal {
    fn new(outputs: Vec<(Sink, Words)>) -> Self {
        Self {
            outputs,
            pages: Mutex::default(),
            clerk: OnceLock::new(),
            is_called: AtomicBool::new(false),
        }
    }

    /// A desk for this thread.
    fn desk(&self) -> Desk {
        let texts = self
            .outputs
            .iter()
            .map(|_| Vec::with_capacity(FULL + FULL / 4))
            .collect();
        let page = Arc::new(Mutex::new(Page { texts }));
        held(&self.pages).push(Arc::clone(&page));
        Desk {
            pens: self.outputs.iter().map(|(_, words)| Pen::new(words)).collect(),
            page,
        }
    }

    fn wake_clerk(&self) {
        if !self.is_called.swap(true, Ordering::SeqCst)
            && let Some(clerk) = self.clerk.get()
        {
            clerk.unpark();
        }
    }

    /// Writes out what is there; whether anything was. Pages whose thread has ended are not kept.
    fn write_out(&self) -> bool {
        let mut any = false;
        held(&self.pages).retain(|page| {
            let is_in_use = Arc::strong_count(page) > 1;
            let mut lines = held(page);
            any |= !lines.is_empty();
            lines.write_out(self);
            is_in_use
        });
        any
    }

    /// The clerk's work, for ever.
    fn carry(&self) {
        loop {
            // who writes on an empty page after this calls again
            self.is_called.store(false, Ordering::SeqCst);
            if self.write_out() {
                thread::sleep(INTERVAL);
                continue;
            }
            while !self.is_called.load(Ordering::SeqCst) {
                thread::park();
            }
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
