//! Users whom the operator threw out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use mcp_gateway_model::{access::Person, clock::Clock};
use mcp_gateway_store::Store;
use reqwest::StatusCode;

use crate::support::{
    desk::Desk,
    login::{Browser, REDIRECT, Site},
};

async fn block(site: &Site, person: &str) {
    let person = Person::parse(person).unwrap();
    site.store.block(&person, site.clock.now()).await.unwrap();
}

#[actix_web::test]
async fn a_login_under_way_ends_when_its_user_is_blocked() {
    for person in ["octocat", "583231"] {
        let site = Site::start().await;
        let request = site.request(&site.client(&[REDIRECT]).await, &[]);
        let browser = Browser::new(&site);
        let callback = browser.to_github_and_back(&request).await;
        block(&site, person).await;
        let got = browser.get(&callback).await;
        assert_eq!(
            (got.status, got.title()),
            (StatusCode::FORBIDDEN, "You are not allowed in"),
            "{person}"
        );
        assert!(!browser.cookies().iter().any(|name| name.ends_with("browser")));
    }
}

#[actix_web::test]
async fn a_browser_that_logged_in_is_of_no_use_to_a_blocked_user() {
    let site = Site::start().await;
    let request = site.request(&site.client(&[REDIRECT]).await, &[]);
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    let page = browser.get(&request).await;
    block(&site, "octocat").await;
    let got = browser.decide(&page, "allow").await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    assert!(!browser.cookies().iter().any(|name| name.ends_with("browser")));
}

#[actix_web::test]
async fn a_user_who_never_came_is_blocked_by_login_and_let_in_again() {
    let site = Site::start().await;
    let request = site.request(&site.client(&[REDIRECT]).await, &[]);
    block(&site, "OctoCat").await;
    let got = Browser::new(&site).log_in(&request).await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    let person = Person::parse("octocat").unwrap();
    site.store.unblock(&person).await.unwrap();
    let got = Browser::new(&site).log_in(&request).await;
    assert!(got.parameter("code").is_some());
}

#[actix_web::test]
async fn a_blocked_number_does_not_come_back_under_another_login() {
    let site = Site::start_with(|settings| {
        settings.allowed_users = mcp_gateway_model::access::AllowedUsers::Everybody;
    })
    .await;
    let request = site.request(&site.client(&[REDIRECT]).await, &[]);
    Browser::new(&site).log_in(&request).await.location();
    block(&site, "octocat").await;
    assert!(site.github.rename(583_231, "octocat-renamed"));
    site.github.auto_choose(Some("octocat-renamed"));
    let got = Browser::new(&site).log_in(&request).await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn codes_and_tokens_of_a_blocked_user_end() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    let code = desk.code(&client).await;
    let person = Person::parse("octocat").unwrap();
    let blocked = desk.store.block(&person, desk.now()).await.unwrap();
    assert_eq!(blocked.grants, 2);
    assert_eq!(
        desk.redeem(&client, &code, &[]).await.error(),
        "400 invalid_grant"
    );
    assert_eq!(
        desk.refresh(&client, &refresh, &[]).await.error(),
        "400 invalid_grant"
    );
    desk.store.unblock(&person).await.unwrap();
    assert_eq!(
        desk.refresh(&client, &refresh, &[]).await.error(),
        "400 invalid_grant"
    );
    desk.tokens(&client).await;
}
