//! The lists of grants in Redis: what has ended goes out of them, also where something there lives much longer.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a store that gives no answer fails the test"
)]

use mcp_gateway_model::id::{ClientId, UserId};
use mcp_gateway_store::{RedisStore, Store, testing::RedisServer};

use crate::samples::{after, grant_of};

const DAY: u64 = 86_400;

/// A grant of this client that begins and ends so many seconds from now.
async fn begin(store: &dyn Store, client: &ClientId, begins: u64, ends: u64) {
    let mut grant = grant_of(client, 1);
    grant.expires_at = after(ends);
    store.add_grant(&grant, after(begins)).await.unwrap();
}

/// How many grants the lists of the client and of the user name.
fn listed(server: &RedisServer) -> [usize; 2] {
    let all = server.dump();
    ["mcpgw:client-grants:", "mcpgw:user-grants:"].map(|name| {
        let (_, list) = all.iter().find(|(key, _)| key.starts_with(name)).unwrap();
        // each with its end
        String::from_utf8_lossy(list).split(' ').count() / 2
    })
}

#[tokio::test]
async fn a_grant_of_a_year_does_not_keep_those_of_a_minute_in_the_lists() {
    let server = RedisServer::start();
    let store = RedisStore::connect(&server.options()).unwrap();
    let client = ClientId::generate();
    begin(&store, &client, 0, 365 * DAY).await;
    // each has ended, and is no longer needed in a list, before the next begins
    for day in 1..20 {
        begin(&store, &client, day * DAY, day * DAY + 60).await;
    }
    assert_eq!(listed(&server), [2, 2]);
    let living = store.grants_of_user(UserId(1), after(19 * DAY)).await.unwrap();
    assert_eq!(living.len(), 2);
    let mut connection = server.connection();
    let left: u64 = redis::cmd("PTTL")
        .arg("mcpgw:user-grants:{1}")
        .query(&mut connection)
        .unwrap();
    assert!(left > 364 * DAY * 1000, "it stays for the one of a year: {left}");
}
