//! The demo's settings: what they mean, and which values are refused.

use std::fs;

use reqwest::StatusCode;

use crate::support::{
    run::{Asked, Ended, command, end},
    server::{Server, client, free_port},
};

/// Settings with values that are refused, and the rule that is told.
const BAD: &[(&str, &str, &str)] = &[
    ("OAUTH_SERVER_HOST", "0.0.0.0", "this machine's own address only"),
    ("OAUTH_SERVER_HOST", "192.0.2.1", "because anybody may log in"),
    (
        "OAUTH_SERVER_HOST",
        "example.com",
        "this machine's own address only",
    ),
    ("MCP_SERVER_HOST", "::", "this machine's own address only"),
    ("OAUTH_SERVER_PORT", "http", "must be a port from 0 to 65535"),
    ("OAUTH_SERVER_PORT", "65536", "must be a port from 0 to 65535"),
    ("MCP_SERVER_PORT", "-1", "must be a port from 0 to 65535"),
    ("MCP_SERVER_PORT", "5000", "is the gateway's own port"),
    (
        "OAUTH_ISSUER",
        "https://auth.example.com",
        "must be http and a name of this machine",
    ),
    ("OAUTH_ISSUER", "http://127.0.0.1:5000/oauth", "without a path"),
    (
        "OAUTH_ISSUER",
        "http://127.0.0.1:5002",
        "set OAUTH_SERVER_PORT to the same",
    ),
    (
        "MCP_SERVER_URL",
        "http://sample.example.com:5001",
        "a name of this machine",
    ),
    (
        "MCP_SERVER_URL",
        "http://127.0.0.1:5002",
        "set MCP_SERVER_PORT to the same",
    ),
    ("MCP_SERVER_URL", "nonsense", "must be http"),
    ("DEMO_MODE", "maybe", "must be true or false"),
    (
        "DEMO_AUTHORIZATION_CODE",
        "DEMO_AUTH_CODE_12345",
        "the same for everybody",
    ),
    (
        "DEMO_CLIENT_SECRET",
        "demo_secret",
        "printed in the demo's documents",
    ),
    ("DEMO_CLIENT_SECRET", "short", "must have 32 characters"),
    (
        "SECRET_KEY",
        "dev-secret-key-change-in-production",
        "published in the demo's documents",
    ),
    (
        "SECRET_KEY",
        "your-secret-key-here",
        "published in the demo's documents",
    ),
    ("SECRET_KEY", "short", "must have 32 characters"),
];

async fn refused(arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(directory.path());
    command.arg("dev").args(arguments).envs(settings.iter().copied());
    let Ended { code, stdout, stderr } = end(&mut command).await;
    assert_eq!((code, stdout.as_str()), (64, ""), "{settings:?}: {stderr}");
    stderr
}

#[tokio::test]
async fn a_bad_value_is_named_with_its_setting_and_the_rule() {
    for (name, value, rule) in BAD {
        let said = refused(&[], &[(*name, *value)]).await;
        let line = said.lines().find(|line| line.contains(*rule));
        assert!(
            line.is_some_and(|line| line.contains(name)),
            "{name}={value}: {said}"
        );
    }
    let said = refused(&["--auto-approve"], &[("DEMO_CLIENT_ID", "583231")]).await;
    assert!(said.contains("DEMO_CLIENT_ID"), "{said}");
    let said = refused(
        &["--mcp-port", "0"],
        &[("JWT_ALGORITHM", "HS256"), ("SECRET_KEY", &"s".repeat(32))],
    )
    .await;
    assert!(said.contains("JWT_ALGORITHM"), "{said}");
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let said = refused(
        &[],
        &[
            ("OAUTH_SERVER_HOST", "0.0.0.0"),
            ("MCP_SERVER_PORT", "x"),
            ("SECRET_KEY", "dev-secret-key-change-in-production"),
            ("DEMO_AUTHORIZATION_CODE", "x"),
        ],
    )
    .await;
    for name in [
        "OAUTH_SERVER_HOST",
        "MCP_SERVER_PORT",
        "SECRET_KEY",
        "DEMO_AUTHORIZATION_CODE",
    ] {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(!said.contains("dev-secret-key"), "no secret is shown: {said}");
}

#[tokio::test]
async fn the_file_of_its_guide_works_once_its_secret_is_changed() {
    let (directory, port, mcp_port) = (tempfile::tempdir().unwrap(), free_port(), free_port());
    let env = |secret: &str| {
        format!(
            "# servers\nOAUTH_SERVER_HOST=127.0.0.1\nOAUTH_SERVER_PORT={port}\nMCP_SERVER_HOST=127.0.0.1\nMCP_SERVER_PORT={mcp_port}\n\n\
             # security\nSECRET_KEY={secret}\n\n# demo\nDEMO_MODE=true\n"
        )
    };
    fs::write(directory.path().join(".env"), env("your-secret-key-here")).unwrap();
    let ended = end(command(directory.path()).arg("dev")).await;
    assert_eq!(ended.code, 64);
    assert!(ended.stderr.contains("SECRET_KEY"), "{}", ended.stderr);

    fs::write(directory.path().join(".env"), env(&"s".repeat(32))).unwrap();
    let mut dev = command(directory.path());
    dev.arg("dev").env("SHUTDOWN_DELAY", "0");
    let server = Server::spawn(dev, directory.path(), port).ready().await;
    let said = server.said();
    for part in [
        &format!("http://127.0.0.1:{mcp_port}/mcp"),
        "AUTO-APPROVE IS ON",
        "demo_client",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    server.stop().await;
}

#[tokio::test]
async fn options_win_over_variables() {
    let (directory, port, mcp_port) = (tempfile::tempdir().unwrap(), free_port(), free_port());
    let mut dev = command(directory.path());
    dev.args([
        "dev",
        "--port",
        &port.to_string(),
        "--mcp-port",
        &mcp_port.to_string(),
        "--host",
        "localhost",
    ])
    .env("SHUTDOWN_DELAY", "0")
    .env("OAUTH_SERVER_PORT", "1")
    .env("OAUTH_SERVER_HOST", "127.0.0.1")
    .env("MCP_SERVER_PORT", "2")
    .env("OAUTH_ISSUER", format!("http://localhost:{port}/"))
    .env("MCP_SERVER_URL", format!("http://localhost:{mcp_port}"));
    let server = Server::spawn(dev, directory.path(), port).ready().await;
    let metadata = client()
        .get(server.at("/.well-known/oauth-authorization-server"))
        .send()
        .await
        .unwrap();
    let metadata: serde_json::Value = metadata.json().await.unwrap();
    assert_eq!(metadata["issuer"], format!("http://localhost:{port}"));
    let document = client()
        .get(format!(
            "http://127.0.0.1:{mcp_port}/.well-known/oauth-protected-resource"
        ))
        .send()
        .await
        .unwrap();
    assert_eq!(document.status(), StatusCode::OK);
    let document: serde_json::Value = document.json().await.unwrap();
    assert_eq!(document["resource"], format!("http://localhost:{mcp_port}"));
}

#[tokio::test]
async fn a_port_of_the_sample_that_is_taken_is_named_with_its_option() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = tempfile::tempdir().unwrap();
    let ended = end(command(directory.path()).args(["dev", "--port", "0", "--mcp-port", &port])).await;
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains(&port) && ended.stderr.contains("--mcp-port"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn in_production_they_have_no_effect_and_that_is_said() {
    let asked = Asked::small()
        .with("DEMO_MODE", "true")
        .with("OAUTH_ISSUER", "https://auth.example.com")
        .with("MCP_SERVER_PORT", "5001");
    let said = asked.warnings_of("serve").await;
    assert!(said.contains("DEMO_MODE is a setting of dev only"), "{said}");
    assert!(
        said.contains("MCP_SERVER_PORT is a setting of dev only"),
        "{said}"
    );
}

#[tokio::test]
async fn a_secret_that_everybody_knows_signs_and_seals_nothing_in_production_either() {
    for name in ["JWT_SECRET", "MCP_OAUTH_SECRET_KEY", "STORE_ENCRYPTION_KEY"] {
        let asked = Asked::small().with(name, "dev-secret-key-change-in-production");
        asked
            .has_one_fault(name, "published in the demo's documents")
            .await;
    }
}

#[tokio::test]
async fn a_file_of_another_program_is_passed_over() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let foreign = "SECRET_KEY=django-insecure\nPEM=\"-----BEGIN\nsecond line\n-----END\"\nno variable\n";
    fs::write(directory.path().join(".env"), foreign).unwrap();
    let mut dev = command(directory.path());
    dev.args(["dev", "--port", &port.to_string()])
        .env("SHUTDOWN_DELAY", "0");
    let dev = Server::spawn(dev, directory.path(), port).ready().await;
    dev.stop().await;
}
