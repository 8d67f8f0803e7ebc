//! The table of variables, `--help` and the documentation say the same, and the documented samples work.

use std::{collections::BTreeSet, fs, path::Path};

use crate::support::run::{Asked, run};

/// The variables that were promised, each with the default that was.
const PROMISED: &[(&str, &str)] = &[
    ("GITHUB_CLIENT_ID", ""),
    ("GITHUB_CLIENT_SECRET", ""),
    ("GITHUB_WEB_URL", "https://github.com"),
    ("GITHUB_API_URL", "https://api.github.com"),
    ("BASE_DOMAIN", ""),
    ("MCP_OAUTH_ISSUER", "from BASE_DOMAIN, else loopback"),
    ("REDIS_URL", ""),
    ("REDIS_PASSWORD", ""),
    ("DATA_DIR", ""),
    ("JWT_ALGORITHM", "RS256"),
    ("JWT_PRIVATE_KEY_B64", ""),
    ("JWT_SECRET", ""),
    ("MCP_OAUTH_SECRET_KEY", ""),
    ("STORE_ENCRYPTION_KEY", ""),
    ("ACCESS_TOKEN_LIFETIME", "1800"),
    ("REFRESH_TOKEN_LIFETIME", "31536000"),
    ("SESSION_TIMEOUT", "300"),
    ("CLIENT_LIFETIME", "7776000"),
    ("MCP_OAUTH_ACCESS_TOKEN_EXPIRE_MINUTES", ""),
    ("MCP_OAUTH_AUTHORIZATION_CODE_EXPIRE_MINUTES", "60 s"),
    ("ALLOWED_GITHUB_USERS", "nobody"),
    ("DEFAULT_RESOURCE", ""),
    ("X_AUTH_TOKEN", "off"),
    ("MCP_CORS_ORIGINS", "*"),
    ("TRUSTED_PROXIES", "loopback and private ranges"),
    ("MCP_OAUTH_ENABLED", "true"),
    ("MCP_API_KEY", ""),
    ("MCP_HTTPS_ENABLED", "false"),
    ("MCP_SSL_CERT_FILE", ""),
    ("MCP_SSL_KEY_FILE", ""),
    ("MCP_PROTOCOL_VERSION", ""),
    ("HOST", "127.0.0.1"),
    ("PORT", "8000"),
    ("LOG_LEVEL", "info"),
    ("LOG_FILE", ""),
    ("ACME_EMAIL", ""),
];

/// The variables that `--help` lists, each with its default.
async fn helped(subcommand: &str) -> Vec<(String, String)> {
    let ended = run(&[subcommand, "--help"]).await;
    assert_eq!(ended.code, 0);
    let (_, table) = ended.stdout.split_once("Environment variables").unwrap();
    // long lines are wrapped: an entry begins with a name in capitals
    let mut entries: Vec<(String, String)> = Vec::new();
    for line in table.lines().skip(1) {
        let first = line.split_whitespace().next().unwrap_or_default();
        let is_name = line.starts_with("  ")
            && first.len() > 3
            && first
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if is_name && line.find(first) == Some(2) {
            entries.push((first.to_owned(), String::new()));
        }
        if let Some((_, text)) = entries.last_mut() {
            text.push_str(line.trim());
            text.push(' ');
        }
    }
    entries
        .into_iter()
        .map(|(name, text)| {
            let default = text
                .split_once("[default: ")
                .map_or("", |(_, rest)| rest.split(']').next().unwrap());
            (name, default.to_owned())
        })
        .collect()
}

fn documentation() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn help_lists_every_variable_that_was_promised_with_its_default() {
    for subcommand in ["serve", "auth-server", "verifier", "check-config"] {
        let helped = helped(subcommand).await;
        for (name, default) in PROMISED {
            let entry = helped.iter().find(|(known, _)| known == name);
            let entry = entry.unwrap_or_else(|| panic!("{name} in {subcommand} --help"));
            assert_eq!(entry.1, *default, "{name} in {subcommand} --help");
        }
    }
}

#[tokio::test]
async fn the_documentation_lists_what_help_lists_with_the_same_defaults() {
    let text = documentation();
    let rows: Vec<(String, String)> = text
        .lines()
        .filter(|line| line.starts_with("| `") && line.contains("` | "))
        .filter_map(|line| {
            let cells: Vec<_> = line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
            let default = if cells[2] == "-" { "" } else { &cells[2] };
            let is_name = cells[1]
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit());
            is_name.then(|| (cells[1].clone(), default.to_owned()))
        })
        .collect();
    let of_dev = helped("dev").await;
    assert!(of_dev.iter().any(|(name, _)| name == "DEMO_MODE"));
    let helped: BTreeSet<_> = helped("serve").await.into_iter().chain(of_dev).collect();
    assert_eq!(rows.iter().cloned().collect::<BTreeSet<_>>(), helped);
    assert_eq!(rows.len(), helped.len(), "no variable is documented twice");
}

#[tokio::test]
async fn the_samples_of_the_documentation_have_no_faults() {
    let text = documentation();
    let samples: Vec<_> = text
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(samples.len() >= 2);
    for sample in samples {
        let asked = Asked::small()
            .without("BASE_DOMAIN")
            .without("ALLOWED_GITHUB_USERS")
            .with("MCP_OAUTH_ISSUER", "https://auth.example.com")
            .with("DEFAULT_RESOURCE", "https://echo.example.com/mcp")
            .toml(sample);
        assert_eq!(asked.faults_of("serve").await, Vec::new(), "{sample}");
    }
    // every key that the tables name is accepted
    let asked = Asked::small().file("secret", &"s".repeat(32)).toml(
        "[limits]
register = { count = 20, seconds = 3600, burst = 5 }
manage = { count = 60, seconds = 60, burst = 20 }
authorize = { count = 60, seconds = 60, burst = 30 }
callback = { count = 60, seconds = 60, burst = 30 }
token = { count = 300, seconds = 60, burst = 100 }
client_failures = { count = 10, seconds = 60, burst = 10 }
introspect = { count = 600, seconds = 60, burst = 200 }
revoke = { count = 120, seconds = 60, burst = 60 }
[[resource]]
uri = \"https://echo.gateway.test/mcp\"
name = \"Echo\"
introspection_secret_file = \"secret\"
",
    );
    asked.is_fine("serve").await;
}
