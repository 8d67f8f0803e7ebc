//! `mcp-oauth doctor`, run as a person or a script runs it.

use std::process::{Command, Output};

use serde_json::Value;

use super::stand::{self, challenge, is_first};

/// Runs the built executable, away from the threads that serve.
async fn doctor(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-oauth"));
    command.env_clear().arg("doctor").args(arguments);
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_server_without_a_fault_ends_with_0() {
    let site = stand::start(|_, _| None);
    let output = doctor(&[site.at("/mcp").as_str()]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).contains("No faults, no hints"), "{output:?}");
    assert_eq!(text(&output.stderr), "");
}

#[tokio::test]
async fn a_fault_ends_with_1_and_is_in_the_json_that_scripts_read() {
    let site = stand::start(|_, asked| is_first(asked).then(|| challenge("Bearer")));
    let server = site.at("/mcp");
    let output = doctor(&[server.as_str()]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let shown = text(&output.stdout);
    assert!(shown.contains("fault  no-resource-metadata"), "{shown}");
    // nobody wants colours in a file
    assert!(!shown.contains('\u{1b}'), "{shown}");

    let output = doctor(&[server.as_str(), "--json"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["findings"][0]["id"], "no-resource-metadata");
}

#[tokio::test]
async fn where_nobody_answers_it_ends_with_2() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}/mcp", listener.local_addr().unwrap());
    drop(listener);
    let output = doctor(&[&server]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(text(&output.stderr).contains("cannot be examined"), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    assert_eq!(doctor(&["mcp.example.com"]).await.status.code(), Some(2));
    assert_eq!(doctor(&[]).await.status.code(), Some(2));
}

#[tokio::test]
async fn it_registers_only_when_it_is_told_to() {
    let site = stand::start(|_, _| None);
    let server = site.at("/mcp");
    doctor(&[server.as_str(), "--steps"]).await;
    assert!(!site.lines().contains(&"POST /register".to_owned()));
    let output = doctor(&[server.as_str(), "--steps", "--register"]).await;
    assert!(site.lines().contains(&"POST /register".to_owned()));
    assert!(
        text(&output.stdout).contains("registration, as Cursor"),
        "{output:?}"
    );
}
