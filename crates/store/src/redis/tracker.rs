//! The news of grants: a connection of its own on which Redis says which of them change, and a lease as long as it is sure
//! that it does.
//!
//! Redis pushes what changed in one turn of its loop after it has written the answers of that turn. So an answer to `PING` proves
//! that the news of all earlier turns have come, and no more: the lease counts from when the `PING` **before** was sent.

use std::{
    io,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use mcp_gateway_model::clock::SystemClock;
use mcp_gateway_watch::{Moment, Term, Watch};
use redis::{
    AsyncConnectionConfig, Client, PushInfo, PushKind, RedisError, Value, aio::MultiplexedConnection, cmd,
};
use tokio::{
    runtime,
    sync::oneshot,
    time::{self, MissedTickBehavior},
};
use tracing::{info, warn};

use super::replication;
use crate::{keys::Keys, moment};

/// How often Redis is asked whether it is there.
const INTERVAL: Duration = Duration::from_millis(50);
/// How many milliseconds a lease lasts from when it was certain that all news had come.
const LEASE: u64 = 250;
/// How often Redis is asked whether it still is the one that is written to.
const ROLE_INTERVAL: Duration = Duration::from_secs(1);
/// How long to wait before another connection is tried: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How long to wait before a Redis is asked again that refused.
const REFUSED_RETRY: Duration = Duration::from_secs(30);
/// Enough for a TLS handshake.
const STACK: usize = 512 * 1024;

/// A thread that follows the news until this is dropped.
pub(super) struct Tracker {
    watch: Arc<Watch>,
    _stop: oneshot::Sender<()>,
}

impl Tracker {
    /// Begins to follow the news of the grants below a prefix. Not on the threads that serve, so that work there delays none.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(super) fn begin(client: Client, keys: &Keys, timeout: Duration) -> io::Result<Self> {
        let watch = Arc::new(Watch::new());
        let (stop, stopped) = oneshot::channel();
        let follower = Follower {
            client,
            grants: keys.grants(),
            timeout,
            watch: Arc::clone(&watch),
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new()
            .name("store-news".into())
            .stack_size(STACK)
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = follower.follow() => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self { watch, _stop: stop })
    }

    /// What the news lead to.
    pub(super) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }
}

/// Why no news come.
enum Fault {
    /// Redis is not there; it may be again.
    Away(String),
    /// Redis is there and will not send news that can be relied on.
    Refused(String),
}

struct Follower {
    client: Client,
    /// What the key of every grant begins with.
    grants: String,
    timeout: Duration,
    watch: Arc<Watch>,
}

impl Follower {
    /// Follows the news over one connection after the other. An operator is told once when something begins to be wrong.
    async fn follow(self) {
        let mut told = None;
        let mut pause = RETRY.0;
        loop {
            let began = time::Instant::now();
            let fault = match self.connect().await {
                Ok((connection, term)) => {
                    if told.take().is_some() {
                        info!("Redis sends news of grants again: what was read is remembered");
                    }
                    let fault = self.keep_lease(connection, term).await;
                    self.watch.lose(term);
                    fault
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
    async fn connect(&self) -> Result<(MultiplexedConnection, Term), Fault> {
        let news = Arc::new(News {
            watch: Arc::clone(&self.watch),
            grants: self.grants.clone(),
            term: OnceLock::new(),
        });
        let hears = Arc::clone(&news);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_push_sender(move |push: PushInfo| {
                hears.hear(&push);
                Ok::<(), ()>(())
            });
        let connection = self.client.get_multiplexed_async_connection_with_config(&config);
        let mut connection = connection.await.map_err(|e| Fault::of(&e))?;
        self.check_role(&mut connection).await?;
        let mut track = cmd("CLIENT");
        track
            .arg("TRACKING")
            .arg("ON")
            .arg("BCAST")
            .arg("PREFIX")
            .arg(&self.grants);
        track
            .exec_async(&mut connection)
            .await
            .map_err(|e| Fault::of(&e))?;
        // after the answer: what is registered from here on is in the news
        let term = self.watch.begin();
        if news.term.set(term).is_err() {
            self.watch.lose(term);
        }
        Ok((connection, term))
    }

    /// Renews the lease until the connection fails.
    async fn keep_lease(&self, mut connection: MultiplexedConnection, term: Term) -> Fault {
        let mut interval = time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before: Option<Moment> = None;
        let mut role_known = time::Instant::now();
        loop {
            let sent = moment(&SystemClock);
            if let Err(fault) = cmd("PING").exec_async(&mut connection).await {
                return Fault::of(&fault);
            }
            // the first two follow each other at once
            if let Some(before) = before.replace(sent) {
                self.watch.renew(term, before.plus_millis(LEASE));
                interval.tick().await;
            }
            if role_known.elapsed() >= ROLE_INTERVAL {
                if let Err(fault) = self.check_role(&mut connection).await {
                    return fault;
                }
                role_known = time::Instant::now();
            }
        }
    }

    /// Whether this Redis is the only one: one that has replicas could have been replaced by one of them and not know it.
    async fn check_role(&self, connection: &mut MultiplexedConnection) -> Result<(), Fault> {
        let mut info = cmd("INFO");
        info.arg("replication");
        let text: String = info.query_async(connection).await.map_err(|e| Fault::of(&e))?;
        match replication::Role::read(&text) {
            Some(replication::Role::Master { replicas: 0 }) => Ok(()),
            Some(replication::Role::Master { .. }) => Err(Fault::Refused("it has replicas".into())),
            Some(replication::Role::Replica) => Err(Fault::Refused("it is a replica".into())),
            None => Err(Fault::Refused("it does not say whether it is a replica".into())),
        }
    }
}

impl Fault {
    /// What an error means here: an answer that says no, but for one that will soon say yes, is a refusal.
    fn of(fault: &RedisError) -> Self {
        let soon = ["LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN"];
        match fault.code() {
            Some(code) if !soon.contains(&code) => Self::Refused(fault.to_string()),
            _ => Self::Away(fault.to_string()),
        }
    }
}

/// Hears the news of one connection, in the order in which they come in, before any answer that comes after them.
struct News {
    watch: Arc<Watch>,
    grants: String,
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
    fn other_pushes_mean_nothing() {
        let (news, _) = news();
        let mark = news.watch.register("a");
        news.hear(&push(PushKind::Message, keys(&["mcpgw:grant:{a}"])));
        assert!(mark.holds(&news.watch, NOW));
    }
}
