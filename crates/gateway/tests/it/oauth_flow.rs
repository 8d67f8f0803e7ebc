//! `scripts/oauth-flow`, against a gateway that works.

mod broken;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use reqwest::StatusCode;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::support::{
    agent::Agent,
    run::{Ended, command, end},
    server::{Server, client, eventually, free_port},
    stage::{Stage, issuer},
};

/// All steps, in their order.
const STEPS: [&str; 12] = [
    "challenge",
    "resource",
    "discovery",
    "aliases",
    "register",
    "authorize",
    "token",
    "call",
    "client",
    "refresh",
    "revoke",
    "unregister",
];

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/oauth-flow")
}

/// The script, with nothing of this test's environment but what finds Python.
fn flow(arguments: &[&str]) -> Command {
    let mut command = Command::new(script());
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn run(arguments: &[&str]) -> Ended {
    end(&mut flow(arguments)).await
}

async fn dev(directory: &Path) -> Server {
    let port = free_port();
    let mut command = command(directory);
    command
        .args(["dev", "--port", &port.to_string()])
        .env("SHUTDOWN_DELAY", "0");
    Server::spawn(command, directory, port).ready().await
}

/// How often the audit names this event.
fn events(server: &Server, event: &str) -> usize {
    let lines = server.lines().into_iter();
    lines.filter(|line| line["event"] == event).count()
}

/// Whatever was made is gone again.
fn nothing_is_left(server: &Server) {
    assert_eq!(
        events(server, "client_registered"),
        events(server, "client_removed"),
        "{}",
        server.log()
    );
}

/// Nothing that opens anything.
fn tells_no_secret(ended: &Ended) {
    for text in [&ended.stdout, &ended.stderr] {
        for beginning in ["mcp_rt_", "mcp_rat_", "mcp_cs_", "mcp_ac_", "eyJ"] {
            assert!(!text.contains(beginning), "{text}");
        }
    }
}

#[tokio::test]
async fn every_step_goes_well_against_dev_and_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path()).await;
    let url = format!("{}/mcp", issuer(server.port));
    let ended = run(&["--auto", &url]).await;
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
    let steps: Vec<_> = ended
        .stdout
        .lines()
        .map(|line| line.strip_prefix("ok     ").unwrap_or_else(|| panic!("{line}")))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(steps, STEPS);
    assert_eq!(ended.stderr, "");
    assert!(!ended.stdout.contains('\u{1b}'), "no colours without a terminal");
    tells_no_secret(&ended);
    nothing_is_left(&server);
    for event in ["client_registered", "token_issued", "token_refreshed", "revoked"] {
        assert_eq!(events(&server, event), 1, "{event}");
    }
    // its host alone, as the memory service's own script was given it
    let url = issuer(server.port);
    let ended = run(&["--auto", "--json", "--user", "hubot", "--scope", "read", &url]).await;
    let report = ended.json();
    assert_eq!((ended.code, &report["ok"]), (0, &true.into()), "{report}");
    assert_eq!(report["failed"], Value::Null);
    let steps: Vec<_> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["step"])
        .collect();
    assert_eq!(steps, STEPS);
    tells_no_secret(&ended);
    nothing_is_left(&server);
    let lines = server.lines();
    let logins: Vec<_> = lines.iter().filter(|line| line["event"] == "logged_in").collect();
    assert_eq!(
        (&logins[0]["login"], &logins[1]["login"]),
        (&"octocat".into(), &"hubot".into())
    );
    server.stop().await;
}

#[tokio::test]
async fn every_step_goes_well_where_the_server_protects_itself_and_only_its_tools_ask_for_a_token() {
    let directory = tempfile::tempdir().unwrap();
    let (port, own) = (free_port(), free_port().to_string());
    let mut command = command(directory.path());
    command
        .arg("dev")
        .env("SHUTDOWN_DELAY", "0")
        .env("OAUTH_SERVER_PORT", port.to_string())
        .env("MCP_SERVER_PORT", &own);
    let server = Server::spawn(command, directory.path(), port).ready().await;
    let url = format!("http://127.0.0.1:{own}");
    for (more, path, said) in [
        (&[][..], "/mcp", "get_data answers"),
        (&[], "/mcp/v1", "get_data answers"),
        (&["--get"], "/api/data", "GET answered 200"),
    ] {
        let url = format!("{url}{path}");
        let ended = run(&[&["--auto", &url], more].concat()).await;
        assert_eq!(ended.code, 0, "{url}: {}\n{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains(said), "{}", ended.stdout);
        tells_no_secret(&ended);
        nothing_is_left(&server);
    }
    assert_eq!(events(&server, "client_registered"), 3);
    server.stop().await;
}

/// The script that waits for somebody, and the address that it asks them to open.
async fn waiting(url: &str) -> (tokio::process::Child, String) {
    let mut waiting = flow(&[url]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(waiting.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(address) = line.trim().strip_prefix("http://localhost") {
            // the rest is read on, so that the script can write it
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (waiting, format!("http://localhost{address}"));
        }
    }
    panic!("it ended without an address");
}

#[tokio::test]
async fn without_auto_somebody_opens_the_address_and_the_code_comes_over_loopback() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path()).await;
    let origin = issuer(server.port);
    let (mut script, address) = waiting(&format!("{origin}/mcp")).await;
    let mut person = Agent::register(&origin).await;
    let back = person.answer_pages(&address).await;
    assert!(back.starts_with("http://127.0.0.1:"), "{back}");
    // a page on the web that guesses the port guesses no state
    let (place, _) = back.split_once('?').unwrap();
    for guess in [place.to_owned(), format!("{place}?code=x&state=y")] {
        let answer = client().get(guess).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
    let answer = client().get(&back).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.text().await.unwrap().contains("close this window"));
    assert!(script.wait().await.unwrap().success());
    assert_eq!(events(&server, "client_removed"), 1);
    server.stop().await;
}

#[tokio::test]
async fn who_interrupts_it_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path()).await;
    for signal in ["-INT", "-TERM"] {
        let (mut script, _) = waiting(&format!("{}/mcp", issuer(server.port))).await;
        let id = script.id().unwrap().to_string();
        assert!(
            std::process::Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(script.wait().await.unwrap().code(), Some(130), "{signal}");
        nothing_is_left(&server);
    }
    assert_eq!(events(&server, "client_removed"), 2);
    server.stop().await;
}

#[tokio::test]
async fn who_stops_reading_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path()).await;
    let mut script = flow(&["--auto", &format!("{}/mcp", issuer(server.port))]);
    let mut script = script
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
    assert!(
        lines
            .next_line()
            .await
            .unwrap()
            .unwrap()
            .starts_with("ok     challenge")
    );
    drop(lines);
    let output = script.wait_with_output().await.unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
    assert_eq!(events(&server, "client_removed"), 1);
    server.stop().await;
}

#[tokio::test]
async fn wrong_usage_and_help_have_their_exit_codes() {
    for wrong in [
        &[][..],
        &["ftp://localhost/mcp"],
        &["localhost:8000/mcp"],
        &["http://localhost:8000/mcp#x"],
        &["--auto", "https://echo.example.com/mcp"],
        &["--auto", "http://127.0.0.1.example.com/mcp"],
        &["--ca-file", "missing.pem", "http://localhost:8000/mcp"],
        &[
            "--initial-access-token-file",
            "/dev/null",
            "http://localhost:8000/mcp",
        ],
        &["--unheard-of", "http://localhost:8000/mcp"],
    ] {
        let ended = run(wrong).await;
        assert_eq!(ended.code, 2, "{wrong:?}: {}", ended.stdout);
        assert!(ended.stderr.contains("usage: oauth-flow"), "{}", ended.stderr);
    }
    let help = run(&["--help"]).await;
    assert_eq!(help.code, 0);
    for part in ["examples:", "exit codes:", "NO_COLOR", "--json", "--auto"] {
        assert!(help.stdout.contains(part), "{part}: {}", help.stdout);
    }
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_the_first_step_that_fails() {
    let url = format!("http://127.0.0.1:{}/mcp", free_port());
    let ended = run(&["--auto", &url]).await;
    assert_eq!(ended.code, 1);
    assert!(
        ended.stdout.starts_with("FAILED challenge") && ended.stdout.contains("is the gateway running?"),
        "{}",
        ended.stdout
    );
    let unencrypted = run(&["http://192.0.2.1/mcp"]).await;
    assert_eq!(unencrypted.code, 1);
    assert!(
        unencrypted.stdout.contains("is not https"),
        "{}",
        unencrypted.stdout
    );
}

#[tokio::test]
async fn a_terminal_sees_colours_unless_it_says_that_it_wants_none() {
    let url = format!("http://127.0.0.1:{}/mcp", free_port());
    let on_a_terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    for (no_color, colours) in [(None, true), (Some("1"), false), (Some(""), true)] {
        let mut command = Command::new("python3");
        command.args(["-c", on_a_terminal]).arg(script()).arg(&url);
        command.envs(no_color.map(|value| ("NO_COLOR", value)));
        if no_color.is_none() {
            command.env_remove("NO_COLOR");
        }
        let ended = end(command.stdin(Stdio::null())).await;
        assert_eq!(ended.code, 1, "{}", ended.stderr);
        assert_eq!(
            ended.stdout.contains("\u{1b}[31mFAILED"),
            colours,
            "{}",
            ended.stdout
        );
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_named_with_the_way_out() {
    let stage = Stage::new();
    let (directory, port) = (stage.directory.path(), free_port());
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    std::fs::write(directory.join("cert.pem"), certificate).unwrap();
    std::fs::write(directory.join("key.pem"), key.serialize_pem()).unwrap();
    let mut serve = command(directory);
    serve
        .args(["serve", "--port", &port.to_string()])
        .envs(stage.operator(port))
        .envs([
            ("MCP_HTTPS_ENABLED", "true"),
            ("MCP_SSL_CERT_FILE", "cert.pem"),
            ("MCP_SSL_KEY_FILE", "key.pem"),
        ])
        .env("MCP_OAUTH_ISSUER", format!("https://localhost:{port}"));
    let server = Server::spawn(serve, directory, port);
    let url = format!("https://localhost:{port}/mcp");
    eventually("https", async || client().get(&url).send().await.ok()).await;
    let distrusted = run(&[&url]).await.stdout;
    assert!(
        distrusted.contains("CERTIFICATE_VERIFY_FAILED") && distrusted.contains("--ca-file"),
        "{distrusted}"
    );
    let file = directory.join("cert.pem");
    let trusting = async |url: &str| run(&["--ca-file", file.to_str().unwrap(), url]).await.stdout;
    // it is the gateway itself, with nothing protected in front of it
    let trusted = trusting(&url).await;
    assert!(
        trusted.starts_with("FAILED challenge")
            && trusted.contains("answered 404 without a token")
            && trusted.contains("is the gateway's middleware on its router"),
        "{trusted}"
    );
    let gateway = trusting(url.strip_suffix("/mcp").unwrap()).await;
    assert!(
        gateway.starts_with("FAILED challenge")
            && gateway.contains("this is the gateway itself; give the address"),
        "{gateway}"
    );
    server.stop().await;
}
