//! How long registrations live: what anybody can cause is short, what a person allowed is long.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use mcp_gateway_model::{client::Client, clock::Clock, id::ClientId};
use mcp_gateway_store::Store;

use crate::support::{
    desk::{Desk, START},
    login::{Browser, REDIRECT, Site},
};

const DAY: u64 = 86_400;

async fn record(site: &Site, client: &ClientId) -> Client {
    let found = site.store.client(client, site.clock.now()).await.unwrap();
    found.unwrap()
}

#[actix_web::test]
async fn coming_to_authorize_without_a_person_keeps_a_client_no_longer_than_a_day() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    for _ in 0..3 {
        Browser::new(&site).get(&request).await;
        site.clock.advance(Duration::from_secs(600));
    }
    let kept = record(&site, &client).await;
    assert!(!kept.seen);
    // The next full hour: the record is not written at every request.
    assert_eq!(kept.expires_at.unwrap().secs(), START + DAY + 3600);
    site.clock.advance(Duration::from_secs(DAY + 3600));
    let got = Browser::new(&site).get(&request).await;
    assert_eq!(got.title(), "Unknown application");
}

#[actix_web::test]
async fn who_denies_or_is_not_let_in_keeps_no_client() {
    let site = Site::start().await;
    site.github.auto_choose(Some("monalisa"));
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    let browser = Browser::new(&site);
    let page = browser.get(&request).await;
    browser.decide(&page, "deny").await.location();
    let refused = browser.log_in(&request).await;
    assert_eq!(refused.title(), "You are not allowed in");
    let kept = record(&site, &client).await;
    assert!(!kept.seen && kept.expires_at.unwrap().secs() <= START + DAY + 3600);
}

#[actix_web::test]
async fn a_client_that_a_person_allowed_something_stays_for_its_lifetime() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    Browser::new(&site).log_in(&request).await.location();
    let kept = record(&site, &client).await;
    assert!(kept.seen);
    assert_eq!(kept.expires_at.unwrap().secs(), START + 90 * DAY + 3600);
    site.clock.advance(Duration::from_secs(91 * DAY));
    let got = Browser::new(&site).get(&request).await;
    assert_eq!(got.title(), "Unknown application");
}

#[actix_web::test]
async fn a_client_outlives_its_grant() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    let id = ClientId::parse(&client.id).unwrap();
    let kept = desk.store.client(&id, desk.now()).await.unwrap().unwrap();
    assert!(kept.seen && kept.expires_at.unwrap().secs() >= START + 365 * DAY);
    desk.advance(364 * DAY);
    let answer = desk.refresh(&client, &refresh, &[]).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
}
