//! A master with replicas, and three sentinels that watch it.

use std::{
    collections::HashMap,
    fs,
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Command},
};

use mcp_gateway_model::secret::Secret;
use tempfile::TempDir;

use super::{
    CERTIFICATES, RedisServer, RedisSetup, door::Door, free_port, must, run, shared_certificates, until,
};
use crate::redis::RedisOptions;

/// The name under which the sentinels watch the master.
const NAME: &str = "the-master";
/// After how many milliseconds without an answer the master counts as gone.
const DOWN_AFTER: u32 = 1000;

/// What kind of master with replicas is wanted.
#[derive(Clone, Debug)]
pub struct ReplicatedSetup {
    /// How each Redis is set up; with TLS the sentinels speak it, too.
    pub redis: RedisSetup,
    /// How many replicas there are.
    pub replicas: usize,
    /// The password of the sentinels themselves.
    pub sentinel_password: Option<String>,
    /// Whether [`ReplicatedRedis::cut_off`] is wanted: a door then stands in front of the first master.
    pub door: bool,
}

impl Default for ReplicatedSetup {
    fn default() -> Self {
        Self {
            redis: RedisSetup::default(),
            replicas: 2,
            sentinel_password: None,
            door: false,
        }
    }
}

/// A running master with replicas and sentinels.
#[derive(Debug)]
pub struct ReplicatedRedis {
    /// The first master first.
    servers: Vec<RedisServer>,
    sentinels: Vec<Sentinel>,
    door: Option<Door>,
    setup: ReplicatedSetup,
    _certificates: Option<TempDir>,
}

#[derive(Debug)]
struct Sentinel {
    child: Child,
    port: u16,
    /// What leads there.
    url: RedisOptions,
    _directory: TempDir,
}

impl ReplicatedRedis {
    /// A master with two replicas.
    ///
    /// # Panics
    /// When redis-server is missing, or they do not come together.
    #[must_use]
    pub fn start() -> Self {
        Self::with(ReplicatedSetup::default())
    }

    /// As `setup` says.
    ///
    /// # Panics
    /// When redis-server is missing, or they do not come together.
    #[must_use]
    pub fn with(mut setup: ReplicatedSetup) -> Self {
        let certificates = setup.redis.tls.then(shared_certificates);
        if let Some(directory) = &certificates {
            setup.redis.certificates = Some(directory.path().to_owned());
            setup.redis.settings.push("tls-replication yes".to_owned());
        }
        let master = RedisServer::with(of(&setup, None));
        let door = setup.door.then(|| Door::to(master.port()));
        let port = door.as_ref().map_or(master.port(), Door::port);
        let mut servers = vec![master];
        for _ in 0..setup.replicas {
            servers.push(RedisServer::with(of(&setup, Some(port))));
        }
        servers[0].wait_for_replicas(u32::try_from(setup.replicas).unwrap_or(u32::MAX));
        let sentinels = (0..3).map(|_| Sentinel::start(port, &setup)).collect();
        let all = Self {
            servers,
            sentinels,
            door,
            setup,
            _certificates: certificates,
        };
        until("the sentinels know each other and the replicas", || {
            all.sentinels
                .iter()
                .all(|sentinel| sentinel.knows(2, all.setup.replicas))
        });
        all
    }

    /// The address: `redis+sentinel://127.0.0.1:port,.../the-master`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for("")
    }

    /// The address with `user` in front of the hosts, as in `name:password@`.
    #[must_use]
    pub fn url_for(&self, user: &str) -> String {
        let hosts: Vec<_> = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port))
            .collect();
        format!("{}+sentinel://{user}{}/{NAME}", self.scheme(), hosts.join(","))
    }

    /// The options of somebody who knows of one sentinel only.
    #[must_use]
    pub fn options_of_sentinel(&self, place: usize) -> RedisOptions {
        let mut options = self.options();
        let port = self.sentinels[place].port;
        options.url = format!("{}+sentinel://127.0.0.1:{port}/{NAME}", self.scheme());
        options
    }

    /// The options that reach it.
    #[must_use]
    pub fn options(&self) -> RedisOptions {
        let mut options = RedisOptions::new(self.url());
        options.password = self.setup.redis.password.clone().map(Secret::presented);
        options.tls_ca_file = self.setup.redis.tls.then(|| self.servers[0].ca_file());
        options.sentinel_password = self.setup.sentinel_password.clone().map(Secret::presented);
        options
    }

    const fn scheme(&self) -> &'static str {
        if self.setup.redis.tls { "rediss" } else { "redis" }
    }

    /// All Redis processes; the one that was the first master comes first.
    #[must_use]
    pub fn servers(&self) -> &[RedisServer] {
        &self.servers
    }

    /// Ends the first master at once, as a crash does.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn kill_first_master(&mut self) {
        self.servers[0].kill();
    }

    /// Starts the first master again: it thinks it still is one, until a sentinel tells it.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart_first_master(&mut self) {
        self.servers[0].restart();
    }

    /// Cuts the first master off from replicas and sentinels, but not from others: it goes on answering them, and they can go on
    /// connecting to it.
    ///
    /// # Panics
    /// When the setup has no door.
    pub fn cut_off(&self) {
        must(self.door.as_ref().ok_or("there is none"), "a door").shut();
    }

    /// Ends what [`ReplicatedRedis::cut_off`] began.
    ///
    /// # Panics
    /// When the setup has no door.
    pub fn reconnect(&self) {
        must(self.door.as_ref().ok_or("there is none"), "a door").open();
    }

    /// Ends one of the sentinels.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn kill_sentinel(&mut self, place: usize) {
        let child = &mut self.sentinels[place].child;
        must(child.kill(), "a sentinel could not be killed");
        must(child.wait(), "a sentinel could not be waited for");
    }

    /// Has the sentinels make a replica the master, as an operator does for maintenance.
    ///
    /// # Panics
    /// When they refuse.
    pub fn fail_over(&self) {
        let mut order = redis::cmd("SENTINEL");
        order.arg("FAILOVER").arg(NAME);
        must(
            order.exec(&mut self.sentinels[0].connection()),
            "SENTINEL FAILOVER",
        );
    }

    /// Waits until most sentinels name another master than the first; answers its place among the servers.
    ///
    /// # Panics
    /// When they do not within 30 seconds.
    #[must_use]
    pub fn wait_for_another_master(&self) -> usize {
        let mut place = None;
        until("the sentinels name another master", || {
            let named: Vec<_> = self.sentinels.iter().filter_map(Sentinel::named).collect();
            place = (1..self.servers.len()).find(|place| {
                let port = self.servers[*place].port();
                named.iter().filter(|named| **named == port).count() >= 2
            });
            place.is_some()
        });
        place.unwrap_or_default()
    }
}

fn of(setup: &ReplicatedSetup, master: Option<u16>) -> RedisSetup {
    let mut redis = setup.redis.clone();
    redis.settings.push("repl-diskless-sync-delay 0".to_owned());
    // an old master must let go of nothing by itself: that is what the tests are about
    redis.settings.push("repl-timeout 600".to_owned());
    if let Some(password) = &redis.password {
        redis.settings.push(format!("masterauth {password}"));
    }
    if let Some(port) = master {
        redis.settings.push(format!("replicaof 127.0.0.1 {port}"));
    }
    redis
}

/// A sentinel that speaks TLS only, with everybody.
fn tls_lines(port: u16, certificates: &Path) -> Vec<String> {
    let mut lines = vec![
        "port 0".to_owned(),
        format!("tls-port {port}"),
        "tls-replication yes".to_owned(),
        "tls-auth-clients no".to_owned(),
    ];
    let files = CERTIFICATES.iter();
    lines.extend(files.map(|(setting, file)| format!("{setting} {}", certificates.join(file).display())));
    lines
}

impl Sentinel {
    fn start(master: u16, setup: &ReplicatedSetup) -> Self {
        let directory = must(tempfile::tempdir(), "a directory for a sentinel");
        for _ in 0..20 {
            let port = free_port();
            if let Some(child) = Self::spawn(port, master, setup, &directory) {
                let scheme = if setup.redis.tls { "rediss" } else { "redis" };
                let mut url = RedisOptions::new(format!("{scheme}://127.0.0.1:{port}"));
                url.password = setup.sentinel_password.clone().map(Secret::presented);
                let certificates = setup.redis.certificates.as_ref();
                url.tls_ca_file = certificates.map(|directory| directory.join("ca.crt"));
                return Self {
                    child,
                    port,
                    url,
                    _directory: directory,
                };
            }
        }
        panic!("no sentinel starts");
    }

    fn spawn(port: u16, master: u16, setup: &ReplicatedSetup, directory: &TempDir) -> Option<Child> {
        let mut lines = match &setup.redis.certificates {
            None => vec![format!("port {port}")],
            Some(directory) => tls_lines(port, directory),
        };
        lines.extend([
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", directory.path().display()),
            format!("sentinel monitor {NAME} 127.0.0.1 {master} 2"),
            format!("sentinel down-after-milliseconds {NAME} {DOWN_AFTER}"),
            format!("sentinel failover-timeout {NAME} 5000"),
        ]);
        if let Some(password) = &setup.redis.password {
            lines.push(format!("sentinel auth-pass {NAME} {password}"));
        }
        if let Some(password) = &setup.sentinel_password {
            lines.push(format!("requirepass {password}"));
        }
        let file = directory.path().join("sentinel.conf");
        must(fs::write(&file, lines.join("\n") + "\n"), "a sentinel's file");
        let mut command = Command::new("redis-server");
        command.arg(&file).arg("--sentinel");
        run(command, "+monitor master").ok()
    }

    fn connection(&self) -> redis::Connection {
        let client = self.url.address().map(redis::Client::open);
        let client = must(must(client, "an address"), "a client");
        must(client.get_connection(), "a connection to a sentinel")
    }

    fn state(&self) -> HashMap<String, String> {
        let mut ask = redis::cmd("SENTINEL");
        ask.arg("MASTER").arg(NAME);
        must(ask.query(&mut self.connection()), "SENTINEL MASTER")
    }

    fn knows(&self, sentinels: usize, replicas: usize) -> bool {
        let state = self.state();
        let says = |name: &str, number: usize| state.get(name) == Some(&number.to_string());
        says("num-other-sentinels", sentinels) && says("num-slaves", replicas)
    }

    /// The port of the master; nothing from a sentinel that was ended.
    fn named(&self) -> Option<u16> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        self.state().get("port")?.parse().ok()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
