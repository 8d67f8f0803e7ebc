//! `mcp-oauth`, as it is built, against this gateway and against a server that nobody here wrote.

use std::process::Stdio;

use reqwest::StatusCode;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use url::Url;

use crate::support::{
    browser::{clients, drive},
    home::{CHROMIUM, Home},
    mcp::status,
    process::{Process, free_port},
    world::{Layout, World},
};

#[tokio::test]
async fn a_person_logs_in_with_chromium_calls_a_tool_behind_traefik_and_logs_out() {
    let world = World::start(Layout::Serve).await;
    let mut home = Home::of(&world);
    home.browser = Some(CHROMIUM.to_owned());
    let url = world.mcp_url();
    let granted = home.json(&["login", &url]).await;
    assert_eq!(
        (granted["server"].as_str(), granted["issuer"].as_str()),
        (Some(&*url), Some(&*world.issuer()))
    );

    let tools = home.run(&["tools", &url]).await;
    assert!(
        tools.contains("whoami") && tools.contains("--arg message=TEXT"),
        "{tools}"
    );
    assert_eq!(
        home.run(&["call", &url, "echo", "--arg", "message=hello"]).await,
        "hello"
    );
    let who = home.json(&["call", &url, "whoami"]).await;
    assert_eq!(who["structuredContent"]["login"], "octocat", "{who}");
    assert_eq!(who["structuredContent"]["client_id"], granted["client_id"]);
    let token = home.run(&["token", &url]).await;
    assert_ne!(
        status(&world.http(), &url, Some(&token)).await,
        StatusCode::UNAUTHORIZED
    );
    assert!(home.run(&["list"]).await.contains(&url));

    let ended = home.json(&["logout", &url]).await;
    assert_eq!(
        (&ended[0]["revoked"], &ended[0]["unregistered"]),
        (&true.into(), &true.into()),
        "{ended}"
    );
    world.heard().await;
    assert_eq!(
        status(&world.http(), &url, Some(&token)).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(home.try_run(&["token", &url]).await.0, 3);
    assert!(!world.logs().contains(&token), "a secret is in a log");
}

#[tokio::test]
async fn chromium_ends_at_a_page_that_says_whether_the_person_is_logged_in() {
    let world = World::start(Layout::Serve).await;
    let home = Home::of(&world);
    let url = world.mcp_url();
    for (decision, words, code) in [
        ("deny", "You are not logged in", 1),
        ("allow", "You are logged in", 0),
    ] {
        let mut command = home.command(&["login", &url, "--no-browser"]);
        let mut child = command
            .stderr(Stdio::piped())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        let address = loop {
            let before = told.len();
            assert_ne!(
                reader.read_line(&mut told).await.unwrap(),
                0,
                "no address in {told}"
            );
            if let Ok(address) = Url::parse(told[before..].trim()) {
                break address;
            }
        };
        let walked = drive(
            Some(&world),
            "browser.mjs",
            &[address.as_str(), "octocat", decision],
        )
        .await;
        let text = walked["text"].as_str().unwrap();
        assert!(text.contains(words), "{walked}");
        reader.read_to_string(&mut told).await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(code), "{told}");
    }
}

#[tokio::test]
async fn the_example_server_of_the_typescript_sdk_is_logged_in_to_and_called() {
    let home = Home {
        directory: tempfile::tempdir().unwrap(),
        options: Vec::new(),
        // its login needs nobody to press anything
        browser: Some("curl --silent --location --output /dev/null %s".to_owned()),
    };
    let (port, auth_port) = (free_port().to_string(), free_port().to_string());
    let mut node = std::process::Command::new("node");
    node.arg("node_modules/@modelcontextprotocol/sdk/dist/esm/examples/server/simpleStreamableHttp.js")
        .args(["--oauth", "--oauth-strict"])
        .current_dir(clients())
        .env("MCP_PORT", &port)
        .env("MCP_AUTH_PORT", &auth_port);
    let ready = format!("http://localhost:{port}/.well-known/oauth-protected-resource/mcp");
    let server = Process::start(&mut node, home.directory.path(), "example")
        .ready(&ready)
        .await;
    let url = format!("http://localhost:{port}/mcp");
    assert_eq!(home.try_run(&["call", &url, "greet"]).await.0, 3);
    home.run(&["login", &url]).await;
    assert!(
        home.run(&["tools", &url]).await.contains("greet"),
        "{}",
        server.output()
    );
    let greeted = home.run(&["call", &url, "greet", "--arg", "name=Ada"]).await;
    assert_eq!(greeted, "Hello, Ada!", "{}", server.output());
    let (code, _, told) = home.try_run(&["logout", &url]).await;
    assert!(code == 0 && told.contains("The server was not told"), "{told}");
    assert_eq!(home.try_run(&["token", &url]).await.0, 3);
}
