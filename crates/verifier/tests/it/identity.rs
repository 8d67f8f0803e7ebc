//! What the server behind is told.

use actix_web::http::StatusCode;
use serde_json::json;

use crate::{
    signer::Signer,
    stand::{ECHO, NOW, Stand, about, configured, settings},
};
use mcp_gateway_verifier::PassToken;

const ALL: [&str; 5] = [
    "x-user-id",
    "x-user-name",
    "x-auth-client",
    "x-auth-scope",
    "x-auth-token",
];

#[actix_web::test]
async fn every_identity_header_is_always_sent_and_authorization_never() {
    let stand = Stand::new();
    let answer = stand.verify(&stand.token()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, "");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(
        ALL.map(|name| answer.header(name)),
        [
            Some("583231"),
            Some("OctoCat"),
            Some("https://client.example/metadata?v=1%20b"),
            Some("read"),
            Some("")
        ]
    );
    assert_eq!(answer.header("authorization"), None);
}

#[actix_web::test]
async fn identity_headers_of_the_client_are_not_repeated() {
    let stand = Stand::new();
    let forged = |request: actix_web::test::TestRequest| {
        ALL.into_iter()
            .chain(["x_user_id", "x-auth-groups"])
            .fold(request, |r, name| r.insert_header((name, "admin")))
            .insert_header((
                "connection",
                "x-user-id, x-user-name, x-auth-scope, authorization, x-forwarded-host",
            ))
    };
    let token = format!("Bearer {}", stand.token());
    let answer = stand
        .ask(forged(about(ECHO)).insert_header(("authorization", token)))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("x-user-id"), Some("583231"));
    assert_eq!(answer.header("x-auth-token"), Some(""));
    assert!(!format!("{:?}", answer.headers).contains("admin"));
    let refused = stand.ask(forged(about(ECHO))).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(!format!("{:?}", refused.headers).contains("admin"));
}

#[actix_web::test]
async fn a_refused_request_has_no_identity() {
    let stand = Stand::new();
    for token in [stand.token() + "A", stand.token_where("exp", json!(NOW))] {
        let answer = stand.verify(&token).await;
        assert_eq!(ALL.map(|name| answer.header(name)), [None; 5]);
    }
}

#[actix_web::test]
async fn the_token_reaches_the_server_behind_only_if_the_operator_says_so() {
    let mut settings = settings(configured());
    settings.pass_token = PassToken::Bearer;
    let stand = Stand::with(settings, Signer::ed25519());
    let token = stand.token();
    let answer = stand.verify(&token).await;
    assert_eq!(answer.header("x-auth-token"), Some(token.as_str()));
    assert_eq!(answer.header("authorization"), None);
}

#[actix_web::test]
async fn a_name_is_percent_encoded_utf_8() {
    let stand = Stand::new();
    for (name, header) in [
        ("octocat", "octocat"),
        ("Zoë", "Zo%C3%AB"),
        ("a b%c", "a%20b%25c"),
        ("x\r\nx-user-id: 1", "x%0D%0Ax-user-id:%201"),
        ("", ""),
    ] {
        let answer = stand.verify(&stand.token_where("username", json!(name))).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        assert_eq!(answer.header("x-user-name"), Some(header));
        assert_eq!(answer.header("x-user-id"), Some("583231"));
    }
}

#[actix_web::test]
async fn scopes_are_words_separated_by_single_spaces() {
    let stand = Stand::new();
    let answer = stand
        .verify(&stand.token_where("scope", json!("write  read")))
        .await;
    assert_eq!(answer.header("x-auth-scope"), Some("read write"));
}
