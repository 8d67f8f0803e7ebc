//! One suite, run against every engine.

use std::sync::Arc;

use mcp_gateway_store::{EmbeddedStore, RedisStore, Store, testing::RedisServer};

mod blocks;
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
    };
}
pub(crate) use contract;

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
