//! The built executable, as a person or a script runs it.

use std::{path::PathBuf, process::Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::Command,
};
use url::Url;

/// Somebody's home directory, and what is run there.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
    browser: Option<String>,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// What it wrote, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The same, if it ended well.
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

impl Home {
    /// A home with a browser that follows every redirect.
    pub(crate) fn with_browser() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            browser: Some("curl --silent --location --output /dev/null %s".to_owned()),
        }
    }

    /// A home without one.
    pub(crate) fn without_browser() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            browser: None,
        }
    }

    /// Where the credentials are.
    pub(crate) fn credentials(&self) -> PathBuf {
        self.directory.path().join(".config/mcp-oauth/credentials.json")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-oauth"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(browser) = &self.browser {
            command.env("BROWSER", browser);
        }
        command
    }

    /// Runs the command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: text(output.stdout).trim_end().to_owned(),
            err: text(output.stderr),
        }
    }

    /// Runs a login whose person opens the address themselves, and types what `paste` makes of it.
    pub(crate) async fn run_pasting(
        &self,
        arguments: &[&str],
        paste: impl AsyncFnOnce(Url) -> Vec<String>,
    ) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stderr.take().unwrap());
        let mut err = String::new();
        let url = loop {
            let before = err.len();
            assert_ne!(
                reader.read_line(&mut err).await.unwrap(),
                0,
                "no address in {err}"
            );
            if let Ok(url) = Url::parse(err[before..].trim()) {
                break url;
            }
        };
        let mut input = child.stdin.take().unwrap();
        for line in paste(url).await {
            input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }
        reader.read_to_string(&mut err).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap().trim_end().to_owned(),
            err,
        }
    }
}
