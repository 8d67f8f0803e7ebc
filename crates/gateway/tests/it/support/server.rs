//! The executable as a process that stays.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use reqwest::{Client, StatusCode};
use tokio::process::{Child, Command};

use super::run::command;

pub(crate) use mcp_gateway_store::testing::free_port;

/// A running server, ended with the value.
pub(crate) struct Server {
    child: Child,
    /// Where it listens, on 127.0.0.1.
    pub(crate) port: u16,
    files: [PathBuf; 2],
}

impl Server {
    /// Starts it on `port` and waits until it is ready.
    pub(crate) async fn start(
        directory: &Path,
        subcommand: &str,
        port: u16,
        settings: &[(String, String)],
    ) -> Self {
        let mut command = command(directory);
        command
            .args([subcommand, "--port", &port.to_string()])
            .envs(settings.iter().cloned());
        Self::spawn(command, directory, port).ready().await
    }

    /// Starts a command that will listen on `port`.
    pub(crate) fn spawn(mut command: Command, directory: &Path, port: u16) -> Self {
        static STARTED: AtomicU16 = AtomicU16::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let files = ["out", "err"].map(|kind| directory.join(format!("{number}.{kind}")));
        let [out, err] = [0, 1].map(|index: usize| Stdio::from(File::create(&files[index]).unwrap()));
        let child = command.stdout(out).stderr(err).spawn().unwrap();
        Self { child, port, files }
    }

    /// Waits until it says that it is ready.
    pub(crate) async fn ready(mut self) -> Self {
        let address = self.at("/readyz");
        let http = client();
        eventually("a ready server", async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status}: {}", self.log());
            }
            let answer = http.get(&address).send().await.ok()?;
            (answer.status() == StatusCode::OK).then_some(())
        })
        .await;
        self
    }

    /// The address of a path.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What it wrote to standard output.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.files[0]).unwrap()
    }

    /// What it wrote to standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.files[1]).unwrap()
    }

    /// The lines of the log that are JSON.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        let log = self.log();
        log.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        let sent = std::process::Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it has ended; its exit code.
    pub(crate) async fn ended(&mut self) -> i32 {
        let status = tokio::time::timeout(Duration::from_secs(35), self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("it does not end: {}", self.log()));
        status.unwrap().code().unwrap_or(-1)
    }

    /// Asks it to end, and insists that it does so well.
    pub(crate) async fn stop(mut self) {
        self.terminate();
        assert_eq!(self.ended().await, 0, "{}", self.log());
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

/// Asks again until there is an answer, for at most 20 seconds; seldom enough for the limits of the endpoints.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..200 {
        if let Some(found) = ask().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}: waited in vain");
}

/// A client that follows nothing and keeps no connection that a test does not know of.
pub(crate) fn client() -> Client {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .pool_max_idle_per_host(0)
        .danger_accept_invalid_certs(true)
        .build()
        .unwrap()
}
