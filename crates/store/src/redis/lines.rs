//! One connection of each thread for all that it asks at the same time: what is asked together goes out together, and what is
//! answered together is read together.
//!
//! Only where one Redis has all keys and no write waits for replicas: `ASKING` and `WAIT` are about the connection that they
//! are sent on, and need one for themselves ([`super::pool`]).

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use mcp_gateway_model::clock::{Clock as _, SystemClock, Ticks};
use redis::{PushKind, aio::MultiplexedConnection, cmd};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time,
};

use super::{
    faults::{map, unavailable},
    node::{Dialer, Node},
    turns::Turns,
};
use crate::engine::Answer;

/// After how much rest a connection is tried before it is used: what lies between may have forgotten it.
const RESTED: Duration = Duration::from_millis(20);
/// How many questions may be under way on one connection: some ten milliseconds of a Redis' work. Who comes beyond that waits here,
/// where nothing has happened yet that could come too late.
const UNDER_WAY: usize = 256;

/// The connections to the one Redis, one for each thread that asks. Each is driven by the runtime of its thread.
pub(super) struct Lines {
    dialer: Dialer,
    node: Node,
    faults: AtomicU64,
    held: Mutex<HashMap<ThreadId, Arc<Slot>>>,
}

/// The connection of one thread, if there is one.
struct Slot {
    line: Mutex<Option<Arc<Line>>>,
    dialing: Turns<Answer<()>>,
}

/// A connection that many questions share.
pub(super) struct Line {
    pub(super) connection: MultiplexedConnection,
    /// Nothing can be sent on it any more, or nothing should be.
    is_gone: Arc<AtomicBool>,
    /// How many faults there had been when it was made or last tried.
    tried: AtomicU64,
    /// When it was last handed out, in nanoseconds.
    used: AtomicU64,
    /// The store at the other end has been found to be of our schema.
    pub(super) marked: AtomicBool,
    places: Arc<Semaphore>,
}

/// The right to ask one question on a connection that many share.
pub(super) struct Place {
    pub(super) line: Arc<Line>,
    _held: OwnedSemaphorePermit,
}

impl Lines {
    pub(super) fn new(dialer: Dialer, node: Node) -> Self {
        Self {
            dialer,
            node,
            faults: AtomicU64::new(0),
            held: Mutex::default(),
        }
    }

    /// Whether these are the connections to `node`.
    pub(super) fn lead_to(&self, node: &Node) -> bool {
        self.node == *node
    }

    /// A connection failed: all others are tried before they are used again.
    pub(super) fn doubt(&self) {
        self.faults.fetch_add(1, Ordering::AcqRel);
    }

    /// A place on the connection of this thread.
    pub(super) async fn place(&self) -> Answer<Place> {
        let line = self.line().await?;
        let places = Arc::clone(&line.places);
        let held = match Arc::clone(&places).try_acquire_owned() {
            Ok(held) => held,
            Err(_) => match time::timeout(self.dialer.timeout(), places.acquire_owned()).await {
                Ok(Ok(held)) => held,
                _ => return Err(unavailable("too much is asked at once")),
            },
        };
        Ok(Place { line, _held: held })
    }

    /// The connection of this thread. One that was used a moment ago is good as long as none has failed since and the other end
    /// has not hung up: nobody waits for an answer, because that would double the trips.
    async fn line(&self) -> Answer<Arc<Line>> {
        let slot = self.slot();
        let held = slot.line().clone();
        if let Some(line) = held {
            if self.is_good(&line).await {
                line.used.store(SystemClock.ticks().nanos(), Ordering::Release);
                return Ok(line);
            }
            line.give_up();
        }
        let dialed = slot.dialing.once(|| async {
            if slot.line().as_ref().is_some_and(|line| !line.is_gone()) {
                return Ok(());
            }
            let line = self.dial().await?;
            *slot.line() = Some(Arc::new(line));
            Ok(())
        });
        dialed.await?;
        let line = slot.line().clone();
        line.ok_or_else(|| unavailable("the connection failed at once"))
    }

    async fn is_good(&self, line: &Line) -> bool {
        if line.is_gone() {
            return false;
        }
        let faults = self.faults.load(Ordering::Acquire);
        if line.tried.load(Ordering::Acquire) == faults && line.rest() < RESTED {
            return true;
        }
        let answer = cmd("PING").exec_async(&mut line.connection.clone()).await;
        line.tried.store(faults, Ordering::Release);
        answer.is_ok()
    }

    async fn dial(&self) -> Answer<Line> {
        let faults = self.faults.load(Ordering::Acquire);
        let is_gone = Arc::new(AtomicBool::new(false));
        let hung_up = Arc::clone(&is_gone);
        let connection = self.dialer.dial_and_hear(&self.node, move |push| {
            if push.kind == PushKind::Disconnection {
                hung_up.store(true, Ordering::Release);
            }
        });
        let mut connection = connection.await.map_err(|e| map(&e, ""))?;
        self.dialer.prove(&mut connection).await?;
        Ok(Line {
            connection,
            is_gone,
            tried: AtomicU64::new(faults),
            used: AtomicU64::new(SystemClock.ticks().nanos()),
            marked: AtomicBool::new(false),
            places: Arc::new(Semaphore::new(UNDER_WAY)),
        })
    }

    fn slot(&self) -> Arc<Slot> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = held.entry(thread::current().id()).or_insert_with(|| {
            Arc::new(Slot {
                line: Mutex::new(None),
                dialing: Turns::new(),
            })
        });
        Arc::clone(slot)
    }
}

impl Slot {
    fn line(&self) -> MutexGuard<'_, Option<Arc<Line>>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Nobody else is to ask on it. Whether that is news.
    pub(super) fn give_up(&self) -> bool {
        !self.is_gone.swap(true, Ordering::AcqRel)
    }

    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    fn rest(&self) -> Duration {
        Ticks::from_nanos(self.used.load(Ordering::Acquire)).until(SystemClock.ticks())
    }
}
