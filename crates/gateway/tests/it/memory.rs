//! What a verifier remembers of grants, and when it does not believe it: with a real Redis that fails in every way it can.
//!
//! Judged by the order of events. Nobody is ever let in by a grant of which the verifier has heard that it ended, or when it
//! cannot know; how soon it hears is measured by `just bench` and `just soak`.

use std::path::Path;

use mcp_gateway_store::testing::{RedisServer, RedisSetup};
use redis::{Value, cmd, pipe};
use reqwest::StatusCode;

use crate::support::{
    agent::{Agent, Tokens},
    news::{followers, heard_by, reads},
    run::SECRET,
    server::{Server, eventually, free_port},
    stage::{RESOURCE, Stage, issuer, verifier_settings, verify},
};

const USERS: [&str; 2] = ["verifier-1", "verifier-2"];
const PASSWORD: &str = "password-of-a-verifier-8c1d";
const OK: StatusCode = StatusCode::OK;
const REFUSED: StatusCode = StatusCode::UNAUTHORIZED;
const AWAY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// An auth-server and two verifiers on one Redis.
struct Set {
    stage: Stage,
    redis: RedisServer,
    auth: Server,
    verifiers: Vec<Server>,
}

impl Set {
    async fn start() -> Self {
        Self::with(&rights(), &[]).await
    }

    /// With these rights of the verifiers in Redis, and further settings of Redis.
    async fn with(rights: &str, settings: &[&str]) -> Self {
        let mut acl = vec!["user default on nopass ~* &* +@all".to_owned()];
        acl.extend(USERS.map(|user| format!("user {user} on >{PASSWORD} {rights}")));
        let redis = RedisServer::with(RedisSetup {
            acl,
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            ..RedisSetup::default()
        });
        let (stage, port) = (Stage::new(), free_port());
        let directory = stage.directory.path();
        let url = redis.url();
        let settings = stage.settings(port, &[("REDIS_URL", &url), ("STORE_ENCRYPTION_KEY", SECRET)]);
        let auth = Server::start(directory, "auth-server", port, &settings).await;
        let mut verifiers = Vec::new();
        for user in USERS {
            let url = redis.url_for(&format!("{user}@"));
            let settings = verifier_settings(port, &[("REDIS_URL", &url), ("REDIS_PASSWORD", PASSWORD)]);
            verifiers.push(Server::start(directory, "verifier", free_port(), &settings).await);
        }
        Self {
            stage,
            redis,
            auth,
            verifiers,
        }
    }

    /// Somebody logs in, and both verifiers remember it.
    async fn remembered(&self) -> (Agent, Tokens) {
        let (agent, tokens) = self.log_in().await;
        for verifier in &self.verifiers {
            eventually("an answer for which Redis is not asked", async || {
                let before = reads(&self.redis);
                assert_eq!(status(verifier, &tokens).await, OK);
                (reads(&self.redis) == before).then_some(())
            })
            .await;
        }
        (agent, tokens)
    }

    async fn log_in(&self) -> (Agent, Tokens) {
        let mut agent = Agent::register(&issuer(self.auth.port)).await;
        let tokens = agent.log_in(RESOURCE).await;
        (agent, tokens)
    }

    /// Both verifiers have heard all that has happened.
    async fn heard(&self) {
        heard_by(self.verifiers.len(), &self.redis, "").await;
    }

    /// Both verifiers answer so, however often they are asked: each of their threads remembers for itself.
    async fn all_answer(&self, tokens: &Tokens, expected: StatusCode) {
        for verifier in self.verifiers.iter().cycle().take(8) {
            assert_eq!(status(verifier, tokens).await, expected);
        }
    }

    /// What the first verifier answers from now on: 200 for some time perhaps, and from the first other answer on that one.
    async fn turns_to(&self, tokens: &Tokens, expected: StatusCode) {
        eventually("another answer", async || {
            let status = status(&self.verifiers[0], tokens).await;
            assert!([OK, expected].contains(&status), "{status}");
            (status == expected).then_some(())
        })
        .await;
        for _ in 0..4 {
            assert_eq!(status(&self.verifiers[0], tokens).await, expected);
        }
    }

    async fn comes_back(&self, tokens: &Tokens, expected: StatusCode) {
        eventually("an answer of a Redis that is back", async || {
            let status = status(&self.verifiers[0], tokens).await;
            assert!([AWAY, expected].contains(&status), "{status}");
            (status == expected).then_some(())
        })
        .await;
    }

    fn key(&self, tokens: &Tokens) -> String {
        let keys: Vec<String> = cmd("KEYS")
            .arg("mcpgw:grant:*")
            .query(&mut self.redis.connection())
            .unwrap();
        let (grant, _) = tokens
            .refresh
            .strip_prefix("mcp_rt_")
            .unwrap()
            .split_once('.')
            .unwrap();
        keys.into_iter().find(|key| key.contains(grant)).unwrap()
    }
}

async fn status(verifier: &Server, tokens: &Tokens) -> StatusCode {
    verify(verifier, &tokens.access).await.status()
}

/// What the shipped file of Redis' users lets a verifier do.
fn rights() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/redis/users.acl");
    let text = std::fs::read_to_string(file).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("user verifier on "));
    line.unwrap().split_once(' ').unwrap().1.to_owned()
}

#[tokio::test]
async fn an_end_is_known_to_every_replica_with_its_news() {
    let set = Set::start().await;
    let (agent, tokens) = set.remembered().await;
    let (_, others) = set.remembered().await;
    agent.revoke(&tokens.access).await;
    set.heard().await;
    set.all_answer(&tokens, REFUSED).await;
    set.all_answer(&others, OK).await;
}

#[tokio::test]
async fn a_prolonged_grant_is_never_refused() {
    let set = Set::start().await;
    let (mut agent, tokens) = set.remembered().await;
    let mut refresh = tokens.refresh.clone();
    for _ in 0..5 {
        refresh = agent.refresh(&refresh).await.refresh;
        set.all_answer(&tokens, OK).await;
    }
    set.heard().await;
    set.all_answer(&tokens, OK).await;
}

#[tokio::test]
async fn a_hung_redis_ends_what_is_remembered_until_it_goes_on() {
    let set = Set::start().await;
    let (agent, tokens) = set.remembered().await;
    set.redis.pause();
    set.turns_to(&tokens, AWAY).await;
    set.redis.resume();
    set.comes_back(&tokens, OK).await;
    agent.revoke(&tokens.access).await;
    set.heard().await;
    set.all_answer(&tokens, REFUSED).await;
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_ends_what_was_remembered() {
    let mut set = Set::start().await;
    let (_, tokens) = set.remembered().await;
    set.redis.kill();
    set.turns_to(&tokens, AWAY).await;
    set.redis.restart();
    set.comes_back(&tokens, REFUSED).await;
    set.heard().await;
    set.all_answer(&tokens, REFUSED).await;
}

#[tokio::test]
async fn a_flushed_redis_ends_what_is_remembered() {
    let set = Set::start().await;
    let (_, tokens) = set.remembered().await;
    cmd("FLUSHALL").exec(&mut set.redis.connection()).unwrap();
    set.heard().await;
    set.all_answer(&tokens, REFUSED).await;
}

#[tokio::test]
async fn an_end_of_which_no_news_could_come_is_known_with_the_next_connection() {
    let set = Set::start().await;
    let (_, tokens) = set.remembered().await;
    let (_, others) = set.remembered().await;
    let key = set.key(&tokens);
    // in one go: no connection is left on which the end could be told
    let mut at_once = pipe();
    at_once.atomic();
    for address in followers(&set.redis, "") {
        at_once.cmd("CLIENT").arg("KILL").arg("ADDR").arg(address);
    }
    at_once.cmd("DEL").arg(key);
    let done: Vec<Value> = at_once.query(&mut set.redis.connection()).unwrap();
    assert_eq!(done.last(), Some(&Value::Int(1)), "{done:?}");
    set.heard().await;
    set.all_answer(&tokens, REFUSED).await;
    set.all_answer(&others, OK).await;
}

#[tokio::test]
async fn a_verifier_that_does_not_read_its_news_loses_them_and_what_it_remembers() {
    let set = Set::with(&rights(), &["client-output-buffer-limit normal 256kb 256kb 60"]).await;
    let (_, tokens) = set.remembered().await;
    let (_, others) = set.remembered().await;
    let key = set.key(&tokens);
    let before = followers(&set.redis, "");
    set.verifiers[0].signal("-STOP");
    let mut connection = set.redis.connection();
    for round in 0.. {
        assert!(round < 200, "the slow connection is kept");
        let mut changes = pipe();
        for number in 0..10_000 {
            let key = format!("mcpgw:grant:{{another-{round}-{number}}}");
            changes
                .cmd("SET")
                .arg(key)
                .arg("{}")
                .arg("PX")
                .arg(10_000)
                .ignore();
        }
        changes.exec(&mut connection).unwrap();
        let now = followers(&set.redis, "");
        if before.iter().any(|address| !now.contains(address)) {
            break;
        }
    }
    let ended: u64 = cmd("DEL").arg(key).query(&mut connection).unwrap();
    assert_eq!(ended, 1);
    set.verifiers[0].signal("-CONT");
    set.heard().await;
    set.all_answer(&tokens, REFUSED).await;
    set.all_answer(&others, OK).await;
}

#[tokio::test]
async fn where_redis_sends_no_news_every_request_asks_it_and_one_line_says_so() {
    let set = Set::with(&rights().replace("+client|tracking", ""), &[]).await;
    let (agent, tokens) = set.log_in().await;
    for verifier in &set.verifiers {
        for _ in 0..4 {
            let before = reads(&set.redis);
            assert_eq!(status(verifier, &tokens).await, OK);
            assert!(reads(&set.redis) > before, "Redis was not asked");
        }
    }
    assert!(followers(&set.redis, "").is_empty());
    agent.revoke(&tokens.access).await;
    set.all_answer(&tokens, REFUSED).await;
    for verifier in &set.verifiers {
        let log = verifier.log();
        let warnings = log
            .lines()
            .filter(|line| line.contains("remember grants") && line.contains("WARN"));
        assert_eq!(warnings.count(), 1, "{log}");
    }
}

#[test]
fn the_shipped_redis_drops_a_verifier_that_does_not_read_its_news() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/redis/redis.conf");
    let text = std::fs::read_to_string(file).unwrap();
    // Redis counts a connection that follows news of keys among the normal ones
    let limit = text
        .lines()
        .find_map(|line| line.strip_prefix("client-output-buffer-limit normal "));
    let words: Vec<_> = limit.unwrap().split(' ').collect();
    assert_eq!(words.len(), 3);
    assert!(words.iter().all(|word| *word != "0"), "0 stands for no limit");
}

#[tokio::test]
async fn a_verifier_that_may_remember_nothing_asks_redis_each_time() {
    let set = Set::start().await;
    let (_, tokens) = set.log_in().await;
    for nothing in [("VERIFIER_CACHE_ENTRIES", "0"), ("VERIFIER_CACHE_BYTES", "0")] {
        let url = set.redis.url();
        let settings = verifier_settings(set.auth.port, &[("REDIS_URL", &url), nothing]);
        let directory = set.stage.directory.path();
        let verifier = Server::start(directory, "verifier", free_port(), &settings).await;
        for _ in 0..4 {
            let before = reads(&set.redis);
            assert_eq!(status(&verifier, &tokens).await, OK);
            assert!(reads(&set.redis) > before, "{nothing:?}");
        }
    }
}
