//! One suite, run against every engine.

use std::{future::Future, pin::Pin, sync::Arc};

use mcp_gateway_store::{EmbeddedStore, RedisStore, Store, testing::RedisServer};

mod blocks;
mod calls;
mod client_lists;
mod clients;
mod codes;
mod devices;
mod documents;
mod keys;
mod logins;
mod once;
mod permits;
mod refresh;
mod upstream;
mod users;
mod watch;

/// Each fact becomes a test of each engine.
macro_rules! contract {
    ($($fact:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $fact() { super::$fact(crate::contract::memory()).await; })+
        }
        mod file {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $fact() {
                let directory = tempfile::tempdir().unwrap();
                super::$fact(crate::contract::file(directory.path())).await;
            })+
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $fact() {
                let server = mcp_gateway_store::testing::RedisServer::start();
                super::$fact(crate::contract::redis(&server)).await;
            })+
        }
        /// What is run on a cluster, where one is started for all.
        pub(super) fn facts() -> Vec<crate::contract::Fact> {
            vec![$((concat!(module_path!(), "::", stringify!($fact)), |store| Box::pin($fact(store)))),+]
        }
    };
}
pub(crate) use contract;

/// A fact, and its name.
pub(crate) type Fact = (
    &'static str,
    fn(Arc<dyn Store>) -> Pin<Box<dyn Future<Output = ()> + Send>>,
);

/// All facts of the contract.
pub(crate) fn facts() -> Vec<Fact> {
    [
        blocks::facts(),
        calls::facts(),
        client_lists::facts(),
        clients::facts(),
        codes::facts(),
        devices::facts(),
        documents::facts(),
        keys::facts(),
        logins::facts(),
        once::facts(),
        permits::facts(),
        refresh::facts(),
        upstream::facts(),
        users::facts(),
    ]
    .concat()
}

#[expect(clippy::unwrap_used, reason = "test code: without a store there is no test")]
pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(EmbeddedStore::in_memory().unwrap())
}

#[expect(clippy::unwrap_used, reason = "test code: without a store there is no test")]
pub(crate) fn file(directory: &std::path::Path) -> Arc<dyn Store> {
    Arc::new(EmbeddedStore::open(&directory.join("store")).unwrap())
}

#[expect(clippy::unwrap_used, reason = "test code: without a store there is no test")]
pub(crate) fn redis(server: &RedisServer) -> Arc<dyn Store> {
    Arc::new(RedisStore::connect(&server.options()).unwrap())
}
