//! Clients that an operator enters while the gateway runs.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    run::operator,
    server::{Server, client, free_port},
    stage::{RESOURCE, Stage, verify},
};

/// What the token endpoint answers to a client that acts for itself.
async fn act(server: &Server, secret: &str) -> Value {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "nightly"),
        ("client_secret", secret),
        ("resource", RESOURCE),
    ];
    let answer = client()
        .post(server.at("/token"))
        .form(&form)
        .send()
        .await
        .unwrap();
    answer.json().await.unwrap()
}

#[tokio::test]
async fn an_entered_client_acts_for_itself_until_it_is_removed() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let admin = async |arguments: &[&str]| {
        let all = [&["admin", "clients"], arguments, &["--json"]].concat();
        operator(&stage, port, &all).await
    };
    let add = [
        "add",
        "nightly",
        "--name",
        "Nightly",
        "--generate-secret",
        "--resource",
        RESOURCE,
    ];
    let added = admin(&add).await;
    assert_eq!(added.code, 0, "{}", added.stderr);
    let secret = added.json()["client_secret"].as_str().unwrap().to_owned();
    let token = act(&server, &secret).await["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let let_in = verify(&server, &token).await;
    assert_eq!(let_in.status(), StatusCode::OK);
    assert_eq!(let_in.headers()["x-user-id"], "nightly");
    assert_eq!(let_in.headers()["x-user-name"], "");
    let listed = admin(&["list"]).await;
    assert_eq!(listed.json()["listed"][0]["id"], "nightly");
    assert!(!listed.stdout.contains(&secret));
    let shown = admin(&["show", "nightly"]).await;
    assert_eq!(shown.json()["shown"]["origin"], "pre_registered");
    let removed = admin(&["remove", "nightly"]).await;
    assert_eq!(removed.json()["removed"]["grants"], 1);
    assert_eq!(verify(&server, &token).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(act(&server, &secret).await["error"], "invalid_client");
    assert_eq!(admin(&["remove", "nightly"]).await.code, 1);
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_entered_is_said_in_words() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    for (arguments, problem) in [
        (&["583231", "--generate-secret"][..], "no number"),
        (&["ci", "--public"], "redirect_uris must name one"),
        (&["ci", "--generate-secret", "--scope", "nonsense"], "nonsense"),
        (
            &[
                "ci",
                "--generate-secret",
                "--resource",
                "https://elsewhere.example.net",
            ],
            "not protected here",
        ),
        (&["ci", "--jwks-file", "nowhere"], "cannot be read"),
    ] {
        let all = [&["admin", "clients", "add"], arguments].concat();
        let ended = operator(&stage, port, &all).await;
        assert_eq!(ended.code, 1, "{arguments:?}");
        assert!(ended.stderr.contains(problem), "{arguments:?}: {}", ended.stderr);
    }
    let listed = operator(&stage, port, &["admin", "clients", "list", "--json"]).await;
    assert_eq!(listed.json(), json!({ "listed": [] }));
    server.stop().await;
}
