//! A server that nobody here wrote, `@modelcontextprotocol/server-everything`, behind the gateway and Traefik: sessions, streams
//! and requests that go from the server to the client.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    browser::drive,
    flow::Flow,
    mcp::status,
    person::OCTOCAT,
    process::{Process, free_port},
    traefik::{Beside, DOMAIN, deploy},
    world::{Ground, Layout, World},
};

/// What starts something needs `write`.
const RULES: &str = "scopes = [\"read\", \"write\"]
default_scopes = [\"read\"]
rule = [{ tools = [\"trigger-*\", \"toggle-*\", \"gzip-*\"], scopes = [\"write\"] }]";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers")
}

/// The server on a free port of this machine.
async fn everything(home: &Path) -> (Process, String) {
    let program = directory().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    assert!(
        program.exists(),
        "server-everything is not installed: run scripts/setup, or npm ci in crates/gateway/tests/servers"
    );
    let port = free_port();
    let mut command = Command::new("node");
    command
        .arg("--require")
        .arg(directory().join("here.cjs"))
        .arg(program)
        .arg("streamableHttp")
        .env("PORT", port.to_string());
    let url = format!("http://127.0.0.1:{port}");
    let process = Process::start(&mut command, home, "everything");
    // without a session there is nothing to stream
    let process = process.answering(&format!("{url}/mcp"), 400).await;
    (process, url)
}

/// The shipped sample's route, which is the pattern for others, with a body for the rules to read.
fn routes() -> String {
    let sample = fs::read_to_string(deploy().join("traefik/dynamic/echo.yml")).unwrap();
    let text = sample.replace("echo", "everything").replace("ECHO", "EVERYTHING");
    text.replace("[mcp-auth]", "[mcp-auth-body]")
}

fn mcp_url(https: u16) -> String {
    format!("https://everything.{DOMAIN}:{https}/mcp")
}

#[tokio::test]
async fn the_everything_server_streams_asks_and_tells_through_the_gateway() {
    let home = tempfile::tempdir().unwrap();
    let (server, url) = everything(home.path()).await;
    let beside = Beside {
        exercises: false,
        routes: Some(("everything.yml", routes())),
        environment: vec![("EVERYTHING_URL", url)],
    };
    let file = |ground: &Ground| {
        let uri = mcp_url(ground.ports.https);
        format!("[[resource]]\nuri = \"{uri}\"\n{RULES}\n")
    };
    let world = World::beside(Layout::Apart(1), &beside, file).await;
    let url = mcp_url(world.ports.https);
    assert_eq!(status(&world.http(), &url, None).await, StatusCode::UNAUTHORIZED);

    let mut flow = Flow::register(world.http(), &world.issuer()).await;
    let reader = flow.token_for(&url, "read", OCTOCAT).await;
    let writer = flow.token_for(&url, "write", OCTOCAT).await;
    let seen = drive(Some(&world), "everything.mjs", &[&url, &reader, &writer]).await;
    let told = server.output();
    let tools = seen["tools"].as_array().unwrap();
    assert!(tools.len() > 10 && tools.contains(&json!("echo")), "{seen}{told}");
    assert_eq!(seen["echoed"][0]["text"], "Echo: hello", "{seen}{told}");
    assert_eq!(seen["refused"], json!([403, "write"]), "{seen}{told}");
    // in the order in which they came
    assert_eq!(
        seen["events"],
        json!(["progress 1 of 3", "progress 2 of 3", "progress 3 of 3", "done"]),
        "{seen}{told}"
    );
    // the server asks the client in the middle of a call
    assert_eq!(
        seen["asked"], "Resource trigger-sampling-request context: who are you?",
        "{seen}"
    );
    assert!(seen["sampled"].to_string().contains("a test"), "{seen}{told}");
    // what belongs to no call comes by the stream that the client keeps open
    assert!(seen["logged"].is_string(), "{seen}{told}");
    assert_eq!(seen["afterwards"], 400, "the session is gone: {seen}{told}");
}
