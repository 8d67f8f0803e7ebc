//! The news of grants: a connection of its own on which Redis says which of them change, and a lease as long as it is sure
//! that it does.
//!
//! One of the threads that serve follows them, between its requests. A thread of its own would have to be woken up first, and
//! on a processor full of requests the scheduler lets it wait for the end of a slice; who serves looks at its connections many
//! times in one.
//!
//! Redis pushes what changed in one turn of its loop after it has written the answers of that turn. So an answer to `PING` proves
//! that the news of all earlier turns have come, and no more: the lease counts from when the `PING` **before** was sent. Where
//! replicas may have taken the place of the one that answers, it ends with the proof that they have not, too. A term begins only
//! after news have come of a key that is written for it.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mcp_gateway_model::clock::SystemClock;
use mcp_gateway_watch::{Moment, Term, Watch};
use redis::{PushInfo, PushKind, RedisResult, Value, aio::MultiplexedConnection, cmd};
use tokio::{
    sync,
    time::{self, MissedTickBehavior},
};
use tracing::{info, warn};

use super::source::{Fault, Heard, Source};
use crate::{keys::Keys, moment};

/// How often Redis is asked whether it is there.
const INTERVAL: Duration = Duration::from_millis(50);
/// How many milliseconds a lease lasts from when it was certain that all news had come.
const LEASE: u64 = 250;
/// How long to wait before another connection is tried: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How long to wait before a Redis is asked again that refused.
const REFUSED_RETRY: Duration = Duration::from_secs(30);
/// How often the key of this process is looked for, after how many looks it is written again, and when the broom may take it.
const OWN_INTERVAL: Duration = Duration::from_secs(1);
const OWN_LOOKS: u32 = 20;
const OWN_LIFETIME: Duration = Duration::from_secs(60);

/// The news of the grants below a prefix, for those who ask about them: one of them follows the news.
pub(super) struct Tracker {
    follower: Arc<Follower>,
    /// Held by whoever follows.
    seat: Arc<sync::Mutex<()>>,
}

impl Tracker {
    /// Nobody follows yet.
    pub(super) fn new(source: Source, keys: &Keys) -> Self {
        let follower = Follower {
            source,
            grants: keys.grants(),
            own: keys.lease(),
            watch: Arc::new(Watch::new()),
            run: Mutex::default(),
        };
        Self {
            follower: Arc::new(follower),
            seat: Arc::default(),
        }
    }

    /// Follows the news for as long as it is polled. Of many at once one does; who waits takes its place when that ends.
    pub(super) fn follow(&self) -> impl Future<Output = ()> + Send + use<> {
        let (follower, seat) = (Arc::clone(&self.follower), Arc::clone(&self.seat));
        async move {
            let _seat = seat.lock().await;
            follower.follow().await;
        }
    }

    /// What the news lead to.
    pub(super) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.follower.watch)
    }

    /// Something was read from the process `run`. If the news come from another one, as while a new master is found, nobody
    /// remembers it: of what happens there nothing would be heard.
    pub(super) fn compare(&self, run: &str) {
        let hears = self.follower.run.lock().unwrap_or_else(PoisonError::into_inner);
        if hears.as_deref() != Some(run) {
            self.follower.watch.flush();
        }
    }
}

struct Follower {
    source: Source,
    /// What the key of every grant begins with.
    grants: String,
    /// A key of this process alone. It is written to find out whether news come at all, and is missed when databases were
    /// swapped, of which Redis sends no news.
    own: String,
    watch: Arc<Watch>,
    /// The process that the news come from: another one may answer at the same address, and be read from.
    run: Mutex<Option<Arc<str>>>,
}

/// A term, for as long as somebody follows the news in it: it is lost however that ends.
struct Tenure<'w> {
    watch: &'w Watch,
    term: Term,
}

impl Drop for Tenure<'_> {
    fn drop(&mut self) {
        self.watch.lose(self.term);
    }
}

impl Follower {
    /// Follows the news over one connection after the other. An operator is told once when something begins to be wrong.
    async fn follow(&self) {
        let mut told = None;
        let mut pause = RETRY.0;
        loop {
            let began = time::Instant::now();
            let fault = match self.connect().await {
                Ok((heard, tenure)) => {
                    if told.take().is_some() {
                        info!("Redis sends news of grants again: what was read is remembered");
                    }
                    tokio::select! {
                        fault = self.keep_lease(&heard, tenure.term) => fault,
                        fault = self.source.guard(&heard) => fault,
                        fault = self.keep_own(&heard) => fault,
                    }
                }
                Err(fault) => fault,
            };
            let kind = std::mem::discriminant(&fault);
            let is_new = told.replace(kind) != Some(kind);
            match &fault {
                Fault::Away(reason) if is_new => {
                    warn!(
                        reason,
                        "no news of grants come from Redis: every request asks it until they do"
                    );
                }
                Fault::Refused(reason) if is_new => {
                    warn!(
                        reason,
                        "Redis does not let the verifier remember grants: every request asks it"
                    );
                }
                _ => {}
            }
            if matches!(fault, Fault::Refused(_)) {
                pause = REFUSED_RETRY;
            } else if began.elapsed() > RETRY.1 {
                pause = RETRY.0;
            }
            time::sleep(pause).await;
            pause = (pause * 2).min(RETRY.1);
        }
    }

    /// A connection on which the news come, and the term that began with it.
    async fn connect(&self) -> Result<(Heard, Tenure<'_>), Fault> {
        let news = Arc::new(News {
            watch: Arc::clone(&self.watch),
            grants: self.grants.clone(),
            own: self.own.clone(),
            of_own: AtomicBool::new(false),
            term: OnceLock::new(),
        });
        let ear = Arc::clone(&news);
        let mut heard = self.source.open(move |push| ear.hear(&push)).await?;
        let mut track = cmd("CLIENT");
        track
            .arg("TRACKING")
            .arg("ON")
            .arg("BCAST")
            .arg("PREFIX")
            .arg(&self.grants)
            .arg("PREFIX")
            .arg(&self.own);
        track.exec_async(&mut heard.connection).await?;
        self.write_own(&mut heard.connection).await?;
        // the answer to the first is certain to come after the news of the writing, that to the second after it was heard
        for _ in 0..2 {
            cmd("PING").exec_async(&mut heard.connection).await?;
        }
        if !news.of_own.load(Ordering::Acquire) {
            return Err(Fault::Refused("it sends no news of what changes".into()));
        }
        // before the term begins: nothing of another process is remembered in it
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&heard.run));
        // after the answer: what is registered from here on is in the news
        let term = self.watch.begin();
        let tenure = Tenure {
            watch: &self.watch,
            term,
        };
        if news.term.set(term).is_err() {
            self.watch.lose(term);
        }
        Ok((heard, tenure))
    }

    async fn write_own(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let mut set = cmd("SET");
        set.arg(&self.own).arg(1).arg("PX").arg(OWN_LIFETIME.as_millis());
        set.exec_async(connection).await
    }

    /// Looks whether the key of this process is still there, until the connection fails. If it is gone, so may be anything else.
    async fn keep_own(&self, heard: &Heard) -> Fault {
        let mut connection = heard.connection.clone();
        let mut looked = 0_u32;
        loop {
            time::sleep(OWN_INTERVAL).await;
            looked += 1;
            let is_there = match cmd("EXISTS")
                .arg(&self.own)
                .query_async::<bool>(&mut connection)
                .await
            {
                Ok(is_there) => is_there,
                Err(fault) => return fault.into(),
            };
            if !is_there {
                self.watch.flush();
            }
            let is_due = !is_there || looked.is_multiple_of(OWN_LOOKS);
            if is_due && let Err(fault) = self.write_own(&mut connection).await {
                return fault.into();
            }
        }
    }

    /// Renews the lease until the connection fails.
    async fn keep_lease(&self, heard: &Heard, term: Term) -> Fault {
        let mut connection: MultiplexedConnection = heard.connection.clone();
        let mut interval = time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before: Option<Moment> = None;
        loop {
            let sent = moment(&SystemClock);
            if let Err(fault) = cmd("PING").exec_async(&mut connection).await {
                return fault.into();
            }
            // the first two follow each other at once
            if let Some(before) = before.replace(sent) {
                let until = before.plus_millis(LEASE);
                let proven = heard
                    .proof
                    .as_ref()
                    .map_or(Some(Moment::NEVER), |proof| proof.until());
                if let Some(proven) = proven {
                    self.watch.renew(term, until.earlier(proven));
                }
                interval.tick().await;
            }
        }
    }
}

/// Hears the news of one connection, in the order in which they come in, before any answer that comes after them.
struct News {
    watch: Arc<Watch>,
    grants: String,
    own: String,
    /// Whether there was news of the key of this process.
    of_own: AtomicBool,
    term: OnceLock<Term>,
}

impl News {
    fn hear(&self, push: &PushInfo) {
        match (&push.kind, push.data.as_slice()) {
            (PushKind::Invalidate, [Value::Array(keys)]) => keys.iter().for_each(|key| self.changed(key)),
            // `FLUSHALL`, and whatever else is not understood
            (PushKind::Invalidate, _) => self.watch.flush(),
            (PushKind::Disconnection, _) => {
                if let Some(term) = self.term.get() {
                    self.watch.lose(*term);
                }
            }
            _ => {}
        }
    }

    fn changed(&self, key: &Value) {
        let key = match key {
            Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
            Value::SimpleString(text) => Some(text.as_str()),
            _ => None,
        };
        if key == Some(self.own.as_str()) {
            self.of_own.store(true, Ordering::Release);
            return;
        }
        let id = key.and_then(|key| key.strip_prefix(&self.grants)?.strip_suffix('}'));
        match id {
            Some(id) => self.watch.touch(id),
            None => self.watch.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news() -> (News, Term) {
        let watch = Arc::new(Watch::new());
        let term = watch.begin();
        watch.renew(term, Moment::NEVER);
        let news = News {
            watch,
            grants: "mcpgw:grant:{".into(),
            own: "mcpgw:lease:{own}".into(),
            of_own: AtomicBool::new(false),
            term: OnceLock::from(term),
        };
        (news, term)
    }

    fn push(kind: PushKind, data: Vec<Value>) -> PushInfo {
        PushInfo { kind, data }
    }

    fn keys(keys: &[&str]) -> Vec<Value> {
        let key = |key: &&str| Value::BulkString(key.as_bytes().to_vec());
        vec![Value::Array(keys.iter().map(key).collect())]
    }

    const NOW: Moment = Moment::new(1, 1);

    #[test]
    fn news_of_some_grants_end_what_is_remembered_of_them() {
        let (news, _) = news();
        let marks = ["a", "b", "c"].map(|id| news.watch.register(id));
        news.hear(&push(
            PushKind::Invalidate,
            keys(&["mcpgw:grant:{a}", "mcpgw:grant:{c}"]),
        ));
        let hold = marks.map(|mark| mark.holds(&news.watch, NOW));
        assert_eq!(hold, [false, true, false]);
    }

    #[test]
    fn a_flush_and_news_that_are_not_understood_end_everything() {
        for data in [
            vec![Value::Nil],
            vec![],
            vec![Value::Int(1)],
            keys(&["mcpgw:grant:a"]),
            keys(&["other:grant:{a}"]),
            vec![Value::Array(vec![Value::BulkString(vec![0xff])])],
        ] {
            let (news, _) = news();
            let mark = news.watch.register("a");
            news.hear(&push(PushKind::Invalidate, data.clone()));
            assert!(!mark.holds(&news.watch, NOW), "{data:?}");
            assert!(news.watch.has_lease(NOW), "{data:?}");
        }
    }

    #[test]
    fn a_connection_that_ends_takes_the_lease_with_it() {
        let (news, _) = news();
        news.hear(&push(PushKind::Disconnection, vec![]));
        assert!(!news.watch.has_lease(NOW));
    }

    #[test]
    fn news_of_the_key_of_this_process_end_nothing() {
        let (news, _) = news();
        let mark = news.watch.register("a");
        news.hear(&push(PushKind::Invalidate, keys(&["mcpgw:lease:{own}"])));
        assert!(mark.holds(&news.watch, NOW));
        assert!(news.of_own.load(Ordering::Acquire));
    }

    #[test]
    fn other_pushes_mean_nothing() {
        let (news, _) = news();
        let mark = news.watch.register("a");
        news.hear(&push(PushKind::Message, keys(&["mcpgw:grant:{a}"])));
        assert!(mark.holds(&news.watch, NOW));
    }
}
