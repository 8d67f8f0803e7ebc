//! `POST /login/oauth/access_token`.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{collections::HashMap, time::Duration};

use reqwest::header;
use serde_json::Value;
use url::form_urlencoded;

use crate::github::{CALLBACK, CHALLENGE, Github, VERIFIER, returned};

/// The error of an exchange; empty when it gave a token.
async fn error(github: &Github, form: &[(&str, &str)]) -> String {
    let answer = github.exchange(form).await;
    assert_eq!(answer.status(), 200, "GitHub refuses with status 200");
    let answer: HashMap<String, String> = answer.json().await.unwrap();
    assert_ne!(answer.contains_key("access_token"), answer.contains_key("error"));
    answer.get("error").cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_code_becomes_a_token_with_its_scopes() {
    let github = Github::start();
    let code = github.code("octocat", "read:org user:email").await;
    let answer: Value = github
        .exchange(&[("code", &code), ("redirect_uri", CALLBACK)])
        .await
        .json()
        .await
        .unwrap();
    assert!(answer["access_token"].as_str().unwrap().starts_with("gho_"));
    assert_eq!(answer["token_type"], "bearer");
    assert_eq!(answer["scope"], "read:org,user:email");
    assert_eq!(github.handle.tokens_issued(), 1);
    assert_eq!(github.handle.tokens(), [answer["access_token"].as_str().unwrap()]);
}

#[tokio::test]
async fn the_answer_is_a_form_unless_json_is_asked_for() {
    let github = Github::start();
    let code = github.code("octocat", "read:org").await;
    let form = [("client_id", "app"), ("client_secret", "s3cret"), ("code", &code)];
    let answer = github
        .client
        .post(github.url("/login/oauth/access_token"))
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.headers()[header::CONTENT_TYPE],
        "application/x-www-form-urlencoded; charset=utf-8"
    );
    let body = answer.text().await.unwrap();
    let fields: HashMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    assert_eq!(fields["scope"], "read:org");
    assert!(fields["access_token"].starts_with("gho_"));
}

#[tokio::test]
async fn a_code_is_good_once() {
    let github = Github::start();
    let code = github.code("octocat", "").await;
    assert_eq!(github.exchange(&[("code", &code)]).await.status(), 200);
    assert_eq!(error(&github, &[("code", &code)]).await, "bad_verification_code");
    assert_eq!(
        error(&github, &[("code", "invented")]).await,
        "bad_verification_code"
    );
    assert_eq!(error(&github, &[]).await, "bad_verification_code");
}

#[tokio::test]
async fn a_code_is_good_for_ten_minutes() {
    let github = Github::start();
    let (early, late) = (github.code("octocat", "").await, github.code("octocat", "").await);
    github.clock.advance(Duration::from_secs(599));
    assert_eq!(error(&github, &[("code", &early)]).await, "");
    github.clock.advance(Duration::from_secs(1));
    assert_eq!(error(&github, &[("code", &late)]).await, "bad_verification_code");
}

#[tokio::test]
async fn another_redirect_uri_is_a_mismatch() {
    let github = Github::start();
    let code = github.code("octocat", "").await;
    let form = [
        ("code", code.as_str()),
        ("redirect_uri", "https://auth.example.com/callback/other"),
    ];
    assert_eq!(error(&github, &form).await, "redirect_uri_mismatch");
}

#[tokio::test]
async fn wrong_client_credentials_are_refused_and_spend_no_code() {
    let github = Github::start();
    let code = github.code("octocat", "").await;
    for (id, secret) in [("app", "wrong"), ("other", "s3cret"), ("app", "")] {
        let form = [("client_id", id), ("client_secret", secret), ("code", &code)];
        let answer = github
            .client
            .post(github.url("/login/oauth/access_token"))
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert!(
            answer
                .text()
                .await
                .unwrap()
                .starts_with("error=incorrect_client_credentials&")
        );
    }
    assert_eq!(error(&github, &[("code", &code)]).await, "");
}

#[tokio::test]
async fn client_credentials_may_come_as_http_basic() {
    let github = Github::start();
    let code = github.code("octocat", "").await;
    let request = github
        .client
        .post(github.url("/login/oauth/access_token"))
        .form(&[("code", &code)]);
    let answer = request
        .basic_auth("app", Some("s3cret"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(answer.starts_with("access_token=gho_"), "{answer}");
}

#[tokio::test]
async fn a_challenge_needs_its_verifier() {
    let github = Github::start();
    let challenge = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
    for (verifier, expected) in [
        (None, "bad_verification_code"),
        (Some("guessed"), "bad_verification_code"),
        (Some(VERIFIER), ""),
    ] {
        let code = returned(&github.press(&challenge, Some("octocat")).await)["code"].clone();
        let mut form = vec![("code", code.as_str())];
        form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        assert_eq!(error(&github, &form).await, expected);
    }
}
