//! Every answer names the issuer: <https://www.rfc-editor.org/rfc/rfc9207#section-2>.

use crate::support::login::{Browser, REDIRECT, Site};

#[actix_web::test]
async fn codes_and_errors_name_the_issuer_once() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    let request = site.request(&client, &[]);
    let wrong = browser
        .get(&site.request(&client, &[("response_type", Some("token"))]))
        .await;
    let page = browser.get(&request).await;
    let denied = browser.decide(&page, "deny").await;
    let allowed = browser.log_in(&request).await;
    for got in [wrong, denied, allowed] {
        assert_eq!(
            got.parameter("iss"),
            Some(site.issuer.clone()),
            "{}",
            got.location()
        );
    }
}
