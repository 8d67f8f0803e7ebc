//! Processes that end with the value, and whose output is kept for the failure message.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

pub(crate) use mcp_gateway_store::testing::free_port;

/// A running process.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with its output in `directory/name.log`.
    pub(crate) fn start(command: &mut Command, directory: &Path, name: &str) -> Self {
        let log = directory.join(format!("{name}.log"));
        let out = File::create(&log).unwrap();
        command
            .stdin(Stdio::null())
            .stderr(out.try_clone().unwrap())
            .stdout(out);
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("{name} does not start: {e}"));
        Self { child, log }
    }

    /// Waits until `url` answers 200.
    pub(crate) async fn ready(self, url: &str) -> Self {
        self.answering(url, 200).await
    }

    /// Waits until `url` answers with this status.
    pub(crate) async fn answering(mut self, url: &str, status: u16) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(2))
            .build()
            .unwrap();
        for _ in 0..600 {
            if let Ok(answer) = client.get(url).send().await
                && answer.status() == status
            {
                return self;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status} before {url} answered:\n{}", self.output());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{url} does not answer:\n{}", self.output());
    }

    /// What it has written so far.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The executable `mcp-oauth`, which `cargo` puts beside the gateway's.
pub(crate) fn mcp_oauth() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_mcp-oauth-gateway")).with_file_name("mcp-oauth");
    assert!(
        path.exists(),
        "{} is missing: cargo build -p mcp-gateway-client",
        path.display()
    );
    path
}
