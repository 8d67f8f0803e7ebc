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
/// How many connections, one after the other, a place is looked for on.
const CONNECTIONS: u32 = 3;
/// As many faults as there never are: the connection is tried before it is used again.
const DOUBTED: u64 = u64::MAX;

/// The connections to the one Redis, one for each thread that asks. Each is driven by the runtime of its thread.
pub(super) struct Lines {
    dialer: Dialer,
    node: Node,
    faults: Arc<AtomicU64>,
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
    life: Arc<Life>,
    /// How many faults there had been when it was made or last tried.
    tried: AtomicU64,
    /// When it was last handed out or tried, in nanoseconds.
    used: AtomicU64,
    trying: Turns<bool>,
    /// The store at the other end has been found to be of our schema.
    pub(super) marked: AtomicBool,
}

/// How long a connection is one.
struct Life {
    /// Nothing can be sent on it any more, or nothing should be.
    is_gone: AtomicBool,
    places: Arc<Semaphore>,
}

/// The right to ask one question on a connection that many share.
pub(super) struct Place {
    pub(super) line: Arc<Line>,
    /// The question was sent, and nobody has heard what came of it.
    is_open: bool,
    _held: OwnedSemaphorePermit,
}

impl Lines {
    pub(super) fn new(dialer: Dialer, node: Node) -> Self {
        Self {
            dialer,
            node,
            faults: Arc::default(),
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
        if let Some(place) = self.place_at_once() {
            return Ok(place);
        }
        // it is large, and rare
        let place = time::timeout(self.dialer.timeout(), Box::pin(self.place_in_time())).await;
        place.unwrap_or_else(|_| Err(unavailable("no place on a connection in time")))
    }

    /// A place on a connection that was used a moment ago, which is good as long as none has failed since and the other end has not
    /// hung up: nobody waits for an answer, because that would double the trips.
    fn place_at_once(&self) -> Option<Place> {
        let line = self.slot().line().clone()?;
        if !line.is_fresh(self.faults.load(Ordering::Acquire)) {
            return None;
        }
        let held = Arc::clone(&line.life.places).try_acquire_owned().ok()?;
        Some(Place::new(line, held))
    }

    /// Whoever waited for a place on a connection that is given up meanwhile waits for one on the next.
    async fn place_in_time(&self) -> Answer<Place> {
        for _ in 0..CONNECTIONS {
            let line = self.line().await?;
            let held = Arc::clone(&line.life.places).acquire_owned().await;
            if let (Ok(held), false) = (held, line.is_gone()) {
                return Ok(Place::new(line, held));
            }
        }
        Err(unavailable("one connection after the other failed at once"))
    }

    /// The connection of this thread.
    async fn line(&self) -> Answer<Arc<Line>> {
        let slot = self.slot();
        let held = slot.line().clone();
        if let Some(line) = held {
            if self.is_good(&line).await {
                return Ok(line);
            }
            if line.give_up() {
                self.doubt();
            }
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

    /// One that rested is tried, by one of those who want it. That takes half of the time that there is, so that as much is left to make
    /// another one.
    async fn is_good(&self, line: &Line) -> bool {
        if line.is_gone() {
            return false;
        }
        let faults = self.faults.load(Ordering::Acquire);
        if line.is_fresh(faults) {
            return true;
        }
        let tried = line.trying.once(|| async {
            let (ping, mut connection) = (cmd("PING"), line.connection.clone());
            let tried = time::timeout(self.dialer.timeout() / 2, ping.exec_async(&mut connection)).await;
            let is_good = matches!(tried, Ok(Ok(())));
            if is_good {
                line.tried.store(faults, Ordering::Release);
                line.touch();
            }
            is_good
        });
        tried.await
    }

    async fn dial(&self) -> Answer<Line> {
        let tried = self.faults.load(Ordering::Acquire);
        let life = Arc::new(Life {
            is_gone: AtomicBool::new(false),
            places: Arc::new(Semaphore::new(UNDER_WAY)),
        });
        let (hung_up, faults) = (Arc::clone(&life), Arc::clone(&self.faults));
        let connection = self.dialer.dial_and_hear(&self.node, move |push| {
            // its questions fail in the same moment, and find it given up already
            if push.kind == PushKind::Disconnection && hung_up.end() {
                faults.fetch_add(1, Ordering::AcqRel);
            }
        });
        let mut connection = connection.await.map_err(|e| map(&e, ""))?;
        self.dialer.prove(&mut connection).await?;
        Ok(Line {
            connection,
            life,
            tried: AtomicU64::new(tried),
            used: AtomicU64::new(SystemClock.ticks().nanos()),
            trying: Turns::new(),
            marked: AtomicBool::new(false),
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
        self.life.end()
    }

    fn is_gone(&self) -> bool {
        self.life.is_gone.load(Ordering::Acquire)
    }

    /// Whether it can be used without a try.
    fn is_fresh(&self, faults: u64) -> bool {
        !self.is_gone() && self.tried.load(Ordering::Acquire) == faults && self.rest() < RESTED
    }

    fn touch(&self) {
        self.used.store(SystemClock.ticks().nanos(), Ordering::Release);
    }

    fn rest(&self) -> Duration {
        Ticks::from_nanos(self.used.load(Ordering::Acquire)).until(SystemClock.ticks())
    }
}

impl Life {
    /// Whether that is news. Whoever waits for a place hears of it.
    fn end(&self) -> bool {
        let is_news = !self.is_gone.swap(true, Ordering::AcqRel);
        self.places.close();
        is_news
    }
}

impl Place {
    fn new(line: Arc<Line>, held: OwnedSemaphorePermit) -> Self {
        line.touch();
        Self {
            line,
            is_open: false,
            _held: held,
        }
    }

    /// The question is sent.
    pub(super) const fn ask(&mut self) {
        self.is_open = true;
    }

    /// The answer came, or it is known that none comes.
    pub(super) const fn answered(&mut self) {
        self.is_open = false;
    }
}

impl Drop for Place {
    /// Whoever no longer waits for an answer will not find out either that none comes: the next one tries first.
    fn drop(&mut self) {
        if self.is_open {
            self.line.tried.store(DOUBTED, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::{FutureExt as _, future::join_all};

    use super::*;
    use crate::{redis::options::Reach, redis::route::Route, testing::RedisServer};

    fn lines(server: &RedisServer) -> Lines {
        let Reach { route, dialer } = server.options().reach().unwrap();
        let Route::One(node) = route else {
            panic!("one Redis")
        };
        Lines::new(dialer, node)
    }

    fn pings(server: &RedisServer) -> Option<u64> {
        let mut info = cmd("INFO");
        let told: String = info.arg("commandstats").query(&mut server.connection()).unwrap();
        let calls = told.split("cmdstat_ping:calls=").nth(1)?.split(',').next()?;
        calls.parse().ok()
    }

    #[tokio::test]
    async fn a_connection_that_the_other_end_closes_puts_the_others_in_doubt_once() {
        let server = RedisServer::start();
        let lines = lines(&server);
        let place = lines.place().await.unwrap();
        let mut kill = cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("normal");
        kill.exec(&mut server.connection()).unwrap();
        let asked = cmd("PING").exec_async(&mut place.line.connection.clone()).await;
        asked.unwrap_err();
        assert!(!place.line.give_up(), "it is known");
        assert_eq!(lines.faults.load(Ordering::Acquire), 1);
        let next = lines.place().await.unwrap();
        assert!(!Arc::ptr_eq(&next.line, &place.line));
    }

    #[tokio::test]
    async fn whoever_waits_on_a_connection_that_is_given_up_gets_a_place_on_the_next() {
        let server = RedisServer::start();
        let lines = lines(&server);
        let first = lines.place().await.unwrap();
        let mut held = vec![first];
        while held.len() < UNDER_WAY {
            held.push(lines.place().await.unwrap());
        }
        assert!(held.iter().all(|place| Arc::ptr_eq(&place.line, &held[0].line)));
        let mut waiting = Box::pin(lines.place());
        poll_fn(|context| {
            assert!(waiting.poll_unpin(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        assert!(held[0].line.give_up());
        let placed = waiting.await.unwrap();
        assert!(!Arc::ptr_eq(&placed.line, &held[0].line));
    }

    #[tokio::test]
    async fn a_connection_whose_answer_nobody_waited_for_is_tried_once_by_all_who_come() {
        let server = RedisServer::start();
        let lines = lines(&server);
        let mut place = lines.place().await.unwrap();
        place.ask();
        place.answered();
        drop(place);
        let mut place = lines.place().await.unwrap();
        let line = Arc::clone(&place.line);
        assert_eq!(line.tried.load(Ordering::Acquire), 0);
        let before = pings(&server).unwrap_or(0);
        place.ask();
        drop(place);
        for place in join_all((0..32).map(|_| lines.place())).await {
            assert!(Arc::ptr_eq(&place.unwrap().line, &line));
        }
        assert_eq!(pings(&server), Some(before + 1));
    }
}
