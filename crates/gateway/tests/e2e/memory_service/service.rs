//! The real service, the gateway in front of it with the shipped files, and who calls it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    process::{Process, free_port},
    traefik::{Beside, DOMAIN, deploy},
    world::{Ground, Layout, World},
};

/// What the service asks for: Traefik says it, and nobody else knows it.
pub(super) const KEY: &str = "the-key-that-traefik-alone-may-know";

pub(super) fn shipped(name: &str) -> String {
    let file = deploy().join("examples/memory-service").join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The real service, with the shipped settings and nothing in its memory.
pub(crate) struct Memory {
    pub(super) process: Process,
    pub(super) url: String,
    _directory: TempDir,
}

impl Memory {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(program());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("MCP_API_KEY", KEY)
            .envs(settings(directory.path()))
            // the container has a network of its own, this test has not
            .env("MCP_HTTP_HOST", "127.0.0.1")
            .env("MCP_HTTP_PORT", port.to_string())
            .current_dir(&directory)
            .args(["server", "--http"]);
        let process = Process::start(&mut command, directory.path(), "memory");
        let process = process.ready(&format!("{url}/api/health")).await;
        Self {
            process,
            url,
            _directory: directory,
        }
    }
}

/// Where `scripts/setup` has put the service.
fn program() -> PathBuf {
    let setup = deploy().join("../scripts/setup");
    let output = Command::new(setup).arg("--memory-service").output().unwrap();
    let program = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    assert!(
        program.exists(),
        "mcp-memory-service is not installed: run scripts/setup"
    );
    program
}

/// The lines of `memory.env`, with a directory of this test in place of the container's.
fn settings(directory: &Path) -> Vec<(String, String)> {
    let data = directory.join("data");
    fs::create_dir(&data).unwrap();
    let lines = shipped("memory.env");
    let lines = lines
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let pairs = lines.map(|line| line.split_once('=').unwrap());
    pairs
        .map(|(name, value)| (name.to_owned(), value.replace("/data", data.to_str().unwrap())))
        .collect()
}

/// The key that programs have from the time before the gateway.
pub(super) const OLD_KEY: &str = "the-key-that-programs-had-before-the-gateway";

/// The gateway in front of it, with what the guide says about the key that programs had.
pub(super) async fn gateway(memory: &Memory) -> World {
    gateway_with(
        memory,
        &[
            ("MCP_API_KEY", OLD_KEY),
            ("MCP_API_KEY_SCOPES", "read write"),
            (
                "MCP_API_KEY_RESOURCES",
                "https://memory.example.com,https://memory.example.com/mcp",
            ),
        ],
    )
    .await
}

/// The gateway in front of it, with the shipped rule file and these settings; example.com stands for the domain of these
/// tests.
pub(crate) async fn gateway_with(memory: &Memory, settings: &[(&str, &str)]) -> World {
    let beside = Beside {
        exercises: false,
        routes: Some(("memory.yml", shipped("memory.yml"))),
        environment: vec![
            ("MEMORY_URL", memory.url.clone()),
            ("MEMORY_API_KEY", KEY.to_owned()),
        ],
    };
    let lines = settings.iter().map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        format!("{name} = \"{value}\"\n")
    });
    let text = lines.chain([shipped("gateway.toml")]).collect::<String>();
    assert!(text.contains("memory.example.com"));
    let placed = |ground: &Ground| text.replace("example.com", &format!("{DOMAIN}:{}", ground.ports.https));
    World::beside(Layout::Apart(1), &beside, placed).await
}

/// Somebody with a token, or nobody, at the REST API.
pub(super) struct Caller<'a> {
    pub(super) http: &'a Client,
    pub(super) url: &'a str,
    pub(super) token: Option<String>,
}

impl Caller<'_> {
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, String, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let challenge = answer.headers().get("www-authenticate");
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (
            status,
            challenge.unwrap_or_default(),
            serde_json::from_str(&text).unwrap_or(Value::Null),
        )
    }

    /// Does what needs no more than the caller has; answers what came back.
    pub(super) async fn may(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let (status, challenge, answer) = self.ask(method.clone(), path, body).await;
        assert_eq!(status, StatusCode::OK, "{method} {path}: {challenge} {answer}");
        answer
    }

    /// Is refused for want of a scope that the challenge names.
    pub(super) async fn lacks(&self, scope: &str, method: Method, path: &str, body: Option<&Value>) {
        let (status, challenge, _) = self.ask(method.clone(), path, body).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {challenge}");
        assert!(
            challenge.contains("error=\"insufficient_scope\"")
                && challenge.contains(&format!("scope=\"{scope}\"")),
            "{method} {path}: {challenge}"
        );
    }
}
