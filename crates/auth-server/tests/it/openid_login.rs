//! OpenID Connect Core §3.1.2: what an authorization request may ask of a login.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_auth_server::Settings;
use mcp_gateway_model::{id::ClientId, key::Algorithm};
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{
    desk::VERIFIER,
    login::{Browser, Got, REDIRECT, Site},
};

fn offering(settings: &mut Settings) {
    settings.offers.openid = Some(Algorithm::EdDsa);
}

/// Redeems the code that a client was sent.
async fn redeemed(site: &Site, client: &ClientId, sent: &Got) -> Value {
    let code = sent.parameter("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", client.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.post(format!("{}/token", site.base)).form(&form);
    let text = answer.send().await.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What a token says, as anybody can read it; its signature is looked at elsewhere.
fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[actix_web::test]
async fn the_nonce_of_the_request_comes_back_in_the_id_token() {
    let site = Site::start_with(offering).await;
    let client = site.client(&[REDIRECT]).await;
    let nonce = "n-0S6_\u{1F980} \"+%26";
    let request = site.request(
        &client,
        &[("scope", Some("openid email read")), ("nonce", Some(nonce))],
    );
    let sent = Browser::new(&site).log_in(&request).await;
    let answer = redeemed(&site, &client, &sent).await;
    assert_eq!(answer["scope"], "email openid read");
    let said = claims(&answer["id_token"]);
    assert_eq!(said["nonce"], nonce);
    assert_eq!(said["sub"], "583231");
    assert_eq!(said["iss"], site.issuer);
    assert_eq!(said["auth_time"], 1_800_000_000);
}

#[actix_web::test]
async fn a_nonce_that_is_too_long_or_no_text_is_refused() {
    let site = Site::start_with(offering).await;
    let client = site.client(&[REDIRECT]).await;
    for nonce in ["n".repeat(513), "a\u{0}b".into(), "a\r\nb".into()] {
        let request = site.request(&client, &[("nonce", Some(&nonce))]);
        let got = Browser::new(&site).get(&request).await;
        assert_eq!(got.parameter("error").as_deref(), Some("invalid_request"));
        assert!(got.parameter("error_description").unwrap().contains("nonce"));
    }
    let longest = "n".repeat(512);
    let request = site.request(&client, &[("nonce", Some(&longest))]);
    assert_eq!(Browser::new(&site).get(&request).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn profile_and_email_mean_nothing_without_openid() {
    let site = Site::start_with(offering).await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[("scope", Some("profile email read"))]);
    let sent = Browser::new(&site).log_in(&request).await;
    let answer = redeemed(&site, &client, &sent).await;
    assert_eq!(answer["scope"], "read");
    assert_eq!(answer.get("id_token"), None);
}

#[actix_web::test]
async fn scopes_about_the_person_are_dropped_where_no_id_tokens_are_issued() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(
        &client,
        &[("scope", Some("openid profile email read")), ("nonce", Some("n"))],
    );
    let sent = Browser::new(&site).log_in(&request).await;
    let answer = redeemed(&site, &client, &sent).await;
    assert_eq!(answer["scope"], "read");
    assert_eq!(answer.get("id_token"), None);
}

#[actix_web::test]
async fn a_login_older_than_max_age_leads_to_github_again() {
    let site = Site::start_with(offering).await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    browser.log_in(&site.request(&client, &[])).await.location();
    site.clock.advance(Duration::from_secs(100));
    let with =
        |age: &'static str| site.request(&client, &[("scope", Some("openid read")), ("max_age", Some(age))]);
    let page = browser.get(&with("101")).await;
    assert!(page.body.contains("You are logged in as"), "{}", page.body);
    let sent = browser.decide(&page, "allow").await;
    let said = claims(&redeemed(&site, &client, &sent).await["id_token"]);
    assert_eq!(said["auth_time"], 1_800_000_000);
    for age in ["100", "0"] {
        let page = browser.get(&with(age)).await;
        assert!(!page.body.contains("You are logged in as"), "{age}");
    }
    let sent = browser.log_in(&with("0")).await;
    let said = claims(&redeemed(&site, &client, &sent).await["id_token"]);
    assert_eq!(said["auth_time"], 1_800_000_100);
}

#[actix_web::test]
async fn a_login_that_grows_too_old_on_the_consent_page_leads_to_github() {
    let site = Site::start_with(offering).await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    browser.log_in(&site.request(&client, &[])).await.location();
    let page = browser
        .get(&site.request(&client, &[("max_age", Some("60"))]))
        .await;
    assert!(page.body.contains("You are logged in as"));
    site.clock.advance(Duration::from_secs(60));
    let next = browser.decide(&page, "allow").await;
    assert!(next.location().contains("/login/oauth/authorize"));
}

#[actix_web::test]
async fn a_max_age_that_is_no_number_is_refused() {
    let site = Site::start_with(offering).await;
    let client = site.client(&[REDIRECT]).await;
    for age in ["-1", "soon", "1.5"] {
        let request = site.request(&client, &[("max_age", Some(age))]);
        let got = Browser::new(&site).get(&request).await;
        assert_eq!(
            got.parameter("error").as_deref(),
            Some("invalid_request"),
            "{age}"
        );
    }
}

#[actix_web::test]
async fn an_id_token_hint_lets_nobody_else_log_in() {
    let site = Site::start_with(offering).await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[("scope", Some("openid read"))]);
    let browser = Browser::new(&site);
    let sent = browser.log_in(&request).await;
    let answer = redeemed(&site, &client, &sent).await;
    let hint = answer["id_token"].as_str().unwrap();
    let hinted = site.request(&client, &[("id_token_hint", Some(hint))]);
    let again = browser.get(&hinted).await;
    assert!(again.body.contains("You are logged in as"));
    assert!(browser.decide(&again, "allow").await.parameter("code").is_some());
    // Long after it ended the hint still says who is meant.
    site.clock.advance(Duration::from_secs(86_400));
    site.github.auto_choose(Some("hubot"));
    let other = Browser::new(&site).log_in(&hinted).await;
    assert_eq!(other.parameter("error").as_deref(), Some("login_required"));
    assert_eq!(other.parameter("code"), None);
    site.github.auto_choose(Some("octocat"));
    let same = Browser::new(&site).log_in(&hinted).await;
    assert!(same.parameter("code").is_some());
}

#[actix_web::test]
async fn a_hint_that_is_no_id_token_of_ours_is_refused() {
    let site = Site::start_with(offering).await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[("scope", Some("openid read"))]);
    let sent = Browser::new(&site).log_in(&request).await;
    let answer = redeemed(&site, &client, &sent).await;
    let access_token = answer["access_token"].as_str().unwrap();
    let forged = format!("{}x", answer["id_token"].as_str().unwrap());
    for hint in [access_token, &forged, "octocat"] {
        let hinted = site.request(&client, &[("id_token_hint", Some(hint))]);
        let got = Browser::new(&site).get(&hinted).await;
        assert_eq!(got.parameter("error").as_deref(), Some("invalid_request"));
    }
}

#[actix_web::test]
async fn parameters_that_ask_for_nothing_here_change_nothing() {
    let site = Site::start_with(offering).await;
    let client = site.client(&[REDIRECT]).await;
    for (name, value) in [
        ("acr_values", "urn:mace:incommon:iap:silver"),
        ("display", "popup"),
        ("ui_locales", "fr-CA fr en"),
        ("claims", "{\"id_token\":{\"email\":{\"essential\":true}}}"),
        ("prompt", "consent"),
    ] {
        let request = site.request(&client, &[(name, Some(value))]);
        let sent = Browser::new(&site).log_in(&request).await;
        assert!(sent.parameter("code").is_some(), "{name}");
    }
}
