//! Who is let in.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use mcp_gateway_model::{access::AllowedUsers, id::Login};
use mcp_gateway_sandbox::github::User;
use mcp_gateway_store::Store;
use reqwest::StatusCode;

use crate::support::login::{Browser, Got, REDIRECT, Site};

async fn site_for(allowed: &str) -> (Site, String) {
    let allowed = AllowedUsers::parse(allowed).unwrap();
    let site = Site::start_with(|settings| settings.allowed_users = allowed).await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    (site, request)
}

async fn log_in(site: &Site, request: &str, login: &str) -> Got {
    site.github.auto_choose(Some(login));
    Browser::new(site).log_in(request).await
}

#[actix_web::test]
async fn logins_in_any_case_numbers_and_the_star_let_people_in() {
    for allowed in ["OCTOCAT", "583231", "hubot,octocat", "*"] {
        let (site, request) = site_for(allowed).await;
        let got = log_in(&site, &request, "octocat").await;
        assert!(got.parameter("code").is_some(), "{allowed}");
    }
}

#[actix_web::test]
async fn an_empty_allow_list_lets_nobody_in() {
    let (site, request) = site_for("").await;
    let got = log_in(&site, &request, "octocat").await;
    assert_eq!(
        (got.status, got.title()),
        (StatusCode::FORBIDDEN, "You are not allowed in")
    );
}

#[actix_web::test]
async fn somebody_who_took_an_allowed_login_is_not_let_in() {
    let (site, request) = site_for("octocat").await;
    assert!(
        log_in(&site, &request, "octocat")
            .await
            .parameter("code")
            .is_some()
    );
    assert!(site.github.rename(583_231, "octocat-renamed"));
    site.github.put_user(User::new(666, "octocat"));
    let got = log_in(&site, &request, "octocat").await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    assert!(
        got.body.contains("belonged to another GitHub account"),
        "{}",
        got.body
    );
    let login = Login::parse("octocat").unwrap();
    site.store.unpin(&login).await.unwrap();
    assert!(
        log_in(&site, &request, "octocat")
            .await
            .parameter("code")
            .is_some()
    );
}

#[actix_web::test]
async fn an_allowed_number_is_let_in_under_any_name() {
    let (site, request) = site_for("583231").await;
    assert!(site.github.rename(583_231, "octocat-renamed"));
    let got = log_in(&site, &request, "octocat-renamed").await;
    assert!(got.parameter("code").is_some());
}

#[actix_web::test]
async fn a_refused_person_sees_who_they_are_and_can_go_on_as_somebody_else() {
    let (site, request) = site_for("octocat").await;
    let browser = Browser::new(&site);
    site.github.auto_choose(Some("monalisa"));
    let got = browser.log_in(&request).await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    assert!(
        got.body.contains("logged in at GitHub as monalisa"),
        "{}",
        got.body
    );
    assert!(!browser.cookies().iter().any(|name| name.ends_with("browser")));
    let link = link(&got, "Use another GitHub account");
    assert!(link.contains("prompt=select_account"), "{link}");
    let chosen = browser.get(&link.replace("prompt=select_account", "")).await;
    assert!(chosen.location().starts_with(&site.issuer));
    site.github.auto_choose(Some("octocat"));
    let again = browser.get(&link.replace("prompt=select_account", "")).await;
    assert!(browser.get(again.location()).await.parameter("code").is_some());
}

#[actix_web::test]
async fn a_refused_person_can_return_to_the_application() {
    let (site, request) = site_for("octocat").await;
    let got = log_in(&site, &request, "monalisa").await;
    let link = link(&got, "Return to the application");
    assert!(link.starts_with(REDIRECT), "{link}");
    for part in ["error=access_denied", "state=s-1", "iss="] {
        assert!(link.contains(part), "{link}");
    }
}

#[actix_web::test]
async fn the_rules_are_applied_again_to_a_browser_that_logged_in() {
    let (site, request) = site_for("octocat").await;
    let browser = Browser::new(&site);
    browser.log_in(&request).await.location();
    let page = browser.get(&request).await;
    let login = Login::parse("octocat").unwrap();
    site.store.unpin(&login).await.unwrap();
    let other = mcp_gateway_model::id::UserId(666);
    site.store.pin(&login, other).await.unwrap();
    let got = browser.decide(&page, "allow").await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    assert!(!browser.cookies().iter().any(|name| name.ends_with("browser")));
}

/// The address of the link that says `label`.
fn link(got: &Got, label: &str) -> String {
    let before = got.body.split(&format!(">{label}</a>")).next().unwrap();
    let address = before
        .rsplit("href=\"")
        .next()
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    address.replace("&#38;", "&").replace("&amp;", "&")
}
