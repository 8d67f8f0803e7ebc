//! Runs of the executable that end by themselves.

use std::{collections::BTreeMap, fs, path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::stage::Stage;

/// A secret that is long enough for everything.
pub(crate) const SECRET: &str = "correct-horse-battery-staple-0123456789";
/// An address of this machine at which nobody listens.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9";

/// A run that has ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// What was written to standard output, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }
}

/// The executable in `directory`, with nothing of the environment of this test.
pub(crate) fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-oauth-gateway"));
    command
        .env_clear()
        .current_dir(directory)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a command that is expected to end soon.
pub(crate) async fn end(command: &mut Command) -> Ended {
    let output = tokio::time::timeout(Duration::from_secs(30), command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("it does not end")).unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the executable with these arguments and nothing else.
pub(crate) async fn run(arguments: &[&str]) -> Ended {
    let directory = tempfile::tempdir().unwrap();
    end(command(directory.path()).args(arguments)).await
}

/// A directory and an environment in which the executable is asked about its configuration.
pub(crate) struct Asked {
    pub(crate) directory: TempDir,
    environment: BTreeMap<String, String>,
}

impl Asked {
    /// With the environment of a small `serve` that has no faults.
    pub(crate) fn small() -> Self {
        Self::nothing()
            .with("GITHUB_CLIENT_ID", "the-app")
            .with("GITHUB_CLIENT_SECRET", "the-secret-of-the-app")
            .with("GITHUB_WEB_URL", NOWHERE)
            .with("GITHUB_API_URL", NOWHERE)
            .with("BASE_DOMAIN", "gateway.test")
            .with("ALLOWED_GITHUB_USERS", "octocat")
            .with("DATA_DIR", "data")
    }

    /// With an empty environment.
    pub(crate) fn nothing() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            environment: BTreeMap::new(),
        }
    }

    /// With a variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without a variable.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// With a file in the working directory.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.directory.path().join(name), text).unwrap();
        self
    }

    /// With a configuration file.
    pub(crate) fn toml(self, text: &str) -> Self {
        self.file("gateway.toml", text)
            .with("GATEWAY_CONFIG", "gateway.toml")
    }

    /// Runs the executable here.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        end(command(self.directory.path())
            .args(arguments)
            .envs(&self.environment))
        .await
    }

    /// What `check-config` says.
    pub(crate) async fn report(&self, role: &str) -> Value {
        self.run(&["check-config", "--json", "--role", role]).await.json()
    }

    /// The faults that `check-config` finds: setting and problem.
    pub(crate) async fn faults_of(&self, role: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let report = self.report(role).await;
        let faults = report["faults"].as_array().unwrap();
        faults
            .iter()
            .map(|fault| (text(&fault["setting"]), text(&fault["problem"])))
            .collect()
    }

    /// Insists on exactly one fault, and that it names `setting` and says `problem`.
    pub(crate) async fn has_one_fault(&self, setting: &str, problem: &str) {
        self.has_one_fault_as("serve", setting, problem).await;
    }

    /// The same in another role.
    pub(crate) async fn has_one_fault_as(&self, role: &str, setting: &str, problem: &str) {
        let faults = self.faults_of(role).await;
        assert_eq!(faults.len(), 1, "{setting}: {faults:?}");
        assert_eq!(faults[0].0, setting, "{faults:?}");
        assert!(faults[0].1.contains(problem), "{faults:?}");
    }

    /// Insists that there is no fault.
    pub(crate) async fn is_fine(&self, role: &str) {
        assert_eq!(self.faults_of(role).await, Vec::new());
    }

    /// The value in effect, and where it comes from.
    pub(crate) async fn effective(&self, name: &str) -> (String, String) {
        let report = self.report("serve").await;
        let settings = report["settings"].as_array().unwrap();
        assert_eq!(report["faults"], serde_json::json!([]));
        let setting = settings.iter().find(|setting| setting["name"] == name);
        let setting = setting.unwrap_or_else(|| panic!("{name} in {report}"));
        let text = |member: &str| setting[member].as_str().unwrap().to_owned();
        (text("value"), text("origin"))
    }

    /// The warnings of `check-config`, one a line.
    pub(crate) async fn warnings_of(&self, role: &str) -> String {
        let report = self.report(role).await;
        let warnings = report["warnings"].as_array().unwrap();
        let texts: Vec<_> = warnings.iter().map(|warning| warning.as_str().unwrap()).collect();
        texts.join("\n")
    }
}

/// An operator's command in the directory of a stage, for the store that `serve` has there.
pub(crate) async fn operator(stage: &Stage, port: u16, arguments: &[&str]) -> Ended {
    end(command(stage.directory.path())
        .args(arguments)
        .envs(stage.operator(port)))
    .await
}
