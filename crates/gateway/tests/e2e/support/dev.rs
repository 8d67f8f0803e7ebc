//! `dev` on a free port.

use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, free_port};

/// A running `dev`, and the directory that it was started in.
pub(crate) struct Dev {
    process: Process,
    pub(crate) directory: TempDir,
    pub(crate) port: u16,
}

impl Dev {
    /// Starts it with nothing but a port, and waits until it is ready.
    pub(crate) async fn start() -> Self {
        let port = free_port();
        Self::run(port, |command| command.args(["--port", &port.to_string()])).await
    }

    /// Starts it with these settings, which have the issuer on `port`.
    pub(crate) async fn with(settings: &[(&str, String)], port: u16) -> Self {
        let settings = settings.iter().map(|(name, value)| (name, value));
        Self::run(port, |command| command.envs(settings)).await
    }

    async fn run(port: u16, add: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-oauth-gateway"));
        add(command.env_clear().current_dir(&directory).arg("dev"));
        let process = Process::start(&mut command, directory.path(), "dev");
        let process = process.ready(&format!("http://127.0.0.1:{port}/readyz")).await;
        Self {
            process,
            directory,
            port,
        }
    }

    /// What it has written so far.
    pub(crate) fn output(&self) -> String {
        self.process.output()
    }

    /// The address of the MCP server, as it was printed.
    pub(crate) fn mcp_url(&self) -> String {
        let output = self.output();
        let line = output
            .lines()
            .find_map(|line| line.trim().strip_prefix("MCP server "));
        line.unwrap_or_else(|| panic!("{output}")).trim().to_owned()
    }
}
