//! A redis-server of one's own for tests: started on a free port, ended with the value.
//!
//! Whatever is missing or goes wrong fails the test that wanted it, and says what.

mod cluster;
mod door;
mod replicated;
mod tls;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::redis::RedisOptions;

pub use cluster::RedisCluster;
pub use replicated::{ReplicatedRedis, ReplicatedSetup};

/// The first port that tests take.
const FIRST: u16 = 10_000;
/// How many ports a process has to itself, and how many such ranges there are below 32,768.
const RANGE: u16 = 20;
const RANGES: u32 = 1100;

/// The settings that name certificates, and their files.
const CERTIFICATES: [(&str, &str); 3] = [
    ("tls-cert-file", "server.crt"),
    ("tls-key-file", "server.key"),
    ("tls-ca-cert-file", "ca.crt"),
];

/// What kind of redis-server is wanted.
#[derive(Clone, Debug, Default)]
pub struct RedisSetup {
    /// `requirepass`: the password of the default user.
    pub password: Option<String>,
    /// Lines of an ACL file; comments are left out.
    pub acl: Vec<String>,
    /// Speak TLS only, with a certificate for `localhost` and 127.0.0.1 from an authority made for this server.
    pub tls: bool,
    /// With `tls`: a directory with certificates that several servers share, in place of its own.
    pub certificates: Option<PathBuf>,
    /// Keep everything in an append-only file, so that a restart forgets nothing.
    pub persistent: bool,
    /// Further settings, one `name value` each.
    pub settings: Vec<String>,
}

/// A running redis-server.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    setup: RedisSetup,
    directory: TempDir,
}

impl RedisServer {
    /// A plain server: no password, no TLS, no persistence.
    ///
    /// # Panics
    /// When redis-server is missing or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::with(RedisSetup::default())
    }

    /// A server as `setup` says.
    ///
    /// # Panics
    /// When redis-server is missing or does not start.
    #[must_use]
    pub fn with(setup: RedisSetup) -> Self {
        let directory = must(tempfile::tempdir(), "a directory for redis-server");
        if setup.tls && setup.certificates.is_none() {
            must(
                tls::write_certificates(directory.path()),
                "certificates for redis-server",
            );
        }
        let acl: Vec<_> = setup
            .acl
            .iter()
            .filter(|line| !line.starts_with('#'))
            .cloned()
            .collect();
        must(
            fs::write(directory.path().join("users.acl"), acl.join("\n")),
            "an ACL file",
        );
        // another process may take the port between looking and using: then the next one is as good
        for _ in 0..20 {
            let port = free_port();
            if let Ok(child) = spawn(port, &setup, directory.path()) {
                return Self {
                    child,
                    port,
                    setup,
                    directory,
                };
            }
        }
        let fault = spawn(free_port(), &setup, directory.path())
            .err()
            .unwrap_or_default();
        panic!("redis-server does not start:\n{fault}");
    }

    /// The port it listens on, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address, without user and password: `redis://127.0.0.1:port`, or `rediss://localhost:port`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for("")
    }

    /// The address with `user` in front of the host, as in `name:password@`.
    #[must_use]
    pub fn url_for(&self, user: &str) -> String {
        if self.setup.tls {
            format!("rediss://{user}localhost:{}", self.port)
        } else {
            format!("redis://{user}127.0.0.1:{}", self.port)
        }
    }

    /// The options that reach it.
    #[must_use]
    pub fn options(&self) -> RedisOptions {
        let mut options = RedisOptions::new(self.url());
        options.password = self
            .setup
            .password
            .clone()
            .map(mcp_gateway_model::secret::Secret::presented);
        options.tls_ca_file = self.setup.tls.then(|| self.ca_file());
        options
    }

    /// The certificate of the authority, if it speaks TLS.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        let shared = self.setup.certificates.as_deref();
        shared.unwrap_or(self.directory.path()).join("ca.crt")
    }

    /// Ends it at once, as a crash does.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn kill(&mut self) {
        must(self.child.kill(), "redis-server could not be killed");
        must(self.child.wait(), "redis-server could not be waited for");
    }

    /// Starts it again on the same port after [`RedisServer::kill`]: with its data if it is persistent, else empty.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.child = must(
            spawn(self.port, &self.setup, self.directory.path()),
            "redis-server does not start again",
        );
    }

    /// Stops it in its tracks: connections stay open, nothing is answered.
    ///
    /// # Panics
    /// When it cannot be stopped.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on after [`RedisServer::pause`].
    ///
    /// # Panics
    /// When it cannot go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Waits until `replicas` of them follow, and say so at once: a replica that has just read everything lets one question about
    /// that pass.
    ///
    /// # Panics
    /// When they do not within 20 seconds.
    pub fn wait_for_replicas(&self, replicas: u32) {
        let mut connection = self.connection();
        let mut follow = |patience: u32| -> bool {
            // the time of a write is what WAIT waits for
            must(
                ::redis::cmd("SET").arg("here").arg(1).exec(&mut connection),
                "SET",
            );
            must(::redis::cmd("DEL").arg("here").exec(&mut connection), "DEL");
            let reached: u32 = must(
                ::redis::cmd("WAIT")
                    .arg(replicas)
                    .arg(patience)
                    .query(&mut connection),
                "WAIT",
            );
            reached >= replicas
        };
        assert!(follow(20_000), "fewer than {replicas} replicas follow");
        assert!(
            (0..100).any(|_| follow(200)),
            "fewer than {replicas} replicas answer"
        );
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .arg(signal)
            .arg(self.child.id().to_string())
            .status();
        assert!(must(status, "kill").success(), "redis-server took no signal");
    }

    /// A blocking connection as the default user, for looking behind the curtain.
    ///
    /// # Panics
    /// When it cannot be reached.
    #[must_use]
    pub fn connection(&self) -> ::redis::Connection {
        let client = self.options().address().map(::redis::Client::open);
        let client = must(must(client, "an address"), "a client");
        must(client.get_connection(), "a connection to redis-server")
    }

    /// Every key of database 0 with everything it holds, sorted by key.
    ///
    /// # Panics
    /// When it cannot be reached.
    #[must_use]
    pub fn dump(&self) -> Vec<(String, Vec<u8>)> {
        let mut connection = self.connection();
        let mut keys: Vec<String> = must(::redis::cmd("KEYS").arg("*").query(&mut connection), "KEYS");
        keys.sort();
        let value = |key: String| {
            let kind: String = must(::redis::cmd("TYPE").arg(&key).query(&mut connection), "TYPE");
            let bytes: Vec<u8> = if kind == "zset" {
                let mut range = ::redis::cmd("ZRANGE");
                range.arg(&key).arg(0).arg(-1).arg("WITHSCORES");
                let members: Vec<String> = must(range.query(&mut connection), "ZRANGE");
                members.join(" ").into_bytes()
            } else {
                must(::redis::cmd("GET").arg(&key).query(&mut connection), "GET")
            };
            (key, bytes)
        };
        keys.into_iter().map(value).collect()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A port that is free on 127.0.0.1 at this moment: below those that outgoing connections are given, and out of a range that
/// belongs to this process as far as there are enough, so that tests side by side do not take each other's.
///
/// # Panics
/// When the range has none left.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let ours = u16::try_from(std::process::id() % RANGES).unwrap_or_default() * RANGE;
    for _ in 0..u16::MAX {
        let port = FIRST + ours + NEXT.fetch_add(1, Ordering::Relaxed) % (2 * RANGE);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {} on", FIRST + ours);
}

/// Starts the process and waits until it says that it takes connections. The error is what it said instead.
fn spawn(port: u16, setup: &RedisSetup, directory: &Path) -> Result<Child, String> {
    let mut command = Command::new("redis-server");
    command.args([
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--daemonize",
        "no",
        "--logfile",
        "",
    ]);
    command.arg("--dir").arg(directory);
    command.args([
        "--appendonly",
        if setup.persistent { "yes" } else { "no" },
        "--appendfsync",
        "always",
    ]);
    if setup.tls {
        command.args([
            "--port",
            "0",
            "--tls-port",
            &port.to_string(),
            "--tls-auth-clients",
            "no",
        ]);
        let certificates = setup.certificates.as_deref().unwrap_or(directory);
        for (setting, file) in CERTIFICATES {
            command.arg(format!("--{setting}")).arg(certificates.join(file));
        }
    } else {
        command.args(["--port", &port.to_string()]);
    }
    if let Some(password) = &setup.password {
        command.args(["--requirepass", password]);
    }
    if !setup.acl.is_empty() {
        command.arg("--aclfile").arg(directory.join("users.acl"));
    }
    for setting in &setup.settings {
        let (name, value) = setting.split_once(' ').unwrap_or((setting, ""));
        command.arg(format!("--{name}")).arg(value);
    }
    run(command, "Ready to accept connections")
}

/// Starts redis-server and waits until it says `ready`. The error is what it said instead.
fn run(mut command: Command, ready: &str) -> Result<Child, String> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = must(
        child,
        "this test needs redis-server (Debian package redis-server, 7 or newer)",
    );
    match child.stdout.take().map(|log| wait_until_ready(log, ready)) {
        Some(Ok(())) => Ok(child),
        fault => {
            drop(child.kill());
            drop(child.wait());
            Err(fault.and_then(Result::err).unwrap_or_default())
        }
    }
}

/// Reads the log up to the line that says so; the rest is read and dropped, so that the server never waits for it.
fn wait_until_ready(log: ChildStdout, ready: &str) -> Result<(), String> {
    let mut lines = BufReader::new(log).lines();
    let mut said = String::new();
    for line in lines.by_ref() {
        let line = line.map_err(|e| e.to_string())?;
        if line.contains(ready) {
            thread::spawn(move || lines.for_each(drop));
            return Ok(());
        }
        said.push_str(&line);
        said.push('\n');
    }
    Err(said)
}

/// Certificates that several servers share.
fn shared_certificates() -> TempDir {
    let directory = must(tempfile::tempdir(), "a directory for certificates");
    must(tls::write_certificates(directory.path()), "certificates");
    directory
}

/// Looks again and again until it is so.
///
/// # Panics
/// When it is not within 30 seconds.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut patience = 1500;
    while !is_so() {
        patience -= 1;
        assert!(patience > 0, "not within 30 seconds: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn must<T, E: std::fmt::Display>(result: Result<T, E>, what: &str) -> T {
    result.unwrap_or_else(|fault| panic!("{what}: {fault}"))
}
