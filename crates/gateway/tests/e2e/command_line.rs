//! `mcp-oauth`, as it is built, against this gateway and against a server that nobody here wrote.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use reqwest::StatusCode;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
};
use url::Url;

use crate::support::{
    browser::{clients, drive},
    mcp::status,
    process::{Process, free_port},
    traefik::DOMAIN,
    world::{Layout, World},
};

/// The executable, which `cargo` puts beside the gateway's.
fn executable() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_mcp-oauth-gateway")).with_file_name("mcp-oauth");
    assert!(
        path.exists(),
        "{} is missing: cargo build -p mcp-gateway-client",
        path.display()
    );
    path
}

/// Somebody's home directory.
struct Home {
    directory: TempDir,
    /// What is said in every call.
    options: Vec<String>,
    browser: Option<String>,
}

impl Home {
    /// A home from where the installation can be reached.
    fn of(world: &World) -> Self {
        let mut options = vec![format!("--ca={}", world.traefik.ca.display())];
        options.extend(["auth", "echo"].map(|name| format!("--resolve={name}.{DOMAIN}=127.0.0.1")));
        Self {
            directory: tempfile::tempdir().unwrap(),
            options,
            browser: None,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(executable());
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
    async fn run(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.try_run(arguments).await;
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        out
    }

    async fn try_run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.command(arguments).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let out = self.run(&[arguments, &["--json"]].concat()).await;
        serde_json::from_str(&out).unwrap()
    }
}

/// The command opens Chromium, in which octocat allows what the consent page asks.
const CHROMIUM: &str = "node --require ./loopback.cjs browser.mjs %s octocat allow";

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
