//! `MCP_API_KEY`: one configured key, for what is configured with it.

use mcp_gateway_store::testing::{RedisServer, RedisSetup};
use reqwest::StatusCode;

use crate::support::{
    run::Asked,
    server::{Server, free_port},
    stage::{RESOURCE, Stage, verifier_settings, verify},
};

const KEY: &str = "9f86d081884c7d659a2feaa0c55ad015";
const ECHO: &str = "https://echo.gateway.test/mcp";

/// The settings that belong to the key.
fn settings<'a>() -> [(&'a str, &'a str); 3] {
    [
        ("MCP_API_KEY", KEY),
        ("MCP_API_KEY_RESOURCES", RESOURCE),
        ("MCP_API_KEY_SCOPES", "read"),
    ]
}

fn configured() -> Asked {
    Asked::small()
        .with("MCP_API_KEY", KEY)
        .with("MCP_API_KEY_RESOURCES", ECHO)
        .with("MCP_API_KEY_SCOPES", "read")
}

#[tokio::test]
async fn the_key_opens_what_is_configured_and_is_in_no_log() {
    let stage = Stage::new();
    let server = stage
        .serve(&[&settings()[..], &[("LOG_LEVEL", "trace")]].concat())
        .await;
    let verified = verify(&server, KEY).await;
    assert_eq!(verified.status(), StatusCode::OK);
    for name in ["x-user-id", "x-user-name", "x-auth-client"] {
        assert_eq!(verified.headers()[name], "api-key", "{name}");
    }
    assert_eq!(verified.headers()["x-auth-scope"], "read");
    for wrong in [&KEY[..31], "9f86d081884c7d659a2feaa0c55ad016"] {
        assert_eq!(verify(&server, wrong).await.status(), StatusCode::UNAUTHORIZED);
    }
    assert!(!server.log().contains(KEY) && !server.log().contains(&KEY[..31]));
}

#[tokio::test]
async fn a_verifier_on_its_own_takes_the_key_with_oauth_off_too() {
    let redis = RedisServer::with(RedisSetup::default());
    let (url, port, directory) = (redis.url(), free_port(), tempfile::tempdir().unwrap());
    for oauth in ["true", "false"] {
        let more = [("REDIS_URL", url.as_str()), ("MCP_OAUTH_ENABLED", oauth)];
        let own = verifier_settings(port, &[&settings()[..], &more].concat());
        let verifier = Server::start(directory.path(), "verifier", free_port(), &own).await;
        assert_eq!(verify(&verifier, KEY).await.status(), StatusCode::OK, "{oauth}");
        verifier.stop().await;
    }
}

#[tokio::test]
async fn a_key_that_is_weak_or_opens_nothing_in_particular_is_a_fault() {
    for role in ["serve", "verifier", "auth-server"] {
        let place = if role == "serve" {
            configured()
        } else {
            let secret = "0123456789abcdef0123456789abcdef";
            configured()
                .without("DATA_DIR")
                .with("REDIS_URL", "redis://127.0.0.1:9")
                .with("STORE_ENCRYPTION_KEY", secret)
        };
        place.is_fine(role).await;
        let short = place.with("MCP_API_KEY", &KEY[1..]);
        short.has_one_fault_as(role, "MCP_API_KEY", "32 characters").await;
    }
    let long = "k".repeat(4097);
    for (name, value, problem) in [
        (
            "MCP_API_KEY",
            "a key with spaces, which no header can carry",
            "bearer token",
        ),
        ("MCP_API_KEY", "=9f86d081884c7d659a2feaa0c55ad015", "bearer token"),
        ("MCP_API_KEY", &long, "at most 4096"),
        ("MCP_API_KEY_RESOURCES", "", "is not set"),
        ("MCP_API_KEY_RESOURCES", "https://*.gateway.test", "is a pattern"),
        (
            "MCP_API_KEY_RESOURCES",
            "https://elsewhere.test/mcp",
            "not a server",
        ),
        ("MCP_API_KEY_RESOURCES", "echo", "echo: resource"),
        ("MCP_API_KEY_SCOPES", "", "is not set"),
        ("MCP_API_KEY_SCOPES", "re\"ad", "quotes"),
    ] {
        configured().with(name, value).has_one_fault(name, problem).await;
    }
    configured()
        .with("MCP_API_KEY_SCOPES", "read,launch")
        .has_one_fault("MCP_API_KEY_RESOURCES", "does not have the scopes launch")
        .await;
}

#[tokio::test]
async fn the_table_of_the_file_says_the_same_as_the_variables() {
    let file = |table: &str| {
        Asked::small()
            .file("key", &format!("{KEY}\n"))
            .with("MCP_API_KEY_FILE", "key")
            .toml(table)
    };
    let asked = file(
        "[api_key]\nresources = [\"https://echo.gateway.test/mcp\", \"https://notes.gateway.test\"]\nscopes = [\"read\", \"write\"]\n",
    );
    asked.is_fine("serve").await;
    assert_eq!(
        asked.effective("MCP_API_KEY").await,
        ("(set)".to_owned(), "environment".to_owned())
    );
    assert_eq!(asked.effective("MCP_API_KEY_SCOPES").await.0, "read,write");
    let report = asked.report("serve").await.to_string();
    assert!(!report.contains(KEY), "{report}");
    file("[api_key]\nresources = [\"https://echo.gateway.test/mcp\"]\nscopes = \"read\"\nkey = \"x\"\n")
        .has_one_fault("api_key: key", "MCP_API_KEY")
        .await;
    file("mcp_api_key_scopes = \"read\"\n[api_key]\nresources = [\"https://echo.gateway.test/mcp\"]\nscopes = \"write\"\n")
        .has_one_fault("api_key: scopes", "both set")
        .await;
}

#[tokio::test]
async fn what_belongs_to_a_key_that_is_not_there_is_warned_of() {
    let asked = Asked::small().with("MCP_API_KEY_SCOPES", "read");
    asked.is_fine("serve").await;
    let warnings = asked.warnings_of("serve").await;
    assert!(
        warnings.contains("MCP_API_KEY_SCOPES has no effect"),
        "{warnings}"
    );
}
