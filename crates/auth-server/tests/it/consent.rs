//! Consent: asked before GitHub, always, in the browser that saw the page, once.

use std::time::Duration;

use mcp_gateway_model::{clock::Clock, issuer::Issuer};
use mcp_gateway_sandbox::github::Endpoint;
use mcp_gateway_store::Store;
use reqwest::StatusCode;

use crate::support::login::{Browser, Got, REDIRECT, Site};

async fn site_and_request() -> (Site, String) {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    (site, request)
}

fn allowing(page: &Got) -> Vec<(String, String)> {
    let mut form = page.fields();
    form.push(("decision".into(), "allow".into()));
    form
}

#[actix_web::test]
async fn nobody_is_sent_to_github_before_they_consented() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let first = browser.get(&request).await;
    browser.log_in(&request).await.location();
    let second = browser.get(&request).await;
    for page in [first, second] {
        assert_eq!((page.status, page.title()), (StatusCode::OK, "Allow access?"));
        assert!(!page.headers.contains_key("location"));
        assert!(!page.body.contains("/login/oauth/authorize"));
    }
    assert_eq!(site.github.calls(Endpoint::Authorize), 1);
}

#[actix_web::test]
async fn a_browser_that_logged_in_is_spared_github_but_never_the_consent() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    let page = browser.get(&request).await;
    assert!(
        page.body
            .contains("You are logged in as <strong>octocat</strong>"),
        "{}",
        page.body
    );
    let got = browser.decide(&page, "allow").await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    assert!(got.parameter("code").is_some());
    assert_eq!(site.github.calls(Endpoint::Authorize), 1);
}

#[actix_web::test]
async fn no_consent_is_remembered_that_a_cross_site_request_could_ride() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    for fetched_from in ["cross-site", "same-site", "same-origin", "none"] {
        let headers = [("sec-fetch-site", fetched_from), ("sec-fetch-mode", "navigate")];
        let page = browser.get_with(&request, &headers).await;
        assert_eq!((page.status, page.title()), (StatusCode::OK, "Allow access?"));
        assert!(!page.headers.contains_key("location"), "{fetched_from}");
    }
    let silent = browser.get(&format!("{request}&prompt=none")).await;
    assert_eq!(silent.parameter("error").as_deref(), Some("interaction_required"));
    assert_eq!(silent.parameter("code"), None);
}

#[actix_web::test]
async fn after_fifteen_minutes_github_is_asked_again() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    site.clock.advance(Duration::from_secs(899));
    assert!(browser.get(&request).await.body.contains("logged in as"));
    let page = browser.get(&request).await;
    site.clock.advance(Duration::from_secs(1));
    assert!(!browser.get(&request).await.body.contains("logged in as"));
    let got = browser.decide(&page, "allow").await;
    assert!(got.location().contains("/login/oauth/authorize?"));
}

#[actix_web::test]
async fn denying_tells_the_client_and_nobody_else() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let page = browser.get(&request).await;
    let got = browser.decide(&page, "deny").await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    assert!(got.location().starts_with(REDIRECT));
    assert_eq!(got.parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(got.parameter("state").as_deref(), Some("s-1"));
    assert_eq!(got.parameter("code"), None);
    assert_eq!(site.github.calls(Endpoint::Authorize), 0);
}

#[actix_web::test]
async fn a_consent_that_another_site_posts_is_not_obeyed() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    let page = browser.get(&request).await;
    let form = allowing(&page);
    for headers in [
        vec![],
        vec![("origin", "https://evil.example.com")],
        vec![("origin", "null")],
        vec![("origin", "null"), ("sec-fetch-site", "same-origin")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("sec-fetch-site", "none")],
        vec![("origin", &*site.issuer), ("origin", "https://evil.example.com")],
    ] {
        let got = browser.post_with("/consent", &form, &headers).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    let same_origin = [("sec-fetch-site", "same-origin")];
    let got = browser.post_with("/consent", &form, &same_origin).await;
    assert!(
        got.parameter("code").is_some(),
        "the form was not used up by the others"
    );
}

#[actix_web::test]
async fn a_consent_form_is_good_only_in_the_browser_that_saw_it() {
    let (site, request) = site_and_request().await;
    let (attacker, victim) = (Browser::new(&site), Browser::new(&site));
    let form = allowing(&attacker.get(&request).await);
    let without_cookie = victim.post("/consent", &form).await;
    assert_eq!(
        (without_cookie.status, without_cookie.title()),
        (StatusCode::FORBIDDEN, "Another browser")
    );
    victim.log_in(&request).await.location();
    victim.get(&request).await;
    let with_own_cookie = victim.post("/consent", &form).await;
    assert_eq!(with_own_cookie.status, StatusCode::FORBIDDEN);
    let still_good = attacker.post("/consent", &form).await;
    assert!(still_good.location().contains("/login/oauth/authorize?"));
}

#[actix_web::test]
async fn no_field_of_the_form_can_be_changed() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let (one, two) = (browser.get(&request).await, browser.get(&request).await);
    for field in ["login", "token", "account"] {
        let mut form = allowing(&one);
        let place = form.iter().position(|(name, _)| name == field).unwrap();
        form[place].1 = match field {
            "account" => "any::583231".into(),
            _ => two.fields()[place].1.clone(),
        };
        let got = browser.post("/consent", &form).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "{field}");
        form.remove(place);
        let got = browser.post("/consent", &form).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{field}");
    }
    let got = browser.decide(&one, "maybe").await;
    assert_eq!(
        (got.status, got.title()),
        (StatusCode::BAD_REQUEST, "This form is not complete")
    );
}

#[actix_web::test]
async fn a_consent_form_is_answered_once() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let page = browser.get(&request).await;
    browser.decide(&page, "allow").await.location();
    for decision in ["allow", "deny"] {
        let got = browser.decide(&page, decision).await;
        assert_eq!(
            (got.status, got.title()),
            (StatusCode::GONE, "Already answered, or too old")
        );
    }
}

#[actix_web::test]
async fn of_many_answers_at_once_one_counts() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    let page = browser.get(&request).await;
    let all = futures_util::future::join_all((0..32).map(|_| browser.decide(&page, "allow"))).await;
    let won = all
        .iter()
        .filter(|got| got.status == StatusCode::SEE_OTHER)
        .count();
    assert_eq!(won, 1);
}

#[actix_web::test]
async fn a_consent_that_waited_too_long_is_void() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let page = browser.get(&request).await;
    site.clock.advance(Duration::from_secs(300));
    assert_eq!(browser.decide(&page, "allow").await.status, StatusCode::GONE);
}

#[actix_web::test]
async fn a_page_that_showed_nobody_does_not_become_a_code_without_github() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    let before = browser.get(&request).await;
    browser.log_in(&request).await.location();
    let got = browser.decide(&before, "allow").await;
    assert!(
        got.location().contains("/login/oauth/authorize?"),
        "{}",
        got.location()
    );
}

#[actix_web::test]
async fn a_page_that_showed_somebody_else_does_not_become_their_code() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    let shown_octocat = browser.get(&request).await;
    site.github.auto_choose(Some("hubot"));
    let form = vec![("then".to_owned(), "end".to_owned())];
    assert_eq!(browser.post("/logout", &form).await.status, StatusCode::OK);
    browser.log_in(&request).await.location();
    let got = browser.decide(&shown_octocat, "allow").await;
    assert!(
        got.location().contains("/login/oauth/authorize?"),
        "{}",
        got.location()
    );
}

#[actix_web::test]
async fn a_client_that_is_removed_meanwhile_gets_nothing() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    let page = browser.get(&request).await;
    site.store.end_client(&client, site.clock.now()).await.unwrap();
    let got = browser.decide(&page, "allow").await;
    assert_eq!(
        (got.status, got.title()),
        (StatusCode::BAD_REQUEST, "No longer possible")
    );
}

#[actix_web::test]
async fn logging_out_makes_github_necessary_again() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    let got = browser.post("/logout", &[]).await;
    assert_eq!(got.title(), "You are logged out");
    assert!(!got.body.contains("<button"), "{}", got.body);
    assert!(!browser.get(&request).await.body.contains("logged in as"));
    assert!(!browser.cookies().iter().any(|name| name.ends_with("browser")));
}

#[actix_web::test]
async fn another_site_cannot_log_anybody_out() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    let got = browser
        .post_with("/logout", &[], &[("origin", "https://evil.example.com")])
        .await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    assert!(browser.get(&request).await.body.contains("logged in as"));
}

#[actix_web::test]
async fn switching_the_account_asks_again_and_leads_nowhere_else() {
    let (site, request) = site_and_request().await;
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    let query = request.split_once('?').unwrap().1;
    let form = |request: &str| {
        vec![
            ("then".to_owned(), "switch".to_owned()),
            ("request".to_owned(), request.to_owned()),
        ]
    };
    let got = browser.post("/logout", &form(query)).await;
    assert!(got.location().starts_with(&format!("{}/authorize?", site.issuer)));
    assert_eq!(got.parameter("prompt").as_deref(), Some("select_account"));
    let page = browser.get(got.location()).await;
    let allowed = browser.decide(&page, "allow").await;
    assert_eq!(allowed.parameter("prompt").as_deref(), Some("select_account"));
    for elsewhere in ["//evil.example.com", "https://evil.example.com/?x", "\r\nx: y"] {
        let got = browser.post("/logout", &form(elsewhere)).await;
        assert!(got.location().starts_with(&format!("{}/authorize?", site.issuer)));
    }
}

#[actix_web::test]
async fn the_wish_for_another_account_and_the_hint_reach_github() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    browser.log_in(&site.request(&client, &[])).await.location();
    for (prompt, hint, login) in [
        ("login", "hubot", Some("hubot")),
        ("consent select_account", "who@example.com", None),
    ] {
        let changes = [("prompt", Some(prompt)), ("login_hint", Some(hint))];
        let page = browser.get(&site.request(&client, &changes)).await;
        assert!(!page.body.contains("logged in as"));
        let got = browser.decide(&page, "allow").await;
        assert_eq!(got.parameter("prompt").as_deref(), Some("select_account"));
        assert_eq!(got.parameter("login").as_deref(), login);
    }
}

#[actix_web::test]
async fn over_tls_every_cookie_is_bound_to_the_host() {
    let site = Site::start_with(|settings| {
        settings.issuer = Issuer::parse("https://auth.example.com").unwrap();
    })
    .await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    let host = ("host", "auth.example.com");
    let page = browser.get_with(&site.request(&client, &[]), &[host]).await;
    let origin = ("origin", "https://auth.example.com");
    let allowed = browser
        .post_with("/consent", &allowing(&page), &[host, origin])
        .await;
    for got in [page, allowed] {
        let cookie = got.header("set-cookie");
        assert!(cookie.starts_with("__Host-mcpgw-"), "{cookie}");
        for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"));
    }
}
