//! A person with `mcp-oauth`.

use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::{
    browser::clients,
    process::mcp_oauth,
    traefik::{DOMAIN, NAMES},
    world::World,
};

/// The command opens Chromium, in which octocat allows what the consent page asks.
pub(crate) const CHROMIUM: &str = "node --require ./loopback.cjs browser.mjs %s octocat allow";

/// Somebody's home directory.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
    /// What is said in every call.
    pub(crate) options: Vec<String>,
    pub(crate) browser: Option<String>,
}

impl Home {
    /// A home from where the installation can be reached.
    pub(crate) fn of(world: &World) -> Self {
        let mut options = vec![format!("--ca={}", world.traefik.ca.display())];
        options.extend(NAMES.map(|name| format!("--resolve={name}.{DOMAIN}=127.0.0.1")));
        Self {
            directory: tempfile::tempdir().unwrap(),
            options,
            browser: None,
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(mcp_oauth());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .env("TEST_DOMAIN", DOMAIN)
            .current_dir(clients())
            .args(&self.options)
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(browser) = &self.browser {
            command.env("BROWSER", browser);
        }
        command
    }

    /// What the command writes to standard output, once it has ended well.
    pub(crate) async fn run(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.try_run(arguments).await;
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        out
    }

    pub(crate) async fn try_run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.command(arguments).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let out = self.run(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&out).unwrap()
    }
}
