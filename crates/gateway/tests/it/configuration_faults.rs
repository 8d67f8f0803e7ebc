//! What is wrong with a configuration is said at once, with the setting's name, before anything begins.

use std::net::TcpListener;

use crate::support::run::{Asked, SECRET};

#[tokio::test]
async fn all_faults_come_at_once_with_exit_code_64_and_no_port_is_bound() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let asked = Asked::nothing()
        .with("JWT_ALGORITHM", "none")
        .with("ACCESS_TOKEN_LIFETIME", "half an hour")
        .with("MCP_API_KEY", SECRET)
        .with("LOG_LEVEL", "loud");
    let ended = asked.run(&["serve", "--port", &port]).await;
    assert_eq!(ended.code, 64, "{}", ended.stderr);
    for setting in [
        "GITHUB_CLIENT_ID: is not set",
        "GITHUB_CLIENT_SECRET: is not set",
        "BASE_DOMAIN: is not set",
        "REDIS_URL: is not set, and neither is DATA_DIR",
        "JWT_ALGORITHM: must be",
        "ACCESS_TOKEN_LIFETIME: must be a whole number",
        "MCP_API_KEY_RESOURCES: is not set",
        "MCP_API_KEY_SCOPES: is not set",
        "LOG_LEVEL: must be",
        "9 fault(s)",
        "docs/configuration.md",
    ] {
        assert!(ended.stderr.contains(setting), "{setting} in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("in use"), "{}", ended.stderr);
    assert!(!ended.stderr.contains(SECRET), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn two_processes_need_redis() {
    for role in ["auth-server", "verifier"] {
        Asked::small()
            .has_one_fault_as(role, "REDIS_URL", "needs Redis")
            .await;
    }
    let both = Asked::small()
        .with("REDIS_URL", "redis://127.0.0.1:9")
        .with("STORE_ENCRYPTION_KEY", SECRET);
    both.has_one_fault("DATA_DIR", "choose one").await;
}

#[tokio::test]
async fn keys_of_the_file_that_nobody_knows_are_faults() {
    for (text, setting, problem) in [
        (
            "base_domian = \"x.test\"",
            "base_domian",
            "did you mean base_domain?",
        ),
        ("colour = \"green\"", "colour", "is not a setting"),
        ("[limits]\nregsiter = 3", "limits.regsiter", "there are register"),
        ("[limits]\nregister = 3", "limits.register", "count = 20"),
        (
            "[limits]\nregister = { count = 1, seconds = 0, burst = 1 }",
            "limits.register",
            "seconds is a whole number above 0",
        ),
        (
            "[[resource]]\nuri = \"https://a.test/mcp\"\nscope = \"x\"",
            "resource 1: scope",
            "is not a key",
        ),
        ("[[resource]]\nname = \"Echo\"", "resource 1: uri", "is not set"),
        (
            "[[resource]]\nuri = \"https://a.test/mcp\"\n[[resource]]\nuri = \"https://A.test/mcp\"",
            "resource 2: uri",
            "twice",
        ),
        (
            "[[resource]]\nuri = \"http://a.test/mcp\"",
            "resource 1: uri",
            "https",
        ),
        (
            "[[resource]]\nuri = \"https://a.test/mcp\"\nallow.orgs = \"acme\"",
            "resource 1: allow.orgs",
            "must be a list of organisations",
        ),
        (
            "[[resource]]\nuri = \"https://a.test/mcp\"\nallow.orgs = [\"acme corp\"]",
            "resource 1: allow.orgs",
            "\"acme corp\" is no name of an organisation",
        ),
        (
            "[[resource]]\nuri = \"https://a.test/mcp\"\nallow.teams = [\"acme\"]",
            "resource 1: allow.teams",
            "\"acme\" must be written organisation/team",
        ),
        (
            "[[resource]]\nuri = \"https://a.test/mcp\"\nallow.group = [\"acme\"]",
            "resource 1: allow.group",
            "there are users, orgs, teams",
        ),
        ("resource = 3", "resource", "[[resource]]"),
    ] {
        Asked::small().toml(text).has_one_fault(setting, problem).await;
    }
}

#[tokio::test]
async fn a_file_that_is_not_toml_is_named_and_not_shown() {
    let asked = Asked::small().toml("github_client_secret = hunter2\n");
    let ended = asked.run(&["serve"]).await;
    assert_eq!(ended.code, 64);
    assert!(ended.stderr.contains("gateway.toml"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    let ended = Asked::small().run(&["serve", "--config", "missing.toml"]).await;
    assert_eq!(ended.code, 64);
    assert!(
        ended.stderr.contains("--config: missing.toml"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn hs256_is_for_one_process_and_wants_a_long_secret() {
    let hs256 = || Asked::small().with("JWT_ALGORITHM", "HS256");
    hs256().with("JWT_SECRET", SECRET).is_fine("serve").await;
    hs256().has_one_fault("JWT_SECRET", "is not set").await;
    hs256()
        .with("JWT_SECRET", "only-twenty-bytes-he")
        .has_one_fault("JWT_SECRET", "32 bytes or more")
        .await;
    for role in ["verifier", "auth-server"] {
        let apart = hs256()
            .with("JWT_SECRET", SECRET)
            .without("DATA_DIR")
            .with("REDIS_URL", "redis://127.0.0.1:9");
        apart.has_one_fault_as(role, "JWT_ALGORITHM", "HS256").await;
    }
}

#[tokio::test]
async fn what_seals_is_long_and_with_redis_it_must_be_there() {
    let redis = || {
        Asked::small()
            .without("DATA_DIR")
            .with("REDIS_URL", "redis://127.0.0.1:9")
    };
    redis()
        .has_one_fault("STORE_ENCRYPTION_KEY", "one of them must seal")
        .await;
    redis()
        .with("STORE_ENCRYPTION_KEY", &format!("{SECRET},short"))
        .has_one_fault("STORE_ENCRYPTION_KEY", "32 bytes or more")
        .await;
    redis()
        .with("JWT_SECRET", "short")
        .has_one_fault_twice("JWT_SECRET", "16 bytes or more")
        .await;
    redis()
        .with("JWT_SECRET", "sixteen-bytes-01")
        .is_fine("serve")
        .await;
}

impl Asked {
    /// Of several faults, one names `setting` and says `problem`.
    async fn has_one_fault_twice(&self, setting: &str, problem: &str) {
        let faults = self.faults_of("serve").await;
        assert!(
            faults
                .iter()
                .any(|(name, text)| name == setting && text.contains(problem)),
            "{faults:?}"
        );
    }
}

#[tokio::test]
async fn values_that_cannot_be_read_are_faults_of_their_setting() {
    for (name, value, problem) in [
        ("PORT", "eighty", "whole number"),
        ("PORT", "65536", "whole number"),
        ("VERIFIER_CACHE_ENTRIES", "many", "whole number"),
        ("VERIFIER_CACHE_BYTES", "-1", "whole number"),
        ("BASE_DOMAIN", "https://gateway.test", "without https://"),
        ("MCP_OAUTH_ISSUER", "https://auth.gateway.test/auth", "path"),
        ("MCP_OAUTH_ISSUER", "http://auth.gateway.test", "https"),
        ("GITHUB_API_URL", "api.github.com", "address"),
        ("GITHUB_WEB_URL", "https://me:pw@github.com", "password"),
        ("ALLOWED_GITHUB_USERS", "not a login", "login"),
        ("TRUSTED_PROXIES", "10.0.0.0/33", "range"),
        ("MCP_CORS_ORIGINS", "example.com", "origin"),
        ("X_AUTH_TOKEN", "always", "bearer or off"),
        ("METRICS_LISTEN", "9000", "127.0.0.1:9000"),
        ("LOG_FORMAT", "xml", "text or json"),
        ("LOG_LEVEL", "hyper=trace", "would log secrets"),
        ("JWT_PRIVATE_KEY_B64", "not base64!", "base64"),
        ("JWT_ALGORITHM", "RS512", "RS256"),
        ("ACCESS_TOKEN_LIFETIME", "0", "more than 0"),
        ("SESSION_TIMEOUT", "-1", "whole number"),
        ("REFRESH_TOKEN_LIFETIME", "99999999999", "ten years"),
        ("MCP_OAUTH_AUTHORIZATION_CODE_EXPIRE_MINUTES", "11", "at most 10"),
        (
            "MCP_OAUTH_SECRET_KEY",
            "your-secure-secret-key-here",
            "sample of a guide",
        ),
        ("ADMIN_GITHUB_USERS", "*", "everybody an admin"),
        ("ADMIN_GITHUB_USERS", "octo cat", "neither a GitHub login"),
        ("METADATA_AT_ISSUER", "perhaps", "true or false"),
        ("AUTHORIZATION_RESPONSE_ISS", "perhaps", "true or false"),
        ("LEGACY_ENDPOINTS", "perhaps", "true or false"),
    ] {
        Asked::small()
            .with(name, value)
            .has_one_fault(name, problem)
            .await;
    }
    Asked::small()
        .without("DATA_DIR")
        .with("STORE_ENCRYPTION_KEY", SECRET)
        .with("REDIS_URL", "http://redis:6379")
        .has_one_fault("REDIS_URL", "redis://")
        .await;
    Asked::small().with("CLIENT_LIFETIME", "0").is_fine("serve").await;
}

#[tokio::test]
async fn the_address_of_redis_is_understood_or_said_to_be_wrong() {
    let at = |url: &str| {
        Asked::small()
            .without("DATA_DIR")
            .with("STORE_ENCRYPTION_KEY", SECRET)
            .with("REDIS_URL", url)
    };
    for url in [
        "redis+sentinel://user:word@one:26379,two,[::1]:7/mymaster/3",
        "rediss+sentinel://one/mymaster",
        "redis+cluster://user:word@one:6379,two",
        "valkeys+cluster://one",
    ] {
        for role in ["serve", "auth-server", "verifier"] {
            at(url).is_fine(role).await;
        }
    }
    for (url, problem) in [
        ("redis+sentinel://one:26379", "names no master"),
        ("redis+cluster://one,two/5", "only database 0"),
        ("redis+cluster://one,,two", "names no host"),
        ("redis+cluster://one:port", "must be an address"),
        ("redis+other://one", "must be an address"),
    ] {
        for role in ["serve", "verifier"] {
            at(url).has_one_fault_as(role, "REDIS_URL", problem).await;
        }
    }
}

#[tokio::test]
async fn what_only_sentinels_need_is_refused_elsewhere_and_what_they_need_is_asked_for() {
    let at = |url: &str| {
        Asked::small()
            .without("DATA_DIR")
            .with("STORE_ENCRYPTION_KEY", SECRET)
            .with("REDIS_URL", url)
    };
    let sentinels = || at("redis+sentinel://one,two,three/mymaster");
    for role in ["serve", "auth-server", "verifier"] {
        at("redis://one")
            .with("REDIS_SENTINEL_PASSWORD", "word")
            .has_one_fault_as(
                role,
                "REDIS_SENTINEL_PASSWORD",
                "does not begin with redis+sentinel://",
            )
            .await;
        sentinels()
            .with("REDIS_WAIT_REPLICAS", "0")
            .has_one_fault_as(role, "REDIS_WAIT_REPLICAS", "must be 1 or more with Sentinel")
            .await;
        sentinels()
            .with("REDIS_SENTINEL_PASSWORD", "word")
            .with("REDIS_WAIT_REPLICAS", "2")
            .is_fine(role)
            .await;
    }
}

#[tokio::test]
async fn tls_needs_both_files_and_they_must_hold_what_they_should() {
    let on = || Asked::small().with("MCP_HTTPS_ENABLED", "true");
    let faults = on().faults_of("serve").await;
    assert_eq!(faults.len(), 2, "{faults:?}");
    on().file("cert.pem", "")
        .with("MCP_SSL_CERT_FILE", "cert.pem")
        .with("MCP_SSL_KEY_FILE", "missing.pem")
        .has_one_fault("MCP_SSL_KEY_FILE", "missing.pem cannot be read")
        .await;
    for subcommand in ["serve", "check-config"] {
        let bad = on()
            .file("cert.pem", "nothing\n")
            .file("key.pem", "nothing\n")
            .with("MCP_SSL_CERT_FILE", "cert.pem")
            .with("MCP_SSL_KEY_FILE", "key.pem");
        let ended = bad.run(&[subcommand]).await;
        assert_eq!(ended.code, 64, "{}", ended.stderr);
        assert!(ended.stderr.contains("MCP_SSL_CERT_FILE"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn an_env_file_that_cannot_be_read_is_a_fault_by_line() {
    let asked = Asked::small().file(".env", "LOG_LEVEL=info\nhunter2\n");
    let faults = asked.faults_of("serve").await;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].0.contains(".env") && faults[0].1.starts_with("line 2: "));
    let ended = Asked::small()
        .run(&["serve", "--env-file", "production.env"])
        .await;
    assert_eq!(ended.code, 64);
    assert!(
        ended.stderr.contains("--env-file: production.env"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn plain_http_to_github_is_for_loopback_only() {
    for name in ["GITHUB_WEB_URL", "GITHUB_API_URL"] {
        let asked = Asked::small().with(name, "http://github.example.com");
        asked.has_one_fault(name, "must be https").await;
    }
}

#[tokio::test]
async fn an_end_that_would_take_longer_than_30_seconds_is_a_fault() {
    let asked = Asked::small().with("SHUTDOWN_DELAY", "21");
    asked.has_one_fault("SHUTDOWN_DELAY", "at most 20").await;
}
