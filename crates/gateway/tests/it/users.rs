//! What an operator does about users, while the gateway runs.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    agent::Agent,
    run::operator,
    server::free_port,
    stage::{RESOURCE, Stage, issuer, verify},
};

#[tokio::test]
async fn unpinning_a_login_ends_what_its_user_allowed_and_lets_another_take_it() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let mut agent = Agent::register(&issuer(port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    let unpinned = operator(&stage, port, &["admin", "users", "unpin", "OctoCat", "--json"]).await;
    assert_eq!(unpinned.code, 0, "{}", unpinned.stderr);
    assert_eq!(
        unpinned.json()["unpinned"],
        serde_json::json!({ "user": 583_231, "grants": 1 })
    );
    assert_eq!(
        verify(&server, &tokens.access).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        agent.try_refresh(&tokens.refresh).await.0,
        StatusCode::BAD_REQUEST
    );
    let again = operator(&stage, port, &["admin", "users", "unpin", "octocat"]).await;
    assert_eq!(again.code, 0);
    assert_eq!(again.stdout, "the login was not pinned\n");
    let acts = server.lines();
    let mut acts = acts.iter().filter(|line| line["target"] == "audit");
    assert!(acts.any(|line| line["reason"] == "login_unpinned" && line["login"] == "octocat"));
}

#[tokio::test]
async fn a_blocked_user_is_out_with_the_next_request_until_they_are_let_in_again() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let mut agent = Agent::register(&issuer(port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    let block = ["admin", "users", "block", "OctoCat", "--json"];
    let blocked = operator(&stage, port, &block).await;
    assert_eq!(blocked.code, 0, "{}", blocked.stderr);
    assert_eq!(
        blocked.json()["blocked"],
        json!({ "users": [583_231], "grants": 1 })
    );
    assert_eq!(
        verify(&server, &tokens.access).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        agent.try_refresh(&tokens.refresh).await.0,
        StatusCode::BAD_REQUEST
    );
    let listed = operator(&stage, port, &["admin", "users", "list", "--json"]).await;
    assert_eq!(listed.json()["blocks"][0]["named"], "octocat");
    let text = operator(&stage, port, &["admin", "users", "list"]).await.stdout;
    assert!(
        text.starts_with("octocat  since 20") && text.ends_with("accounts: 583231\n"),
        "{text}"
    );

    let freed = operator(&stage, port, &["admin", "users", "unblock", "583231"]).await;
    assert_eq!(freed.stdout, "no longer blocked: 583231, octocat\n");
    assert_eq!(
        verify(&server, &tokens.access).await.status(),
        StatusCode::UNAUTHORIZED,
        "nothing that ended comes back"
    );
    let again = agent.log_in(RESOURCE).await;
    assert_eq!(verify(&server, &again.access).await.status(), StatusCode::OK);
    let nobody = operator(&stage, port, &["admin", "users", "unblock", "octocat"]).await;
    assert_eq!(
        (nobody.code, nobody.stdout.as_str()),
        (0, "nobody by this name is blocked\n")
    );
    let acts = server.lines();
    for reason in ["user_blocked", "user_unblocked"] {
        let mut acts = acts.iter().filter(|line| line["target"] == "audit");
        assert!(acts.any(|line| line["reason"] == reason), "{reason}");
    }
}
