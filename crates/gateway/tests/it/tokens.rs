//! Personal access tokens, made and ended by an operator while the gateway runs.

use mcp_gateway_store::testing::{RedisServer, RedisSetup};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    run::{SECRET, command, end, operator},
    server::{Server, free_port},
    stage::{RESOURCE, Stage, verifier_settings, verify},
};

fn create<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let own = ["admin", "tokens", "create", "OctoCat", "--name", "ci"];
    [&own[..], &["--resource", RESOURCE], more].concat()
}

/// The scopes that the resource here offers, all of them.
async fn offered(server: &Server) -> String {
    let refused = verify(server, "none").await;
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    let (_, scope) = challenge.split_once("scope=\"").unwrap();
    scope.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_made_listed_and_ended_through_the_running_process() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let scopes = offered(&server).await;
    let made = operator(&stage, port, &create(&["--scope", &scopes, "--expires-in", "2h"])).await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    let token = made.stdout.strip_suffix('\n').unwrap();
    assert!(
        token.starts_with("mcp_pat_") && token.len() == 74,
        "the token and nothing else is on standard output"
    );
    assert!(
        made.stderr.contains("\"ci\" of octocat (number 583231)") && !made.stderr.contains(token),
        "{}",
        made.stderr
    );
    let verified = verify(&server, token).await;
    assert_eq!(verified.status(), StatusCode::OK);
    for (name, value) in [
        ("x-user-id", "583231"),
        ("x-user-name", "octocat"),
        ("x-auth-client", "personal-access-token"),
        ("x-auth-scope", &scopes),
    ] {
        assert_eq!(verified.headers()[name], value, "{name}");
    }
    let listed = operator(&stage, port, &["admin", "tokens", "list", "--json"]).await;
    let listed = listed.json();
    let entry = &listed["listed"][0];
    let id = entry["id"].as_str().unwrap();
    assert_eq!(token[8..30], *id);
    assert_eq!(
        (&entry["name"], &entry["login"], &entry["resources"]),
        (&json!("ci"), &json!("octocat"), &json!([RESOURCE]))
    );
    assert!(!listed.to_string().contains(&token[31..]));
    let revoked = operator(&stage, port, &["admin", "tokens", "revoke", id]).await;
    assert_eq!(revoked.code, 0, "{}", revoked.stderr);
    assert_eq!(verify(&server, token).await.status(), StatusCode::UNAUTHORIZED);
    let again = operator(&stage, port, &["admin", "tokens", "revoke", id]).await;
    assert_eq!((again.code, again.stdout.as_str()), (1, ""));
    assert!(
        again.stderr.contains("no living personal access token"),
        "{}",
        again.stderr
    );
    assert!(!server.log().contains(&token[31..]), "no secret is in the log");
    let acts = server.lines();
    for reason in ["personal_access_token_created", "personal_access_token_revoked"] {
        assert!(
            acts.iter().any(|line| line["target"] == "audit"
                && line["reason"] == reason
                && line["login"] == "octocat"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn all_tokens_of_a_user_end_at_once_and_with_the_user() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let scopes = offered(&server).await;
    let create = create(&["--scope", &scopes, "--json"]);
    for ending in [
        &["admin", "tokens", "revoke", "--user", "octocat"][..],
        &["admin", "users", "block", "octocat"],
    ] {
        let mut tokens = Vec::new();
        for _ in 0..2 {
            let made = operator(&stage, port, &create).await.json();
            tokens.push(made["created"]["token"].as_str().unwrap().to_owned());
        }
        assert_eq!(verify(&server, &tokens[1]).await.status(), StatusCode::OK);
        let ended = operator(&stage, port, ending).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        for token in &tokens {
            assert_eq!(verify(&server, token).await.status(), StatusCode::UNAUTHORIZED);
        }
    }
    let blocked = operator(&stage, port, &create).await;
    assert_eq!((blocked.code, blocked.stdout.as_str()), (1, ""));
    assert!(blocked.stderr.contains("blocked"), "{}", blocked.stderr);
    let none = operator(&stage, port, &["admin", "tokens", "list"]).await;
    assert_eq!(none.stdout, "no personal access tokens\n");
}

#[tokio::test]
async fn with_redis_a_token_works_at_a_verifier_elsewhere_that_knows_who_may_log_in() {
    let (stage, redis, port) = (
        Stage::new(),
        RedisServer::with(RedisSetup::default()),
        free_port(),
    );
    let url = redis.url();
    let place = ("REDIS_URL", url.as_str());
    let directory = stage.directory.path();
    let told = verifier_settings(port, &[place, ("ALLOWED_GITHUB_USERS", "octocat")]);
    let informed = Server::start(directory, "verifier", free_port(), &told).await;
    let ignorant = Server::start(
        directory,
        "verifier",
        free_port(),
        &verifier_settings(port, &[place]),
    )
    .await;
    let settings = stage.settings(port, &[place, ("STORE_ENCRYPTION_KEY", SECRET)]);
    let operate =
        async |arguments: &[&str]| end(command(directory).args(arguments).envs(settings.clone())).await;

    let scopes = offered(&informed).await;
    let made = operate(&create(&["--scope", &scopes])).await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(
        made.stderr.contains("personal_access_token_created"),
        "what is done without a server leaves its line here: {}",
        made.stderr
    );
    let token = made.stdout.trim_end();
    assert_eq!(verify(&informed, token).await.status(), StatusCode::OK);
    assert_eq!(verify(&ignorant, token).await.status(), StatusCode::UNAUTHORIZED);
    assert!(
        ignorant.log().contains("users_unknown") && ignorant.log().contains("ALLOWED_GITHUB_USERS"),
        "{}",
        ignorant.log()
    );
    let revoked = operate(&["admin", "tokens", "revoke", token]).await;
    assert_eq!(revoked.code, 0, "{}", revoked.stderr);
    assert_eq!(verify(&informed, token).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn with_oauth_off_tokens_are_still_made_and_are_the_only_ones_that_are_good() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let scopes = offered(&server).await;
    server.stop().await;
    let off = [("MCP_OAUTH_ENABLED", "false")];
    let server = stage.serve_at(port, &off).await;
    let refused = verify(&server, "none").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    let settings = stage.settings(port, &[("DATA_DIR", "data"), off[0]]);
    let arguments = create(&["--scope", &scopes]);
    let made = end(command(stage.directory.path()).args(&arguments).envs(settings)).await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    let verified = verify(&server, made.stdout.trim_end()).await;
    assert_eq!(verified.status(), StatusCode::OK);
}
