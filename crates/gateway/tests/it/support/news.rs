//! What a verifier has certainly heard of, by the order in which Redis is asked: no clock is needed for that.

use std::collections::BTreeMap;

use mcp_gateway_store::testing::RedisServer;
use redis::cmd;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// Waits until these users have heard all that has happened up to now.
///
/// A verifier sends Redis a `PING` only when the one before was answered, and hears the news in the order in which Redis sends
/// them. When Redis was asked for three of them from now on, the second was answered; and that answer came behind all news of
/// what happened before.
pub(crate) async fn heard_by(redis: &RedisServer, users: &[&str]) {
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).await.unwrap();
    stream.write_all(b"MONITOR\r\n").await.unwrap();
    let mut said = BufReader::new(stream).lines();
    let mut questions: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        let line = said.next_line().await.unwrap().unwrap();
        let Some(address) = asks(&line) else {
            continue;
        };
        *questions.entry(address.to_owned()).or_default() += 1;
        let followers = followers(redis);
        let has_heard = |user: &&str| {
            let mut addresses = followers.iter().filter(|(_, name)| name == *user);
            addresses.any(|(address, _)| questions.get(address).is_some_and(|asked| *asked >= 3))
        };
        if users.iter().all(has_heard) {
            return;
        }
    }
}

/// The address that a `PING` came from, in a line such as `+1763719200.123456 [0 127.0.0.1:40000] "PING"`.
fn asks(line: &str) -> Option<&str> {
    let (head, question) = line.split_once("] ")?;
    let (_, address) = head.rsplit_once(' ')?;
    question.eq_ignore_ascii_case("\"ping\"").then_some(address)
}

/// The connections on which Redis sends news, and whose they are.
pub(crate) fn followers(redis: &RedisServer) -> Vec<(String, String)> {
    let list: String = cmd("CLIENT").arg("LIST").query(&mut redis.connection()).unwrap();
    let client = |line: &str| {
        let fields: BTreeMap<_, _> = line
            .split(' ')
            .filter_map(|field| field.split_once('='))
            .collect();
        let owned = |name: &str| fields.get(name).map(|value| (*value).to_owned());
        let follows = fields.get("flags")?.contains('t');
        follows.then_some(())?;
        Some((owned("addr")?, owned("user")?))
    };
    list.lines().filter_map(client).collect()
}

/// How often Redis was asked for something.
pub(crate) fn reads(redis: &RedisServer) -> u64 {
    let text: String = cmd("INFO")
        .arg("commandstats")
        .query(&mut redis.connection())
        .unwrap();
    let of_get = text
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_get:calls="));
    let calls = of_get.and_then(|calls| calls.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}
