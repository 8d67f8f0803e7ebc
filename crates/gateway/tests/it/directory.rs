//! `serve` with its state in a directory: it survives restarts, belongs to one process, and that one takes orders.

use std::{fs, os::unix::fs::PermissionsExt};

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{
    agent::{Agent, by_an_unknown_key, header_of},
    run::operator,
    server::{Server, client, eventually, free_port},
    stage::{RESOURCE, Stage, issuer, verify},
};

/// The ids of the public keys.
async fn published(server: &Server) -> Vec<String> {
    let answer = client().get(server.at("/jwks")).send().await.unwrap();
    let document: Value = answer.json().await.unwrap();
    let keys = document["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_restart_keeps_clients_grants_and_keys() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let mut agent = Agent::register(&issuer(port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    let keys = published(&server).await;
    server.stop().await;

    let server = stage.serve_at(port, &[]).await;
    assert_eq!(published(&server).await, keys);
    assert_eq!(verify(&server, &tokens.access).await.status(), StatusCode::OK);
    assert_eq!(agent.record().await.status(), StatusCode::OK);
    let refreshed = agent.refresh(&tokens.refresh).await;
    agent.revoke(&refreshed.access).await;
    server.stop().await;

    let server = stage.serve_at(port, &[]).await;
    for token in [&tokens.access, &refreshed.access] {
        assert_eq!(verify(&server, token).await.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn nobody_else_can_read_what_is_in_the_directory_or_give_orders() {
    let stage = Stage::new();
    let server = stage.serve(&[]).await;
    let directory = stage.directory.path().join("data");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["admin.sock", "sealing.key", "store.redb"]);
    server.stop().await;
    assert!(
        !directory.join("admin.sock").exists(),
        "the socket goes with the process"
    );
}

#[tokio::test]
async fn a_second_process_on_the_same_directory_is_told_so_and_the_first_goes_on() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let second = free_port().to_string();
    let ended = operator(&stage, port, &["serve", "--port", &second]).await;
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("DATA_DIR: ") && ended.stderr.contains("another process"),
        "{}",
        ended.stderr
    );
    let listed = operator(&stage, port, &["keys", "list"]).await;
    assert_eq!(listed.code, 0, "its socket is still there: {}", listed.stderr);
    server.stop().await;
}

#[tokio::test]
async fn keys_are_rotated_and_retired_while_the_gateway_runs() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let mut agent = Agent::register(&issuer(port)).await;
    let before = agent.log_in(RESOURCE).await;
    let first = published(&server).await;
    assert_eq!(first.len(), 1);

    let rotated = operator(&stage, port, &["keys", "rotate", "--json"]).await;
    assert_eq!(rotated.code, 0, "{}", rotated.stderr);
    let new = rotated.json()["rotated"].as_str().unwrap().to_owned();
    assert_ne!(new, first[0]);
    eventually("the new key among the public ones", async || {
        published(&server).await.contains(&new).then_some(())
    })
    .await;
    let after = eventually("a token of the new key", async || {
        let tokens = agent.refresh(&before.refresh).await;
        (header_of(&tokens.access)["kid"] == *new).then_some(tokens)
    })
    .await;
    for token in [&before.access, &after.access] {
        assert_eq!(verify(&server, token).await.status(), StatusCode::OK);
    }
    let listed = operator(&stage, port, &["keys", "list", "--json"]).await.json();
    let listed = listed["keys"].as_array().unwrap();
    let signs = |kid: &str| listed.iter().find(|key| key["kid"] == *kid).unwrap()["signs"].clone();
    assert_eq!((signs(&first[0]), signs(&new)), (false.into(), true.into()));
    let text = operator(&stage, port, &["keys", "list"]).await.stdout;
    let line = text.lines().find(|line| line.starts_with(&new)).unwrap();
    assert!(
        line.contains("signs") && line.contains("made 20") && line.contains("Z, in the store"),
        "{line}"
    );

    let retired = operator(&stage, port, &["keys", "retire", &first[0]]).await;
    assert_eq!(retired.code, 0, "{}", retired.stderr);
    eventually("an end of the old key's tokens", async || {
        verify(&server, &by_an_unknown_key(&before.access)).await;
        let answer = verify(&server, &before.access).await;
        (answer.status() == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert_eq!(verify(&server, &after.access).await.status(), StatusCode::OK);
    assert_eq!(published(&server).await, [new]);
    let again = operator(&stage, port, &["keys", "retire", &first[0]]).await;
    assert_eq!(again.code, 1, "{}", again.stdout);
}

#[tokio::test]
async fn orders_are_carried_out_on_the_directory_when_no_gateway_runs() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let kid = published(&server).await.remove(0);
    server.stop().await;
    let listed = operator(&stage, port, &["keys", "list"]).await;
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert!(listed.stdout.starts_with(&kid), "{}", listed.stdout);
}
