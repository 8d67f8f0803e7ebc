//! Every answer names the issuer: <https://www.rfc-editor.org/rfc/rfc9207#section-2>.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use serde_json::Value;

use crate::support::login::{Browser, Got, REDIRECT, Site};

/// A refusal without a page, a refusal by the person, and a code.
async fn answers(site: &Site) -> [Got; 3] {
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(site);
    let request = site.request(&client, &[]);
    let wrong = browser
        .get(&site.request(&client, &[("response_type", Some("token"))]))
        .await;
    let page = browser.get(&request).await;
    let denied = browser.decide(&page, "deny").await;
    let allowed = browser.log_in(&request).await;
    [wrong, denied, allowed]
}

async fn says_so(site: &Site) -> bool {
    let url = format!("{}/.well-known/oauth-authorization-server", site.base);
    let document: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    document["authorization_response_iss_parameter_supported"]
        .as_bool()
        .unwrap()
}

#[actix_web::test]
async fn codes_and_errors_name_the_issuer_once() {
    let site = Site::start().await;
    assert!(says_so(&site).await);
    for got in answers(&site).await {
        assert_eq!(
            got.parameter("iss"),
            Some(site.issuer.clone()),
            "{}",
            got.location()
        );
    }
}

#[actix_web::test]
async fn where_it_is_turned_off_nothing_names_the_issuer_and_the_metadata_says_so() {
    let site = Site::start_with(|settings| settings.offers.iss = false).await;
    assert!(!says_so(&site).await);
    for got in answers(&site).await {
        assert_eq!(got.parameter("iss"), None, "{}", got.location());
        assert!(got.parameter("state").is_some());
    }
}
