//! The page where a person types the code of a device: <https://www.rfc-editor.org/rfc/rfc8628#section-3.3>.

use std::time::Duration;

use mcp_gateway_auth_server::Limits;
use mcp_gateway_model::{clock::Clock, secret::Digest};
use mcp_gateway_sandbox::github::{Endpoint, Fault};
use mcp_gateway_store::{Rate, Store};
use reqwest::StatusCode;

use crate::support::{
    device::{Stand, fields},
    login::{Browser, Got},
};

const WRONG: &str = "This code leads nowhere.";

fn is_consent(page: &Got) -> bool {
    page.status == StatusCode::OK && page.title() == "Allow access?"
}

fn is_wrong(page: &Got) -> bool {
    page.status == StatusCode::BAD_REQUEST && page.body.contains(WRONG)
}

#[actix_web::test]
async fn a_code_in_the_address_is_not_looked_at() {
    let stand = Stand::start().await;
    let code = stand.ask("read").await.text("user_code");
    let base = &stand.site.base;
    for query in [format!("?user_code={code}"), format!("?code={code}")] {
        let page = Browser::new(&stand.site)
            .get(&format!("{base}/device{query}"))
            .await;
        assert_eq!((page.status, page.title()), (StatusCode::OK, "Connect a device"));
        assert!(!page.body.contains(&code));
        assert!(!page.body.contains(code.split('-').next().unwrap()));
    }
    let named = format!("{base}/device?code={code}");
    let browser = Browser::new(&stand.site);
    let page = stand.typed_at(&browser, &named, "").await;
    assert!(is_wrong(&page), "{}", page.body);
}

#[actix_web::test]
async fn capitals_dashes_and_spaces_do_not_matter() {
    let stand = Stand::start().await;
    for change in [
        |code: &str| code.to_owned(),
        |code: &str| code.to_lowercase(),
        |code: &str| code.replace('-', ""),
        |code: &str| format!("  {} ", code.replace('-', " ")),
    ] {
        let code = stand.ask("read").await.text("user_code");
        let page = stand.typed(&Browser::new(&stand.site), &change(&code)).await;
        assert!(is_consent(&page), "{}", page.body);
    }
}

#[actix_web::test]
async fn the_consent_page_names_client_code_resource_and_scopes_and_warns() {
    let stand = Stand::start().await;
    let code = stand.ask("write").await.text("user_code");
    let page = stand.typed(&Browser::new(&stand.site), &code).await;
    for text in [
        "Some Tool",
        &code,
        "https://echo.example.com/mcp",
        "Only go on if you started this on a device in front of you.",
        "Nobody legitimate will send you a code.",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let entry = Browser::new(&stand.site)
        .get(&format!("{}/device", stand.site.base))
        .await;
    assert!(entry.body.contains("Nobody legitimate will send you a code."));
}

#[actix_web::test]
async fn a_wrong_an_ended_and_an_answered_code_look_the_same() {
    let stand = Stand::start().await;
    let browser = Browser::new(&stand.site);
    let ended = stand.ask("read").await.text("user_code");
    stand.advance(600);
    let denied = stand.ask("read").await.text("user_code");
    let consent = stand.typed(&browser, &denied).await;
    browser.decide(&consent, "deny").await;
    let allowed = stand.ask("read").await.text("user_code");
    stand.allow(&browser, &allowed).await;
    let mut pages = Vec::new();
    for code in ["BCDF-GHJK", "not a code", &ended, &denied, &allowed] {
        let page = stand.typed(&Browser::new(&stand.site), code).await;
        assert!(is_wrong(&page), "{code}: {}", page.body);
        let token = fields(&page).remove(0).1;
        pages.push(page.body.replace(&token, ""));
    }
    assert!(pages.windows(2).all(|two| two[0] == two[1]));
}

#[actix_web::test]
async fn a_code_can_be_typed_five_times_wherever_that_is() {
    let stand = Stand::start().await;
    let code = stand.ask("read").await.text("user_code");
    for _ in 0..5 {
        assert!(is_consent(&stand.typed(&Browser::new(&stand.site), &code).await));
    }
    let page = stand.typed(&Browser::new(&stand.site), &code).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    let other = stand.ask("read").await.text("user_code");
    assert!(is_consent(&stand.typed(&Browser::new(&stand.site), &other).await));
}

#[actix_web::test]
async fn what_is_counted_is_named_by_no_code() {
    let stand = Stand::start().await;
    for _ in 0..6 {
        let page = stand.typed(&Browser::new(&stand.site), "BCDF-GHJK").await;
        assert!(is_wrong(&page), "a made-up code was counted: {}", page.body);
    }
    let code = stand.ask("read").await.text("user_code");
    assert!(is_consent(&stand.typed(&Browser::new(&stand.site), &code).await));
    let rate = Rate {
        count: 1,
        period: Duration::from_secs(600),
        burst: 1,
    };
    let bare = code.replace('-', "");
    for guessed in [
        format!("user code {code}"),
        format!("user code of device {code}"),
        format!("user code of device {bare}"),
        code,
        bare,
    ] {
        let name = Digest::of(guessed.as_bytes());
        let now = stand.site.clock.now();
        let wait = stand.site.store.take_permit(&name, rate, now).await.unwrap();
        assert_eq!(wait, None, "{guessed}");
    }
}

#[actix_web::test]
async fn one_browser_can_type_ten_codes_in_ten_minutes() {
    let stand = Stand::start().await;
    let browser = Browser::new(&stand.site);
    for letter in "BCDFGHJKLM".chars() {
        let page = stand.typed(&browser, &format!("BCDFGHJ{letter}")).await;
        assert!(is_wrong(&page), "{letter}");
    }
    let code = stand.ask("read").await.text("user_code");
    let page = stand.typed(&browser, &code).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(is_consent(&stand.typed(&Browser::new(&stand.site), &code).await));
}

#[actix_web::test]
async fn codes_typed_are_limited_by_address() {
    let stand = Stand::start_with(|settings| settings.limits.user_code = Limits::default().user_code).await;
    for letter in "BCDFGHJKLM".chars() {
        let page = stand
            .typed(&Browser::new(&stand.site), &format!("BCDFGHJ{letter}"))
            .await;
        assert!(is_wrong(&page), "{letter}");
    }
    let page = stand.typed(&Browser::new(&stand.site), "BCDFGHJN").await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!page.header("retry-after").is_empty());
}

#[actix_web::test]
async fn a_code_that_another_site_posts_is_not_looked_at() {
    let stand = Stand::start().await;
    let code = stand.ask("read").await.text("user_code");
    let browser = Browser::new(&stand.site);
    let page = browser.get(&format!("{}/device", stand.site.base)).await;
    let mut form = fields(&page);
    form.push(("code".into(), code));
    for headers in [
        vec![("origin", "https://evil.example.com")],
        vec![("origin", "null")],
        vec![("sec-fetch-site", "cross-site")],
        vec![],
    ] {
        let got = browser.post_with("/device", &form, &headers).await;
        assert_eq!(
            (got.status, got.title()),
            (StatusCode::FORBIDDEN, "Sent from another page")
        );
    }
}

#[actix_web::test]
async fn the_form_is_good_only_in_the_browser_that_saw_it() {
    let stand = Stand::start().await;
    let code = stand.ask("read").await.text("user_code");
    let url = format!("{}/device", stand.site.base);
    let (one, two) = (Browser::new(&stand.site), Browser::new(&stand.site));
    let mut form = fields(&one.get(&url).await);
    two.get(&url).await;
    form.push(("code".into(), code));
    for browser in [&two, &Browser::new(&stand.site)] {
        let got = browser.post("/device", &form).await;
        assert_eq!(
            (got.status, got.title()),
            (StatusCode::FORBIDDEN, "Another browser")
        );
    }
    form.retain(|(name, _)| name != "token");
    assert_eq!(one.post("/device", &form).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn the_consent_is_good_only_in_the_browser_that_typed_the_code() {
    let stand = Stand::start().await;
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    let consent = stand.typed(&browser, &asked.text("user_code")).await;
    let other = Browser::new(&stand.site);
    other.get(&format!("{}/device", stand.site.base)).await;
    assert_eq!(
        other.decide(&consent, "allow").await.status,
        StatusCode::FORBIDDEN
    );
    let github = browser.decide(&consent, "allow").await;
    let back = other.get(github.location()).await;
    let elsewhere = other.get(back.location()).await;
    assert_eq!(
        (elsewhere.status, elsewhere.title()),
        (StatusCode::FORBIDDEN, "Another browser")
    );
    let told = stand.poll(&asked.text("device_code")).await;
    assert_eq!(told.error(), "400 authorization_pending");
    let last = browser.get(back.location()).await;
    assert_eq!(last.title(), "You can go back to your device");
}

#[actix_web::test]
async fn a_browser_that_logged_in_is_spared_github_but_never_the_consent() {
    let stand = Stand::start().await;
    let browser = Browser::new(&stand.site);
    let first = stand.ask("read").await.text("user_code");
    stand.allow(&browser, &first).await;
    let second = stand.ask("read").await;
    let consent = stand.typed(&browser, &second.text("user_code")).await;
    assert!(consent.body.contains("You are logged in as"));
    let told = stand.poll(&second.text("device_code")).await;
    assert_eq!(told.error(), "400 authorization_pending");
    let last = browser.decide(&consent, "allow").await;
    assert_eq!(
        (last.status, last.title()),
        (StatusCode::OK, "You can go back to your device")
    );
}

#[actix_web::test]
async fn another_account_is_asked_for_at_github_after_the_code_was_typed_again() {
    let stand = Stand::start().await;
    let browser = Browser::new(&stand.site);
    let first = stand.ask("read").await.text("user_code");
    stand.allow(&browser, &first).await;
    let second = stand.ask("read").await.text("user_code");
    let consent = stand.typed(&browser, &second).await;
    assert!(consent.body.contains("name=\"device\" value=\"yes\""));
    let form = [("device".into(), "yes".into()), ("then".into(), "switch".into())];
    let switched = browser.post("/logout", &form).await;
    let location = switched.location().to_owned();
    assert!(location.ends_with("/device?prompt=select_account"), "{location}");
    let consent = stand.typed_at(&browser, &location, &second).await;
    assert!(!consent.body.contains("You are logged in as"));
    let github = browser.decide(&consent, "allow").await;
    assert!(github.location().contains("prompt=select_account"));
}

#[actix_web::test]
async fn a_denial_at_github_denies_the_device() {
    let stand = Stand::start().await;
    stand.site.github.auto_choose(None);
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    let consent = stand.typed(&browser, &asked.text("user_code")).await;
    let github = browser.decide(&consent, "allow").await;
    let state = url::Url::parse(github.location())
        .unwrap()
        .query_pairs()
        .find(|(name, _)| name == "state")
        .map(|(_, value)| value.into_owned())
        .unwrap();
    let refused = format!("{}/callback?error=access_denied&state={state}", stand.site.base);
    let last = browser.get(&refused).await;
    assert_eq!(
        (last.status, last.title()),
        (StatusCode::OK, "The device gets no access")
    );
    let told = stand.poll(&asked.text("device_code")).await;
    assert_eq!(told.error(), "400 access_denied");
}

#[actix_web::test]
async fn when_github_does_not_answer_the_code_can_be_typed_again() {
    let stand = Stand::start().await;
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    stand.site.github.set_fault_at(Endpoint::User, Fault::Redirect);
    let failed = stand.allow(&browser, &asked.text("user_code")).await;
    assert_eq!(failed.status, StatusCode::BAD_GATEWAY);
    assert!(!failed.body.contains("Return to the application"));
    let told = stand.poll(&asked.text("device_code")).await;
    assert_eq!(told.error(), "400 authorization_pending");
    let again = stand.typed(&browser, &asked.text("user_code")).await;
    assert!(is_consent(&again));
}

#[actix_web::test]
async fn an_answer_that_comes_too_late_is_a_page_and_leaves_no_grant() {
    let stand = Stand::start().await;
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    stand.advance(400);
    let consent = stand.typed(&browser, &asked.text("user_code")).await;
    stand.advance(200);
    for decision in ["allow", "deny"] {
        let got = if decision == "allow" {
            stand.go_on(&browser, &consent).await
        } else {
            browser.decide(&consent, "deny").await
        };
        assert_eq!(got.status, StatusCode::GONE, "{decision}: {}", got.body);
    }
    let told = stand.poll(&asked.text("device_code")).await;
    assert_eq!(told.error(), "400 expired_token");
}

#[actix_web::test]
async fn of_two_browsers_with_one_code_the_first_decision_stands() {
    let stand = Stand::start().await;
    let asked = stand.ask("read").await;
    let (one, two) = (Browser::new(&stand.site), Browser::new(&stand.site));
    let first = stand.typed(&one, &asked.text("user_code")).await;
    let second = stand.typed(&two, &asked.text("user_code")).await;
    one.decide(&first, "deny").await;
    let late = stand.go_on(&two, &second).await;
    assert_eq!(
        (late.status, late.title()),
        (StatusCode::GONE, "Already answered, or too old")
    );
    let told = stand.poll(&asked.text("device_code")).await;
    assert_eq!(told.error(), "400 access_denied");
}

#[actix_web::test]
async fn the_page_exists_on_the_issuers_host_only_and_may_be_framed_by_nobody() {
    let stand = Stand::start().await;
    let url = format!("{}/device", stand.site.base);
    let browser = Browser::new(&stand.site);
    let elsewhere = browser.get_with(&url, &[("host", "echo.example.com")]).await;
    assert_eq!(elsewhere.status, StatusCode::MISDIRECTED_REQUEST);
    let page = browser.get(&url).await;
    let policy = page.header("content-security-policy");
    for rule in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!page.body.contains("<script"));
}
