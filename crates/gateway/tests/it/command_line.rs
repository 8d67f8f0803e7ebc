//! The command line: help with examples, exit codes, keys, the health check.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::support::run::{Asked, command, end, run};

const SUBCOMMANDS: &[&[&str]] = &[
    &[],
    &["serve"],
    &["auth-server"],
    &["verifier"],
    &["dev"],
    &["check-config"],
    &["healthcheck"],
    &["completions"],
    &["keys", "generate"],
    &["keys", "list"],
    &["keys", "rotate"],
    &["keys", "retire"],
    &["admin", "users", "unpin"],
    &["admin", "users", "block"],
    &["admin", "users", "unblock"],
    &["admin", "users", "list"],
    &["admin", "tokens", "create"],
    &["admin", "tokens", "list"],
    &["admin", "tokens", "revoke"],
];

#[tokio::test]
async fn the_help_of_every_subcommand_has_an_example() {
    for subcommand in SUBCOMMANDS {
        for flag in ["--help", "-h"] {
            let ended = run(&[subcommand, &[flag][..]].concat()).await;
            assert_eq!(ended.code, 0, "{subcommand:?}");
            let (_, examples) = ended
                .stdout
                .split_once("Example")
                .unwrap_or_else(|| panic!("{subcommand:?} {flag}: {}", ended.stdout));
            let line = format!("mcp-oauth-gateway {}", subcommand.join(" "));
            assert!(examples.contains(line.trim_end()), "{line}: {examples}");
            assert!(
                ended.stdout.lines().all(|line| line.chars().count() <= 120),
                "{}",
                ended.stdout
            );
        }
    }
}

#[tokio::test]
async fn wrong_usage_ends_with_2_and_nothing_on_standard_output() {
    for arguments in [
        &[][..],
        &["sreve"],
        &["serve", "--prot", "1"],
        &["serve", "--port", "65536"],
        &["keys"],
        &["keys", "generate", "--algorithm", "HS256"],
        &["keys", "retire"],
        &["admin", "users", "unpin", "not a login"],
        &["admin", "users", "block", "not a login"],
        &["admin", "users", "unblock"],
        &["admin", "tokens", "revoke"],
        &["admin", "tokens", "revoke", "short"],
        &["admin", "tokens", "create", "octocat"],
        &["completions", "cmd.exe"],
    ] {
        let ended = run(arguments).await;
        assert_eq!(ended.code, 2, "{arguments:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn the_version_is_one_line() {
    let ended = run(&["--version"]).await;
    assert_eq!(ended.code, 0);
    assert_eq!(
        ended.stdout,
        format!("mcp-oauth-gateway {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn bash_is_told_how_to_complete() {
    let ended = run(&["completions", "bash"]).await;
    assert_eq!(ended.code, 0);
    for word in ["check-config", "--env-file", "complete -F"] {
        assert!(ended.stdout.contains(word), "{word}");
    }
    let mut bash = tokio::process::Command::new("bash");
    bash.args(["-n", "-c", &ended.stdout]);
    assert!(bash.status().await.unwrap().success());
}

#[tokio::test]
async fn keys_are_pem_in_base64_and_no_two_are_the_same() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let generate = || async { run(&["keys", "generate", "--algorithm", algorithm]).await };
        let (first, second) = (generate().await, generate().await);
        assert_eq!((first.code, second.code), (0, 0), "{}", first.stderr);
        assert_ne!(first.stdout, second.stdout);
        let pem = String::from_utf8(STANDARD.decode(first.stdout.trim_end()).unwrap()).unwrap();
        assert!(pem.starts_with("-----BEGIN ") && pem.contains("PRIVATE KEY-----"));
        let openssl = run(&["keys", "generate", "--algorithm", algorithm, "--pem"]).await;
        assert!(openssl.stdout.starts_with("-----BEGIN "), "{}", openssl.stdout);
        Asked::small()
            .with("JWT_ALGORITHM", algorithm)
            .with("JWT_PRIVATE_KEY_B64", first.stdout.trim_end())
            .is_fine("serve")
            .await;
    }
}

#[tokio::test]
async fn a_health_check_without_anybody_there_fails() {
    let ended = run(&["healthcheck", "--port", "9"]).await;
    assert_eq!(ended.code, 1);
    assert!(
        ended
            .stderr
            .contains("http://127.0.0.1:9/healthz does not answer"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn no_color_does_no_harm_and_nothing_is_coloured_without_a_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let with = end(command(directory.path())
        .env("NO_COLOR", "1")
        .args(["serve", "--help"]))
    .await;
    let without = run(&["serve", "--help"]).await;
    assert_eq!(with.stdout, without.stdout);
    assert!(!with.stdout.contains('\u{1b}'));
}

#[tokio::test]
async fn orders_without_a_store_are_faults_of_the_configuration() {
    for arguments in [&["keys", "list"][..], &["admin", "users", "unpin", "octocat"]] {
        let ended = run(arguments).await;
        assert_eq!(ended.code, 64, "{}", ended.stderr);
        assert!(ended.stderr.contains("REDIS_URL"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn a_key_whose_id_begins_with_a_hyphen_can_be_retired() {
    let kid = format!("-n{}", "A".repeat(41));
    for arguments in [
        ["keys", "retire", &kid, "--json"],
        ["keys", "retire", "--json", &kid],
    ] {
        let ended = run(&arguments).await;
        assert_eq!(ended.code, 64, "only the store is missing: {}", ended.stderr);
    }
}
