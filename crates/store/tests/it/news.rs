//! The news of grants that Redis sends to those who remember them. What is waited for is polled, with a bound.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use std::{
    ops::Deref,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use mcp_gateway_model::{clock::SystemClock, id::GrantId, secret::Secret};
use mcp_gateway_store::{
    GrantReader, Mark, RedisOptions, RedisReader, RedisStore, Store, Watch, moment,
    testing::{RedisServer, RedisSetup},
};

use tokio::{runtime, sync::oneshot};

use crate::samples::{NOW, after, begun, grant};

/// The watch of a reader whose news are followed, on a thread that does nothing else, until the value ends.
pub(crate) struct Followed {
    watch: Arc<Watch>,
    stop: Option<oneshot::Sender<()>>,
    following: Option<thread::JoinHandle<()>>,
}

impl Followed {
    pub(crate) fn of(reader: &RedisReader) -> Self {
        let (watch, news) = (reader.watch().unwrap(), reader.follow());
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let following = thread::spawn(move || {
            runtime.unwrap().block_on(async {
                tokio::select! {
                    () = news => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            watch,
            stop: Some(stop),
            following: Some(following),
        }
    }
}

impl Deref for Followed {
    type Target = Watch;

    fn deref(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(following) = self.following.take() {
            drop(following.join());
        }
    }
}

/// A store, a reader beside it, and the watch of that one with its lease.
struct Set {
    server: RedisServer,
    store: RedisStore,
    reader: RedisReader,
    watch: Followed,
}

impl Set {
    fn on(server: RedisServer) -> Self {
        let options = RedisOptions {
            timeout: Duration::from_millis(300),
            ..server.options()
        };
        let reader = RedisReader::connect(&options).unwrap();
        let watch = Followed::of(&reader);
        let set = Self {
            store: RedisStore::connect(&options).unwrap(),
            server,
            reader,
            watch,
        };
        until("there is a lease", || set.has_lease());
        set
    }

    fn start() -> Self {
        Self::on(RedisServer::start())
    }

    fn has_lease(&self) -> bool {
        self.watch.has_lease(moment(&SystemClock))
    }

    fn holds(&self, mark: &Mark) -> bool {
        mark.holds(&self.watch, moment(&SystemClock))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test of what Redis sends in its own time"
)]
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(10), "never so: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// As [`until`], in a test whose tasks go on meanwhile.
fn wait(what: &str, is_so: impl Fn() -> bool) {
    tokio::task::block_in_place(|| until(what, is_so));
}

impl Set {
    /// Waits until all news have come of what happened before.
    async fn settle(&self) {
        let fence = grant();
        let mark = self.watch.register(fence.id.as_str());
        begun(&self.store, fence).await;
        wait("news come", || !self.holds(&mark));
    }

    /// A grant that is remembered.
    async fn remembered(&self) -> (GrantId, Mark) {
        let (grant, _) = begun(&self.store, grant()).await;
        self.settle().await;
        let mark = self.watch.register(grant.id.as_str());
        assert!(self.reader.grant(&grant.id, NOW).await.unwrap().is_some());
        assert!(self.holds(&mark));
        (grant.id, mark)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_a_grant_that_is_prolonged_or_ended_elsewhere_come_and_of_no_other() {
    let set = Set::start();
    let (one, of_one) = set.remembered().await;
    let (other, of_other) = set.remembered().await;
    set.store.prolong(&other, after(120), NOW).await.unwrap();
    wait("it was prolonged", || !set.holds(&of_other));
    assert!(set.holds(&of_one), "nothing happened to it");
    set.store.end_grant(&one, NOW).await.unwrap();
    wait("it ended", || !set.holds(&of_one));
    assert_eq!(set.reader.grant(&one, NOW).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_ends_everything_that_is_remembered() {
    let set = Set::start();
    let (id, mark) = set.remembered().await;
    redis::cmd("FLUSHALL").exec(&mut set.server.connection()).unwrap();
    wait("the flush is heard of", || !set.holds(&mark));
    assert_eq!(set.reader.grant(&id, NOW).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_ends_everything_and_comes_back() {
    let set = Set::start();
    let (id, mark) = set.remembered().await;
    let mut kill = redis::cmd("CLIENT");
    kill.arg("KILL")
        .arg("TYPE")
        .arg("normal")
        .arg("SKIPME")
        .arg("yes");
    kill.exec(&mut set.server.connection()).unwrap();
    wait("the cut is noticed", || !set.holds(&mark));
    wait("the lease is back", || set.has_lease());
    assert!(!set.holds(&mark), "of another epoch");
    let again = set.watch.register(id.as_str());
    assert!(set.reader.grant(&id, NOW).await.unwrap().is_some());
    assert!(set.holds(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_takes_the_lease_and_gives_it_back() {
    let set = Set::start();
    let (_, mark) = set.remembered().await;
    set.server.pause();
    wait("the lease ends", || !set.has_lease());
    assert!(!set.holds(&mark));
    set.server.resume();
    wait("the lease is back", || set.has_lease());
    set.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_killed_takes_the_lease_and_what_was_remembered() {
    let mut set = Set::start();
    let (id, mark) = set.remembered().await;
    set.server.kill();
    wait("the lease ends", || !set.has_lease());
    set.server.restart();
    wait("the lease is back", || set.has_lease());
    assert!(!set.holds(&mark));
    assert_eq!(set.reader.grant(&id, NOW).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_refuses_news_gives_no_lease_and_is_asked_each_time() {
    let server = RedisServer::with(RedisSetup {
        acl: vec![
            "user default on nopass ~* &* +@all".into(),
            "user verifier on >secret ~* &* +@all -client|tracking".into(),
        ],
        ..RedisSetup::default()
    });
    let store = RedisStore::connect(&server.options()).unwrap();
    let (grant, _) = begun(&store, grant()).await;
    let mut options = RedisOptions::new(server.url_for("verifier@"));
    options.password = Some(Secret::presented("secret".into()));
    let reader = RedisReader::connect(&options).unwrap();
    let watch = Followed::of(&reader);
    wait("it was asked for news", || refusals(&server) > 0);
    assert!(!watch.has_lease(moment(&SystemClock)));
    assert_eq!(reader.grant(&grant.id, NOW).await.unwrap(), Some(grant));
}

/// How many commands Redis refused for want of a right.
fn refusals(server: &RedisServer) -> usize {
    let mut log = redis::cmd("ACL");
    log.arg("LOG");
    let entries: Vec<redis::Value> = log.query(&mut server.connection()).unwrap();
    entries.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_that_are_swapped_end_everything_that_is_remembered() {
    let set = Set::start();
    let (id, mark) = set.remembered().await;
    let mut swap = redis::cmd("SWAPDB");
    swap.arg(0).arg(1).exec(&mut set.server.connection()).unwrap();
    wait("the swap is noticed", || !set.holds(&mark));
    assert_eq!(set.reader.grant(&id, NOW).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_that_may_not_write_its_own_key_gets_no_lease() {
    let server = RedisServer::with(RedisSetup {
        acl: vec![
            "user default on nopass ~* &* +@all".into(),
            "user verifier on >secret %R~* &* +@all".into(),
        ],
        ..RedisSetup::default()
    });
    let mut options = RedisOptions::new(server.url_for("verifier@"));
    options.password = Some(Secret::presented("secret".into()));
    let reader = RedisReader::connect(&options).unwrap();
    let watch = Followed::of(&reader);
    wait("it tried to write", || refusals(&server) > 0);
    assert!(!watch.has_lease(moment(&SystemClock)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_holds_when_nobody_follows_the_news() {
    let server = RedisServer::start();
    let reader = RedisReader::connect(&server.options()).unwrap();
    let watch = reader.watch().unwrap();
    let now = || moment(&SystemClock);
    assert!(!watch.has_lease(now()), "nobody does yet");
    let following = Followed::of(&reader);
    wait("there is a lease", || watch.has_lease(now()));
    let mark = watch.register("a");
    assert!(mark.holds(&watch, now()));
    drop(following);
    assert!(!watch.has_lease(now()), "nobody does any more");
    let again = Followed::of(&reader);
    wait("there is a lease again", || watch.has_lease(now()));
    assert!(!mark.holds(&watch, now()), "what happened meanwhile is not known");
    drop(again);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_follows_when_another_ends() {
    let server = RedisServer::start();
    let reader = RedisReader::connect(&server.options()).unwrap();
    let now = || moment(&SystemClock);
    let first = Followed::of(&reader);
    wait("there is a lease", || first.has_lease(now()));
    let second = Followed::of(&reader);
    let mark = second.register("a");
    drop(first);
    assert!(!mark.holds(&second, now()));
    wait("there is a lease again", || second.has_lease(now()));
    assert!(
        !mark.holds(&second, now()),
        "what happened meanwhile is not known"
    );
}
