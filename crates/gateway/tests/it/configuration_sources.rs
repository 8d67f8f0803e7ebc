//! Where settings come from, and which one wins.

use crate::support::run::{Asked, SECRET};

fn found(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

#[tokio::test]
async fn the_command_line_beats_the_environment_beats_env_beats_the_file_beats_defaults() {
    let asked = Asked::small();
    assert_eq!(asked.effective("PORT").await, found("8000", "default"));
    let asked = asked.toml("port = 8001\nlog_level = \"warn\"\n");
    assert_eq!(asked.effective("PORT").await, found("8001", "file"));
    let asked = asked.file(".env", "PORT=8002\n");
    assert_eq!(asked.effective("PORT").await, found("8002", ".env"));
    let asked = asked.with("PORT", "8003");
    assert_eq!(asked.effective("PORT").await, found("8003", "environment"));
    assert_eq!(asked.effective("LOG_LEVEL").await, found("warn", "file"));
    let report = asked
        .run(&["check-config", "--json", "--port", "8004", "--host", "::1"])
        .await
        .json();
    let settings = report["settings"].as_array().unwrap();
    for (name, value) in [("PORT", "8004"), ("HOST", "::1")] {
        let setting = settings.iter().find(|setting| setting["name"] == name).unwrap();
        assert_eq!(
            (&setting["value"], &setting["origin"]),
            (&value.into(), &"command line".into())
        );
    }
}

#[tokio::test]
async fn the_predecessors_env_file_is_read_as_it_documents_it() {
    let text = "# GitHub OAuth App credentials
GITHUB_CLIENT_ID=your_github_client_id
GITHUB_CLIENT_SECRET=\"a # secret\"   # keep it
export JWT_SECRET='another secret # of thirty-two bytes'
JWT_ALGORITHM=RS256  # or HS256
BASE_DOMAIN=gateway.test
DATA_DIR = data
ACCESS_TOKEN_LIFETIME=1800      # 30 minutes
CLIENT_LIFETIME=7776000         # 90 days (0 = never expires)
ALLOWED_GITHUB_USERS=user1,user2,user3  # or '*' for any GitHub user
MCP_PROTOCOL_VERSION=2025-06-18
GITHUB_WEB_URL=http://127.0.0.1:9
GITHUB_API_URL=http://127.0.0.1:9
";
    let asked = Asked::nothing().file(".env", text);
    for (name, value) in [
        ("GITHUB_CLIENT_ID", "your_github_client_id"),
        ("GITHUB_CLIENT_SECRET", "(set)"),
        ("JWT_SECRET", "(set)"),
        ("JWT_ALGORITHM", "RS256"),
        ("BASE_DOMAIN", "gateway.test"),
        ("ACCESS_TOKEN_LIFETIME", "1800"),
        ("ALLOWED_GITHUB_USERS", "user1,user2,user3"),
    ] {
        assert_eq!(asked.effective(name).await, found(value, ".env"));
    }
    assert_eq!(
        asked.effective("MCP_OAUTH_ISSUER").await,
        found("https://auth.gateway.test", "derived")
    );
}

#[tokio::test]
async fn env_file_takes_the_place_of_env() {
    let asked = Asked::small()
        .file(".env", "LOG_LEVEL=debug\n")
        .file("production.env", "PORT=8002\n");
    let report = asked
        .run(&["check-config", "--json", "--env-file", "production.env"])
        .await
        .json();
    let setting = |name: &str| {
        let all = report["settings"].as_array().unwrap();
        all.iter().find(|setting| setting["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!(setting("PORT"), "8002");
    assert_eq!(setting("LOG_LEVEL"), "info");
}

#[tokio::test]
async fn a_secret_may_come_as_a_file_without_its_line_break() {
    let asked = Asked::small()
        .without("GITHUB_CLIENT_SECRET")
        .file("github", "the secret\n")
        .with("GITHUB_CLIENT_SECRET_FILE", "github");
    assert_eq!(
        asked.effective("GITHUB_CLIENT_SECRET").await,
        found("(set)", "environment")
    );
    let same = asked.with("GITHUB_CLIENT_SECRET", "the secret");
    same.is_fine("serve").await;
    let other = same.with("GITHUB_CLIENT_SECRET", "another");
    other
        .has_one_fault(
            "GITHUB_CLIENT_SECRET",
            "GITHUB_CLIENT_SECRET_FILE are both set, and differ",
        )
        .await;
    let missing = Asked::small().with("JWT_SECRET_FILE", "missing");
    missing.has_one_fault("JWT_SECRET_FILE", "cannot be read").await;
    let empty = Asked::small()
        .file("empty", "\n")
        .with("JWT_SECRET_FILE", "empty");
    empty.has_one_fault("JWT_SECRET_FILE", "is empty").await;
    let in_toml = Asked::small()
        .without("GITHUB_CLIENT_SECRET")
        .file("github", "the secret")
        .toml("github_client_secret_file = \"github\"\n");
    in_toml.is_fine("serve").await;
}

#[tokio::test]
async fn two_spellings_of_one_setting_may_only_agree() {
    let secret = Asked::small().with("JWT_SECRET", SECRET);
    let agree = secret.with("MCP_OAUTH_SECRET_KEY", SECRET);
    agree.is_fine("serve").await;
    let differ = agree.with("MCP_OAUTH_SECRET_KEY", "another secret of many bytes, 32");
    differ
        .has_one_fault("JWT_SECRET", "MCP_OAUTH_SECRET_KEY are both set, and differ")
        .await;
    let minutes = Asked::small()
        .with("ACCESS_TOKEN_LIFETIME", "1800")
        .with("MCP_OAUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "30");
    minutes.is_fine("serve").await;
    let other = minutes.with("MCP_OAUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "60");
    other
        .has_one_fault("ACCESS_TOKEN_LIFETIME", "both set, and differ")
        .await;
}

#[tokio::test]
async fn an_empty_variable_is_unset_but_an_empty_list_of_users_is_nobody() {
    let toml = "allowed_github_users = \"octocat\"\nport = 8001\n";
    let asked = Asked::small()
        .without("ALLOWED_GITHUB_USERS")
        .toml(toml)
        .with("PORT", "")
        .with("MCP_API_KEY", "");
    assert_eq!(asked.effective("PORT").await, found("8001", "file"));
    assert_eq!(
        asked.effective("ALLOWED_GITHUB_USERS").await,
        found("octocat", "file")
    );
    let nobody = asked.with("ALLOWED_GITHUB_USERS", "");
    assert_eq!(
        nobody.effective("ALLOWED_GITHUB_USERS").await,
        found("", "environment")
    );
    assert!(nobody.warnings_of("serve").await.contains("nobody can log in"));
}

#[tokio::test]
async fn a_list_of_the_file_is_a_list_of_the_variable() {
    let asked = Asked::small()
        .without("ALLOWED_GITHUB_USERS")
        .toml("allowed_github_users = [\"octocat\", 583231]\n");
    assert_eq!(
        asked.effective("ALLOWED_GITHUB_USERS").await,
        found("octocat,583231", "file")
    );
}

#[tokio::test]
async fn digits_stay_text() {
    for asked in [
        Asked::small().with("GITHUB_CLIENT_ID", "007"),
        Asked::small()
            .without("GITHUB_CLIENT_ID")
            .file(".env", "GITHUB_CLIENT_ID=007\n"),
    ] {
        assert_eq!(asked.effective("GITHUB_CLIENT_ID").await.0, "007");
    }
    // read as a number it would have no zeros in front, and be too short
    let key = "00000000000000000000000000000007";
    let asked = Asked::small().with("STORE_ENCRYPTION_KEY", key);
    asked.is_fine("serve").await;
}

#[tokio::test]
async fn a_variable_that_is_nearly_ours_is_warned_about() {
    let asked = Asked::small()
        .with("GITHUB_CLIENT_IDD", "x")
        .with("JWT_SECERT_FILE", "x")
        .with("MCP_OAUTH_COLOUR", "green")
        .with("GITHUB_TOKEN", "x")
        .with("HOSTNAME", "x");
    let warnings = asked.warnings_of("serve").await;
    assert!(warnings.contains("GITHUB_CLIENT_IDD is not a setting: did you mean GITHUB_CLIENT_ID?"));
    assert!(
        warnings.contains("JWT_SECERT_FILE is not a setting"),
        "{warnings}"
    );
    assert!(warnings.contains("MCP_OAUTH_COLOUR"), "{warnings}");
    assert!(!warnings.contains("GITHUB_TOKEN") && !warnings.contains("HOSTNAME"));
}

#[tokio::test]
async fn a_misspelt_variable_is_named_beside_the_fault_that_it_causes() {
    let asked = Asked::small()
        .without("GITHUB_CLIENT_SECRET")
        .with("GITHUB_CLIENT_SECRT", "the-secret-of-the-app");
    let ended = asked.run(&["serve"]).await;
    assert_eq!(ended.code, 64);
    for line in [
        "GITHUB_CLIENT_SECRET: is not set",
        "note: GITHUB_CLIENT_SECRT is not a setting: did you mean GITHUB_CLIENT_SECRET?",
    ] {
        assert!(ended.stderr.contains(line), "{line} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("the-secret-of-the-app"));
}

#[tokio::test]
async fn only_what_is_configured_is_protected() {
    let asked = Asked::small();
    assert_eq!(
        asked.effective("resource").await,
        found("https://*.gateway.test", "configured")
    );
    let one = asked.toml("[[resource]]\nuri = \"https://Echo.gateway.test:443/mcp/\"\n");
    let (uri, _) = one.effective("resource").await;
    assert!(uri.starts_with("https://echo.gateway.test/mcp"), "{uri}");
    let report = one.report("serve").await.to_string();
    assert!(!report.contains("https://*.gateway.test"));
}

#[tokio::test]
async fn proxies_that_are_everybody_and_a_short_secret_are_warned_about() {
    let everybody = Asked::small().with("TRUSTED_PROXIES", "0.0.0.0/0");
    assert!(everybody.warnings_of("serve").await.contains("trusts everybody"));
    let short = Asked::small().with("JWT_SECRET", "your_jwt_secret_key");
    assert!(short.warnings_of("serve").await.contains("JWT_SECRET is short"));
}
