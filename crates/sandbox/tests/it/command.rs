//! The program `mcp-gateway-sample`.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use crate::github::client;

struct Program(Child);

impl Program {
    /// Starts the program and reads the line that says where it listens.
    fn start(arguments: &[&str]) -> (Self, String) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mcp-gateway-sample"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (_, url) = line.trim().split_once(" at ").unwrap();
        (Self(child), url.to_owned())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[tokio::test]
async fn mcp_serves_the_sample_server_anywhere() {
    let (_program, url) = Program::start(&["mcp", "--host", "0.0.0.0", "--port", "0"]);
    let url = url.replace("0.0.0.0", "127.0.0.1").replace("/mcp", "/health");
    assert_eq!(client().get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn mcp_keeps_data_where_it_is_told_until_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = [
        "mcp",
        "--port",
        "0",
        "--data-dir",
        directory.path().to_str().unwrap(),
    ];
    let data = |url: &str| url.replace("/mcp", "/api/data");
    let named = |request: reqwest::RequestBuilder| {
        request
            .header("X-User-Id", "583231")
            .header("X-Auth-Scope", "write")
    };
    let (program, url) = Program::start(&arguments);
    let made = named(client().post(data(&url))).json(&json!({ "name": "a", "value": 1 }));
    assert_eq!(made.send().await.unwrap().status(), 201);
    let second = Command::new(env!("CARGO_BIN_EXE_mcp-gateway-sample"))
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("in use by another process"), "{said}");
    // killed, not stopped
    drop(program);
    let (_program, url) = Program::start(&arguments);
    let listed = named(client().get(data(&url))).send().await.unwrap();
    let listed: Value = listed.json().await.unwrap();
    assert_eq!(listed["items"][0]["name"], "a");
}

#[test]
fn the_help_shows_examples() {
    for (arguments, example) in [
        (&["--help"][..], "mcp-gateway-sample github --auto-choose octocat"),
        (&["mcp", "--help"], "mcp-gateway-sample mcp --data-dir ./data"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_mcp-gateway-sample"))
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && said.contains(example), "{said}");
    }
}

#[tokio::test]
async fn github_serves_the_stand_in_with_the_app_it_was_given() {
    let (_program, url) = Program::start(&[
        "github",
        "--host",
        "0.0.0.0",
        "--port",
        "0",
        "--unsafe-allow-any-address",
        "--client-id",
        "app",
        "--client-secret",
        "s3cret",
        "--public-url",
        "http://github.test",
        "--auto-choose",
        "hubot",
    ]);
    let url = url.replace("0.0.0.0", "127.0.0.1");
    let query = [
        ("client_id", "app"),
        ("redirect_uri", "https://auth.example.com/callback"),
    ];
    let answer = client()
        .get(format!("{url}/login/oauth/authorize"))
        .query(&query)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 302);
}

#[test]
fn github_refuses_an_address_that_is_not_loopback_and_says_why() {
    let output = Command::new(env!("CARGO_BIN_EXE_mcp-gateway-sample"))
        .args(["github", "--host", "0.0.0.0", "--port", "0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("0.0.0.0:0 is not a loopback address"), "{said}");
}
