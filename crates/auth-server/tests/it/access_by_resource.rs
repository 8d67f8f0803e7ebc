//! Who is let in to one resource and not to another.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use mcp_gateway_auth_server::Settings;
use mcp_gateway_model::{
    access::{Allow, AllowedUsers},
    id::Login,
    resource::{Resource, ResourceUri, Resources, Wildcard},
    secret::Secret,
};
use mcp_gateway_sandbox::github::User;
use mcp_gateway_store::{Store, Taken};
use reqwest::StatusCode;
use serde_json::json;
use url::Url;

use crate::support::{
    desk::Desk,
    login::{Browser, ECHO, Got, REDIRECT, Site},
    set,
};

const NOTES: &str = "https://notes.example.com/mcp";

/// The echo server for whoever may log in, the notes for those listed.
fn resources(listed: &str) -> Resources {
    let notes = Resource {
        allow: Some(Allow::users(AllowedUsers::parse(listed).unwrap())),
        ..Resource::new(ResourceUri::parse(NOTES).unwrap(), None)
    };
    let echo = Resource::new(ResourceUri::parse(ECHO).unwrap(), None);
    Resources::new(vec![echo, notes], Vec::new(), "auth.example.com")
}

async fn site(at_all: &str, at_notes: &str) -> Site {
    let at_all = AllowedUsers::parse(at_all).unwrap();
    Site::start_with(|settings| {
        settings.allowed_users = at_all;
        settings.resources = resources(at_notes);
    })
    .await
}

async fn log_in(site: &Site, resource: &str, login: &str) -> Got {
    let client = site.client(&[REDIRECT]).await;
    site.github.auto_choose(Some(login));
    let request = site.request(&client, &[("resource", Some(resource))]);
    Browser::new(site).log_in(&request).await
}

#[actix_web::test]
async fn a_resource_lets_in_only_who_is_on_its_list_and_on_the_list_of_all() {
    for (at_all, at_notes, login, is_in) in [
        ("octocat,hubot", "octocat", "octocat", true),
        ("octocat,hubot", "OCTOCAT", "octocat", true),
        ("octocat,hubot", "583231", "octocat", true),
        ("octocat,hubot", "*", "octocat", true),
        ("*", "octocat", "octocat", true),
        ("octocat,hubot", "octocat", "hubot", false),
        ("*", "octocat", "hubot", false),
        ("octocat", "octocat,hubot", "hubot", false),
        ("octocat", "*", "hubot", false),
        ("octocat,hubot", "", "octocat", false),
    ] {
        let site = site(at_all, at_notes).await;
        let got = log_in(&site, NOTES, login).await;
        if is_in {
            assert!(got.parameter("code").is_some(), "{at_all} {at_notes} {login}");
        } else {
            assert_eq!(
                (got.status, got.title()),
                (StatusCode::FORBIDDEN, "You are not allowed in"),
                "{at_all} {at_notes} {login}"
            );
        }
    }
}

#[actix_web::test]
async fn who_is_refused_at_one_resource_is_let_in_at_another() {
    let site = site("octocat,hubot", "octocat").await;
    let refused = log_in(&site, NOTES, "hubot").await;
    assert!(refused.body.contains("logged in at GitHub as hubot"));
    assert!(log_in(&site, ECHO, "hubot").await.parameter("code").is_some());
}

#[actix_web::test]
async fn a_browser_that_logged_in_for_one_resource_is_not_let_in_to_another() {
    let site = site("octocat,hubot", "hubot").await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    let echo = browser.log_in(&site.request(&client, &[])).await;
    assert!(echo.parameter("code").is_some());
    let page = browser
        .get(&site.request(&client, &[("resource", Some(NOTES))]))
        .await;
    let got = browser.decide(&page, "allow").await;
    assert_eq!(
        (got.status, got.title()),
        (StatusCode::FORBIDDEN, "You are not allowed in")
    );
}

#[actix_web::test]
async fn a_login_on_a_resources_list_belongs_to_the_first_who_came_with_it() {
    let site = site("*", "octocat").await;
    assert!(log_in(&site, NOTES, "octocat").await.parameter("code").is_some());
    assert!(site.github.rename(583_231, "octocat-renamed"));
    site.github.put_user(User::new(666, "octocat"));
    let got = log_in(&site, NOTES, "octocat").await;
    assert!(
        got.body.contains("belonged to another GitHub account"),
        "{}",
        got.body
    );
}

#[actix_web::test]
async fn who_is_refused_by_one_list_is_not_pinned_by_the_other() {
    for (at_all, at_notes) in [("octocat", "hubot"), ("hubot", "octocat")] {
        let site = site(at_all, at_notes).await;
        let got = log_in(&site, NOTES, "octocat").await;
        assert_eq!(got.status, StatusCode::FORBIDDEN);
        let login = Login::parse("octocat").unwrap();
        assert_eq!(site.store.unpin(&login).await.unwrap(), None);
    }
}

#[actix_web::test]
async fn a_list_of_a_wildcard_goes_for_every_host_below_it() {
    let site = Site::start_with(|settings| {
        let wildcard = Wildcard::parse("https://*.example.com").unwrap();
        let hubot = AllowedUsers::parse("hubot").unwrap();
        let listed = wildcard.allowing(Some(Allow::users(hubot)));
        settings.resources = Resources::new(Vec::new(), vec![listed], "auth.example.com");
    })
    .await;
    let got = log_in(&site, NOTES, "octocat").await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    assert!(log_in(&site, NOTES, "hubot").await.parameter("code").is_some());
}

#[actix_web::test]
async fn a_login_whose_resource_is_gone_gets_no_code() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    let callback = browser.to_github_and_back(&site.request(&client, &[])).await;
    let url = Url::parse(&callback).unwrap();
    let (_, state) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
    let key = Secret::presented(state.into_owned()).digest();
    let now = mcp_gateway_model::clock::Clock::now(site.clock.as_ref());
    let Taken::Login(mut login) = site.store.take_login(&key, now).await.unwrap() else {
        panic!("the login is not there");
    };
    login.audience = ResourceUri::parse("https://gone.example.com/mcp").unwrap();
    site.store.put_login(&key, &login, now).await.unwrap();
    let got = browser.get(&callback).await;
    assert_eq!(got.parameter("error").as_deref(), Some("invalid_target"));
    assert_eq!(got.parameter("state").as_deref(), Some("s-1"));
    assert_eq!(got.parameter("code"), None);
}

/// A desk beside `desk`, on the same store, whose echo server is only for those listed, or is gone.
async fn stricter(desk: &Desk, listed: Option<&str>) -> Desk {
    let mut settings: Settings = set::settings();
    let uri = if listed.is_some() { ECHO } else { NOTES };
    let resource = Resource {
        allow: listed.map(|listed| Allow::users(AllowedUsers::parse(listed).unwrap())),
        ..Resource::new(ResourceUri::parse(uri).unwrap(), None)
    };
    settings.resources = Resources::new(vec![resource], Vec::new(), "auth.example.com");
    Desk::start_on(desk.store.clone(), settings).await
}

#[actix_web::test]
async fn who_is_no_longer_on_a_resources_list_is_not_refreshed_and_loses_the_grant() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (access, refresh) = desk.tokens(&client).await;
    let still = stricter(&desk, Some("octocat")).await;
    let answer = still.refresh(&client, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let refresh = answer.member("refresh_token");
    let stricter = stricter(&desk, Some("hubot")).await;
    let answer = stricter.refresh(&client, &refresh, &[]).await;
    assert_eq!(answer.error(), "400 invalid_grant");
    assert_eq!(
        desk.introspect(&client, &access).await,
        json!({ "active": false })
    );
}

#[actix_web::test]
async fn a_grant_whose_resource_is_gone_is_not_refreshed() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    let without = stricter(&desk, None).await;
    for resource in [None, Some(ECHO), Some(NOTES)] {
        let answer = without
            .refresh(&client, &refresh, &[("resource", resource)])
            .await;
        assert_eq!(answer.error(), "400 invalid_target");
    }
    let answer = desk.refresh(&client, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "the grant itself lives on");
}
