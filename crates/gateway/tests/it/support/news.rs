//! What a verifier has certainly heard of, by the order in which Redis is asked: no clock is needed for that.

use std::collections::BTreeMap;

use mcp_gateway_store::testing::RedisServer;
use redis::cmd;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpStream,
};

/// Waits until so many verifiers have heard all that has happened up to now.
///
/// A verifier sends Redis a `PING` only when the one before was answered, and hears the news in the order in which Redis sends
/// them. When Redis was asked for three of them from now on, the second was answered; and that answer came behind all news of
/// what happened before.
///
/// `login` is that of a user who may look: nothing, or `name:password@`.
pub(crate) async fn heard_by(verifiers: usize, redis: &RedisServer, login: &str) {
    let mut said = monitor(redis.port(), login).await;
    let mut questions: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        let line = said.next_line().await.unwrap().unwrap();
        let Some(address) = asks(&line) else {
            continue;
        };
        *questions.entry(address.to_owned()).or_default() += 1;
        let followers = followers(redis, login);
        let has_heard = |address: &String| questions.get(address).is_some_and(|asked| *asked >= 3);
        if followers.len() == verifiers && followers.iter().all(has_heard) {
            return;
        }
    }
}

/// What Redis is asked from now on.
async fn monitor(port: u16, login: &str) -> Lines<BufReader<TcpStream>> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    let login = login.trim_end_matches('@').split_once(':');
    let login = login.map(|(name, password)| format!("AUTH {name} {password}\r\n"));
    for command in login.into_iter().chain(["MONITOR\r\n".to_owned()]) {
        stream.write_all(command.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_line(&mut answer).await.unwrap();
        assert_eq!(answer, "+OK\r\n", "{command}");
    }
    stream.lines()
}

/// The address that a `PING` came from, in a line such as `+1763719200.123456 [0 127.0.0.1:40000] "PING"`.
fn asks(line: &str) -> Option<&str> {
    let (head, question) = line.split_once("] ")?;
    let (_, address) = head.rsplit_once(' ')?;
    question.eq_ignore_ascii_case("\"ping\"").then_some(address)
}

/// The addresses of the connections on which Redis sends news.
pub(crate) fn followers(redis: &RedisServer, login: &str) -> Vec<String> {
    let client = redis::Client::open(redis.url_for(login)).unwrap();
    let list: String = cmd("CLIENT")
        .arg("LIST")
        .query(&mut client.get_connection().unwrap())
        .unwrap();
    let address = |line: &str| {
        let fields: BTreeMap<_, _> = line
            .split(' ')
            .filter_map(|field| field.split_once('='))
            .collect();
        let follows = fields.get("flags")?.contains('t');
        follows.then(|| fields.get("addr").map(|address| (*address).to_owned()))?
    };
    list.lines().filter_map(address).collect()
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
