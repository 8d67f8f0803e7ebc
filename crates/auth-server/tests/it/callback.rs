//! The way back from GitHub.

use std::time::Duration;

use mcp_gateway_model::clock::Clock;
use mcp_gateway_sandbox::github::Endpoint;
use mcp_gateway_store::Store;
use reqwest::StatusCode;

use crate::support::login::{Browser, REDIRECT, Site};

async fn site_and_request() -> (Site, String) {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    (site, request)
}

#[actix_web::test]
async fn a_callback_is_refused_in_another_browser_than_the_one_that_consented() {
    let (site, request) = site_and_request().await;
    let (one, other) = (Browser::new(&site), Browser::new(&site));
    let callback = one.to_github_and_back(&request).await;
    other.to_github_and_back(&request).await;
    let got = other.get(&callback).await;
    assert_eq!(
        (got.status, got.title()),
        (StatusCode::FORBIDDEN, "Another browser")
    );
    assert!(!got.headers.contains_key("location"));
    let got = one.get(&callback).await;
    assert!(
        got.parameter("code").is_some(),
        "the other browser did not use it up"
    );
}

#[actix_web::test]
async fn a_callback_works_once() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let callback = browser.to_github_and_back(&request).await;
    assert!(browser.get(&callback).await.parameter("code").is_some());
    let got = browser.get(&callback).await;
    assert_eq!(
        (got.status, got.title()),
        (StatusCode::GONE, "Already used, or too old")
    );
    assert_eq!(site.github.calls(Endpoint::Token), 1);
}

#[actix_web::test]
async fn each_login_gives_the_browser_a_new_cookie_and_ends_the_old_one() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let first = browser.to_github_and_back(&request).await;
    let second = browser.to_github_and_back(&request).await;
    let cookie = |got: &crate::support::login::Got| {
        let all: Vec<_> = got.headers.get_all("set-cookie").iter().collect();
        let all = all.iter().map(|c| c.to_str().unwrap().to_owned());
        let mut ours: Vec<_> = all.filter(|c| c.contains("browser=")).collect();
        assert_eq!(ours.len(), 1, "{ours:?}");
        let value = ours.remove(0).split(['=', ';']).nth(1).unwrap().to_owned();
        mcp_gateway_model::secret::Digest::of(value.as_bytes())
    };
    let one = cookie(&browser.get(&first).await);
    let two = cookie(&browser.get(&second).await);
    let now = site.clock.now();
    assert_eq!(site.store.browser(&one, now).await.unwrap(), None);
    assert!(site.store.browser(&two, now).await.unwrap().is_some());
}

#[actix_web::test]
async fn of_many_callbacks_at_once_one_gets_a_code() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let callback = browser.to_github_and_back(&request).await;
    let all = futures_util::future::join_all((0..32).map(|_| browser.get(&callback))).await;
    let won = all.iter().filter(|got| got.status == StatusCode::FOUND).count();
    assert_eq!((won, site.github.calls(Endpoint::Token)), (1, 1));
}

#[actix_web::test]
async fn a_login_that_takes_too_long_is_void() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let callback = browser.to_github_and_back(&request).await;
    site.clock.advance(Duration::from_secs(300));
    assert_eq!(browser.get(&callback).await.status, StatusCode::GONE);
    assert_eq!(site.github.calls(Endpoint::Token), 0);
}

#[actix_web::test]
async fn two_logins_in_one_browser_both_finish() {
    let (site, first) = site_and_request().await;
    let client = site.client(&[REDIRECT]).await;
    let second = site.request(&client, &[("state", Some("s-2"))]);
    let browser = Browser::new(&site);
    let (one, two) = (browser.get(&first).await, browser.get(&second).await);
    let one = browser.decide(&one, "allow").await;
    let two = browser.decide(&two, "allow").await;
    let one = browser.get(one.location()).await;
    let two = browser.get(two.location()).await;
    let two = browser.get(two.location()).await;
    let one = browser.get(one.location()).await;
    for (got, state) in [(one, "s-1"), (two, "s-2")] {
        assert!(got.parameter("code").is_some());
        assert_eq!(got.parameter("state").as_deref(), Some(state));
    }
    assert!(
        !browser.cookies().iter().any(|name| name.contains("login")),
        "their cookies are gone"
    );
}

#[actix_web::test]
async fn what_did_not_come_from_github_is_a_page() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let callback = browser.to_github_and_back(&request).await;
    let base = format!("{}/callback", site.base);
    let repeated = format!("{callback}&state=x");
    for url in [base.clone(), format!("{base}?code=x"), repeated] {
        let got = browser.get(&url).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{url}");
    }
    let got = browser.get(&format!("{base}?state=mcp_st_x&code=x")).await;
    assert_eq!(got.status, StatusCode::GONE);
    assert!(browser.get(&callback).await.parameter("code").is_some());
}

#[actix_web::test]
async fn the_token_of_a_consent_form_is_no_state() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let page = browser.get(&request).await;
    let login = page
        .fields()
        .into_iter()
        .find(|(name, _)| name == "login")
        .unwrap()
        .1;
    let got = browser
        .get(&format!("{}/callback?code=x&state={login}", site.base))
        .await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    assert!(!browser.decide(&page, "allow").await.location().is_empty());
}

#[actix_web::test]
async fn a_code_lives_for_a_minute_and_so_does_its_grant_until_it_is_used() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    Browser::new(&site)
        .log_in(&site.request(&client, &[]))
        .await
        .location();
    let now = site.clock.now();
    let grants = site.store.grants_of_client(&client, now).await.unwrap();
    assert_eq!(grants[0].expires_at, now.plus(Duration::from_secs(60)));
    assert_eq!(
        (
            grants[0].subject().as_str(),
            grants[0].user.as_ref().unwrap().login.as_str()
        ),
        ("583231", "octocat")
    );
}

#[actix_web::test]
async fn nothing_that_opens_something_is_readable_at_rest() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let page = browser.get(&request).await;
    let token = page
        .fields()
        .into_iter()
        .find(|(name, _)| name == "login")
        .unwrap()
        .1;
    let key = mcp_gateway_model::secret::Digest::of(token.as_bytes());
    let login = site.store.login(&key, site.clock.now()).await.unwrap().unwrap();
    let text = serde_json::to_string(&login).unwrap();
    assert!(!text.contains("mcp_bl_") && !text.contains("mcp_ft_"), "{text}");
}
