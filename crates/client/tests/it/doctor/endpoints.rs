//! The authorization server's endpoints.

use actix_web::HttpResponse;
use serde_json::json;

use super::stand::{OAUTH, metadata, only, open, passing, place};
use crate::support::site;

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_named() {
    let report = only("broken-endpoint", |_, asked| {
        (place(asked) == ("POST", "/token")).then(|| open(404).finish())
    })
    .await;
    assert_eq!(passing(&report), Vec::<&str>::new());
    let report = only("broken-endpoint", |base, asked| {
        let at = format!("{base}/oauth/authorize");
        (place(asked).1 == OAUTH).then(|| metadata(base, |it| it["authorization_endpoint"] = at.into()))
    })
    .await;
    assert!(
        report.findings[0].seen[0].contains("/oauth/authorize"),
        "{report:?}"
    );
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}/token", listener.local_addr().unwrap());
    drop(listener);
    only("broken-endpoint", move |base, asked| {
        (place(asked).1 == OAUTH).then(|| metadata(base, |it| it["token_endpoint"] = at.clone().into()))
    })
    .await;
}

#[tokio::test]
async fn a_page_for_an_error_of_the_token_endpoint_is_named() {
    only("token-errors", |_, asked| {
        (place(asked) == ("POST", "/token")).then(|| open(400).content_type("text/html").body("<p>no"))
    })
    .await;
}

#[tokio::test]
async fn an_error_with_status_200_is_named() {
    let report = only("token-errors", |_, asked| {
        (place(asked) == ("POST", "/token")).then(|| open(200).json(json!({"error": "bad_refresh_token"})))
    })
    .await;
    assert!(report.findings[0].seen[0].contains("status 200"), "{report:?}");
}

#[tokio::test]
async fn an_authorization_endpoint_that_leads_anywhere_is_named() {
    only("open-redirect", |_, asked| {
        let (_, query) = asked.path.split_once("/authorize?")?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let to = pairs.find(|(name, _)| name == "redirect_uri")?.1;
        let to = ("Location", format!("{to}?error=invalid_request"));
        Some(HttpResponse::Found().append_header(to).finish())
    })
    .await;
}

#[tokio::test]
async fn a_login_page_at_the_authorization_endpoint_is_no_fault() {
    let site = super::stand::start(|_, asked| (place(asked).1 == "/authorize").then(|| site::page(200)));
    let report = super::stand::examine(&site.at("/mcp")).await;
    assert_eq!(super::stand::ids(&report), Vec::<&str>::new());
}
