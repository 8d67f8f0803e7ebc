//! `check-config` tells what is in effect and what does not answer, and keeps every secret.

use mcp_gateway_sandbox::github::{Options, StandInGithub};
use mcp_gateway_store::testing::{RedisCluster, RedisServer, RedisSetup, ReplicatedRedis};

use crate::support::run::{Asked, SECRET};

/// A configuration whose GitHub answers.
fn reachable(github: &str, redis: &RedisServer) -> Asked {
    Asked::small()
        .without("DATA_DIR")
        .with("GITHUB_WEB_URL", github)
        .with("GITHUB_API_URL", github)
        .with("REDIS_URL", &redis.url())
        .with("STORE_ENCRYPTION_KEY", SECRET)
}

#[tokio::test]
async fn every_secret_is_redacted() {
    let key = crate::support::run::run(&["keys", "generate", "--algorithm", "ES256"]).await;
    let secrets = [
        ("GITHUB_CLIENT_SECRET", "secret-of-github"),
        ("REDIS_URL", "redis://name:secret-in-the-url@127.0.0.1:9"),
        ("REDIS_PASSWORD", "secret-of-redis"),
        (
            "STORE_ENCRYPTION_KEY",
            "secret-that-seals-0123456789012345,secret-that-sealed-0123456789012345",
        ),
        ("JWT_PRIVATE_KEY_B64", key.stdout.trim()),
        ("JWT_SECRET", "secret-of-tokens-0123456789012345"),
        ("MCP_OAUTH_SECRET_KEY", "secret-of-tokens-0123456789012345"),
    ];
    let asked = secrets
        .iter()
        .fold(Asked::small().without("DATA_DIR"), |asked, (name, value)| {
            asked.with(name, value)
        });
    let asked = asked.with("JWT_ALGORITHM", "ES256");
    for arguments in [&["check-config"][..], &["check-config", "--json"]] {
        let ended = asked.run(arguments).await;
        assert_eq!(ended.code, 1, "{}", ended.stderr);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        for (name, value) in secrets {
            assert!(said.contains(name), "{name} in {said}");
            assert!(
                value.split(',').all(|secret| !said.contains(secret)),
                "{name}: {said}"
            );
        }
        assert!(!said.contains("secret-"), "{said}");
    }
}

#[tokio::test]
async fn all_is_well_when_everything_answers() {
    let github = StandInGithub::new(Options::new("the-app", SECRET))
        .start()
        .unwrap();
    let redis = RedisServer::with(RedisSetup {
        persistent: true,
        ..RedisSetup::default()
    });
    let asked = reachable(&github.url(), &redis);
    for (role, checks) in [("serve", 3), ("auth-server", 3), ("verifier", 1)] {
        let ended = asked.run(&["check-config", "--json", "--role", role]).await;
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
        let report = ended.json();
        assert_eq!(report["role"], role);
        let all = report["checks"].as_array().unwrap();
        assert!(
            all.len() == checks && all.iter().all(|check| check["ok"] == true),
            "{report}"
        );
    }
    let text = asked.run(&["check-config"]).await;
    assert_eq!(text.code, 0);
    for part in ["Settings in effect for serve", "Checks:", "ok     store: answers"] {
        assert!(text.stdout.contains(part), "{part} in {}", text.stdout);
    }
}

#[tokio::test]
async fn what_does_not_answer_is_named_and_the_exit_code_is_1() {
    let asked = Asked::small()
        .without("DATA_DIR")
        .with("REDIS_URL", "redis://127.0.0.1:9")
        .with("STORE_ENCRYPTION_KEY", SECRET);
    let ended = asked.run(&["check-config", "--json"]).await;
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("failed: store, github web, github api"));
    let report = ended.json();
    for check in report["checks"].as_array().unwrap() {
        assert_eq!(check["ok"], false, "{check}");
        assert!(!check["detail"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_wrong_password_of_redis_is_found_out() {
    let github = StandInGithub::new(Options::new("the-app", SECRET))
        .start()
        .unwrap();
    let redis = RedisServer::with(RedisSetup {
        password: Some("the right one".to_owned()),
        persistent: true,
        ..RedisSetup::default()
    });
    let wrong = reachable(&github.url(), &redis).with("REDIS_PASSWORD", "a wrong one");
    let ended = wrong.run(&["check-config"]).await;
    assert_eq!(ended.code, 1, "{}", ended.stdout);
    assert!(ended.stdout.contains("FAILED store"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("a wrong one"), "{}", ended.stdout);
    let right = wrong.with("REDIS_PASSWORD", "the right one");
    assert_eq!(right.run(&["check-config"]).await.code, 0);
}

#[tokio::test]
async fn the_kind_of_redis_is_shown_and_the_address_is_not() {
    let github = StandInGithub::new(Options::new("the-app", SECRET))
        .start()
        .unwrap();
    let (single, cluster, replicated) = (
        RedisServer::start(),
        RedisCluster::start(),
        ReplicatedRedis::start(),
    );
    for (url, kind) in [
        (single.url_for("default:secret-word@"), "answers (one Redis)"),
        (cluster.url_for("default:secret-word@"), "answers (Redis Cluster)"),
        (
            replicated.url_for("default:secret-word@"),
            "answers (Redis with Sentinel)",
        ),
    ] {
        let asked = reachable(&github.url(), &single).with("REDIS_URL", &url);
        let ended = asked.run(&["check-config"]).await;
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains(kind), "{}", ended.stdout);
        assert!(!ended.stdout.contains("secret-word"), "{}", ended.stdout);
    }
}

#[tokio::test]
async fn a_redis_that_may_forget_or_evict_is_warned_of() {
    let github = StandInGithub::new(Options::new("the-app", SECRET))
        .start()
        .unwrap();
    let forgetful = RedisServer::with(RedisSetup {
        settings: vec![
            "maxmemory 100mb".to_owned(),
            "maxmemory-policy allkeys-lru".to_owned(),
        ],
        ..RedisSetup::default()
    });
    let asked = reachable(&github.url(), &forgetful);
    let warnings = asked.warnings_of("serve").await;
    for word in ["appendonly", "maxmemory-policy"] {
        assert!(warnings.contains(word), "{word} in {warnings}");
    }
    assert_eq!(
        asked.run(&["check-config"]).await.code,
        0,
        "a warning is no failure"
    );
}

#[tokio::test]
async fn what_has_no_effect_or_does_not_belong_is_warned_of() {
    let asked = Asked::small()
        .with("MCP_PROTOCOL_VERSION", "2025-06-18")
        .with("X_AUTH_TOKEN", "bearer");
    let warnings = asked.warnings_of("serve").await;
    assert!(
        warnings.contains("MCP_PROTOCOL_VERSION has no effect"),
        "{warnings}"
    );
    assert!(warnings.contains("X_AUTH_TOKEN=bearer"), "{warnings}");
    let verifier = Asked::small()
        .without("DATA_DIR")
        .with("REDIS_URL", "redis://127.0.0.1:9")
        .with("STORE_ENCRYPTION_KEY", SECRET)
        .with("JWT_SECRET", SECRET);
    let warnings = verifier.warnings_of("verifier").await;
    for name in ["GITHUB_CLIENT_SECRET", "STORE_ENCRYPTION_KEY", "JWT_SECRET"] {
        assert!(
            warnings.contains(&format!("{name} is ignored here")),
            "{name}: {warnings}"
        );
    }
}

#[tokio::test]
async fn faults_are_json_for_programs() {
    let ended = Asked::nothing().run(&["check-config", "--json"]).await;
    assert_eq!(ended.code, 64);
    let report = ended.json();
    assert!(report["faults"].as_array().unwrap().len() >= 4, "{report}");
}
