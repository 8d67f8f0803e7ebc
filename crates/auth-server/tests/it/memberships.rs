//! Members of organisations and teams at login.

use mcp_gateway_model::{access::Team, id::Login};
use mcp_gateway_sandbox::github::{Endpoint, Fault, Options, Organization, Team as AtGithub, User};
use mcp_gateway_store::Store;
use reqwest::StatusCode;

use crate::support::{
    login::{Browser, ECHO, Got, REDIRECT, Site},
    members::{Connected, NOTES, OCTOCAT, log_in, member_of, members_only, site},
};

fn is_in(got: &Got) -> bool {
    got.status.is_redirection() && got.parameter("code").is_some()
}

#[actix_web::test]
async fn members_of_an_organisation_or_team_are_let_in_and_nobody_else() {
    for (orgs, teams, login, expected) in [
        (&["acme"][..], &[][..], "octocat", true),
        (&["ACME"], &[], "hubot", true),
        (&["acme"], &[], "monalisa", false),
        (&["umbrella"], &[], "octocat", false),
        (&[], &["acme/platform"], "octocat", true),
        (&[], &["Acme/Platform"], "octocat", true),
        (&[], &["acme/platform"], "hubot", false),
        (&[], &["umbrella/platform"], "octocat", false),
        (&["umbrella"], &["acme/platform"], "octocat", true),
        (&["umbrella", "acme"], &["umbrella/core"], "hubot", true),
    ] {
        let site = site("", orgs, teams).await;
        let got = log_in(&site, login, ECHO).await;
        assert_eq!(is_in(&got), expected, "{orgs:?} {teams:?} {login}");
        assert!(is_in(&log_in(&site, login, NOTES).await));
    }
}

#[actix_web::test]
async fn who_is_listed_is_let_in_beside_the_members() {
    let site = site("monalisa", &["acme"], &[]).await;
    assert!(is_in(&log_in(&site, "monalisa", ECHO).await));
    assert!(is_in(&log_in(&site, "hubot", ECHO).await));
}

#[actix_web::test]
async fn a_member_who_is_not_on_the_list_of_all_is_not_let_in() {
    let site = Site::start_with(|settings| {
        let all = settings.allowed_users.clone();
        members_only("", &["acme"], &[])(settings);
        settings.allowed_users = all;
    })
    .await;
    assert!(site.github.rename(480_938, "hubot"));
    site.github.put_user(User {
        orgs: vec![member_of("acme")],
        ..User::new(77, "stranger")
    });
    assert!(is_in(&log_in(&site, "octocat", ECHO).await));
    let got = log_in(&site, "stranger", ECHO).await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn an_invitation_is_no_membership() {
    let site = site("", &["acme"], &[]).await;
    site.github.put_user(User {
        orgs: vec![Organization {
            active: false,
            ..member_of("acme")
        }],
        ..User::new(77, "invited")
    });
    let got = log_in(&site, "invited", ECHO).await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
}

/// Somebody in 250 organisations, and in a team of the last of them that is their 120th.
fn joiner() -> User {
    let team = |n: u64| AtGithub {
        id: n,
        slug: format!("team-{n}"),
        name: format!("Team {n}"),
        org: "org-250".into(),
    };
    User {
        orgs: (1..=250).map(|n| member_of(&format!("org-{n}"))).collect(),
        teams: (1..=120).map(team).collect(),
        ..User::new(77, "joiner")
    }
}

#[actix_web::test]
async fn a_membership_on_the_last_page_counts() {
    let site = site("", &["org-250"], &["org-250/team-120"]).await;
    site.github.put_user(joiner());
    assert!(is_in(&log_in(&site, "joiner", ECHO).await));
    assert_eq!(site.github.calls(Endpoint::Orgs), 3);
    assert_eq!(site.github.calls(Endpoint::Teams), 2);
    let site = self::site("", &["org-1"], &[]).await;
    site.github.put_user(joiner());
    assert!(is_in(&log_in(&site, "joiner", ECHO).await));
    assert_eq!(site.github.calls(Endpoint::Orgs), 1, "no more than is needed");
    assert_eq!(site.github.calls(Endpoint::Teams), 0);
}

#[actix_web::test]
async fn a_list_without_end_is_not_read_to_its_end() {
    let site = site("", &["org-6000"], &[]).await;
    site.github.put_user(User {
        orgs: (1..=6000).map(|n| member_of(&format!("org-{n}"))).collect(),
        ..User::new(77, "joiner")
    });
    let got = log_in(&site, "joiner", ECHO).await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    assert_eq!(site.github.calls(Endpoint::Orgs), 50);
}

#[actix_web::test]
async fn the_token_follows_no_link_to_another_place() {
    let options = Options {
        public_url: Some("https://elsewhere.invalid".into()),
        ..Options::default()
    };
    let site = Site::start_beside(options, members_only("", &["org-250"], &[])).await;
    site.github.put_user(joiner());
    let got = log_in(&site, "joiner", ECHO).await;
    assert_eq!(
        (got.status, got.title()),
        (StatusCode::BAD_GATEWAY, "GitHub answered with nonsense")
    );
}

#[actix_web::test]
async fn organisations_are_asked_about_only_where_they_matter() {
    let site = site("", &["acme"], &[]).await;
    let asked = || {
        let parameters = site.github.last_authorize().unwrap();
        parameters.into_iter().find(|(name, _)| name == "scope")
    };
    log_in(&site, "octocat", NOTES).await.location();
    assert_eq!(asked(), None);
    assert_eq!(site.github.calls(Endpoint::Orgs), 0);
    log_in(&site, "octocat", ECHO).await.location();
    assert_eq!(asked().unwrap().1, "read:org");
    assert_eq!(site.github.calls(Endpoint::Orgs), 1);
    assert_eq!(site.github.calls(Endpoint::Teams), 0);
}

#[actix_web::test]
async fn only_what_rules_name_is_kept_and_a_token_only_where_it_is_needed() {
    let site = site("480938", &["umbrella", "acme"], &["acme/platform", "acme/core"]).await;
    let changed = site
        .github
        .change_user(OCTOCAT, |user| user.orgs.push(member_of("private")));
    assert!(changed);
    let octocat = Connected::new(&site).await;
    let known = octocat.grant.memberships.clone().unwrap();
    assert_eq!(known.orgs, [Login::parse("acme").unwrap()].into());
    assert_eq!(known.teams, [Team::parse("acme/platform").unwrap()].into());
    assert_eq!(known.checked_at, site.now());
    assert!(site.store.upstream(&octocat.grant.id).await.unwrap().is_some());

    for (login, id, resource) in [("hubot", 480_938, ECHO), ("monalisa", 9001, NOTES)] {
        assert!(is_in(&log_in(&site, login, resource).await));
        let user = mcp_gateway_model::id::UserId(id);
        let grants = site.store.grants_of_user(user, site.now()).await.unwrap();
        let [grant] = &grants[..] else {
            panic!("{login} has {} grants", grants.len());
        };
        assert_eq!(grant.memberships, None, "{login}");
        assert_eq!(site.store.upstream(&grant.id).await.unwrap(), None, "{login}");
    }
}

#[actix_web::test]
async fn a_browser_that_logged_in_goes_to_github_again_where_memberships_matter() {
    let site = site("", &["acme"], &[]).await;
    let browser = Browser::new(&site);
    let client = site.client(&[REDIRECT]).await;
    browser
        .log_in(&site.request(&client, &[("resource", Some(NOTES))]))
        .await
        .location();
    let page = browser.get(&site.request(&client, &[])).await;
    assert!(!page.body.contains("octocat"), "{}", page.body);
    let allowed = browser.decide(&page, "allow").await;
    assert!(allowed.location().contains("/login/oauth/authorize"));
    assert!(allowed.location().contains("scope=read%3Aorg"));
}

#[actix_web::test]
async fn who_belongs_nowhere_learns_what_to_do() {
    let site = site("", &["acme"], &["acme/platform"]).await;
    let got = log_in(&site, "monalisa", ECHO).await;
    assert_eq!(
        (got.status, got.title()),
        (StatusCode::FORBIDDEN, "You are not allowed in")
    );
    for part in [
        "logged in at GitHub as monalisa",
        "members of certain GitHub organisations or teams",
        "/settings/connections/applications/sandbox",
        "Use another GitHub account",
        "Return to the application",
    ] {
        assert!(got.body.contains(part), "{part}: {}", got.body);
    }
    assert!(!got.body.contains("acme"), "{}", got.body);
}

#[actix_web::test]
async fn who_unticked_the_access_to_organisations_learns_that() {
    let site = site("", &["acme"], &[]).await;
    site.github.withhold("read:org");
    let got = log_in(&site, "octocat", ECHO).await;
    assert_eq!(got.status, StatusCode::FORBIDDEN);
    assert!(
        got.body.contains("you did not let it see where you belong"),
        "{}",
        got.body
    );
    assert!(got.body.contains("/settings/connections/applications/sandbox"));
}

#[actix_web::test]
async fn a_github_that_does_not_tell_lets_nobody_in() {
    for (fault, status) in [
        (Fault::Outage(502), StatusCode::BAD_GATEWAY),
        (
            Fault::RateLimited { retry_after: 90 },
            StatusCode::SERVICE_UNAVAILABLE,
        ),
        (Fault::Html, StatusCode::BAD_GATEWAY),
        (Fault::MissingFields, StatusCode::BAD_GATEWAY),
        (Fault::HugeBody, StatusCode::BAD_GATEWAY),
        (Fault::Redirect, StatusCode::BAD_GATEWAY),
        (Fault::Reset, StatusCode::BAD_GATEWAY),
    ] {
        let site = site("", &["acme"], &[]).await;
        site.github.set_fault_at(Endpoint::Orgs, fault.clone());
        let got = log_in(&site, "octocat", ECHO).await;
        assert_eq!(got.status, status, "{fault:?}");
        assert!(!got.headers.contains_key("location"), "{fault:?}");
    }
}
