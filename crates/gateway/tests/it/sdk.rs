//! The official TypeScript SDK logs in by itself at the sample server of `dev`, over both transports, wherever it is told to.

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{
    run::command,
    server::{Server, free_port},
};

/// What the client tells of its way over `kind`.
async fn login(kind: &str, url: &str) -> Value {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    assert!(
        clients.join("node_modules").is_dir(),
        "the clients are not installed: run scripts/setup, or npm ci in crates/gateway/tests/clients"
    );
    let mut node = Command::new("node");
    node.arg(clients.join("login.mjs")).args([kind, url]);
    let output = node.kill_on_drop(true).output().await.unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{kind} {url}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Goes there by both transports, at every address. The login begins at the start, or in the middle of a session.
async fn logs_in(origin: &str, at_connect: bool) {
    for (kind, path) in [("sse", "/mcp/v1/sse"), ("sse", "/mcp/v1"), ("http", "/mcp/v1")] {
        let url = format!("{origin}{path}");
        let seen = login(kind, &url).await;
        assert_eq!(seen["login"], "octocat", "{kind} {url}: {seen}");
        assert_eq!(seen["resource"], url.as_str(), "{kind} {url}: {seen}");
        assert_eq!(
            (&seen["atConnect"], &seen["atCall"]),
            (&json!(at_connect), &json!(!at_connect)),
            "{kind} {url}: {seen}"
        );
        // with a token that had ended
        assert_eq!(
            (&seen["again"], &seen["refreshed"]),
            (&json!("octocat"), &json!(true)),
            "{kind} {url}: {seen}"
        );
    }
}

#[tokio::test]
async fn it_logs_in_in_the_middle_of_a_session_where_the_sample_protects_itself() {
    let directory = tempfile::tempdir().unwrap();
    let (port, mcp_port) = (free_port(), free_port());
    let mut command = command(directory.path());
    command
        .args(["dev", "--auto-approve"])
        .env("SHUTDOWN_DELAY", "0")
        .env("OAUTH_SERVER_PORT", port.to_string())
        .env("MCP_SERVER_PORT", mcp_port.to_string());
    let _gateway = Server::spawn(command, directory.path(), port).ready().await;
    logs_in(&format!("http://127.0.0.1:{mcp_port}"), false).await;
}

#[tokio::test]
async fn it_logs_in_at_the_start_where_the_sample_stands_behind_the_gateway() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = command(directory.path());
    command
        .args(["dev", "--auto-approve", "--port", &port.to_string()])
        .env("SHUTDOWN_DELAY", "0");
    let _gateway = Server::spawn(command, directory.path(), port).ready().await;
    logs_in(&format!("http://localhost:{port}"), true).await;
}
