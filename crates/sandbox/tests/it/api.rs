//! The API: who the user is, where they belong, page by page.

use mcp_gateway_sandbox::github::{Endpoint, Options, Organization, Role, Team, User};
use serde_json::{Value, json};

use crate::github::Github;

/// A user in 65 organisations and one team, with an invitation to one more.
fn joiner() -> User {
    let org = |id| Organization {
        id,
        login: format!("org-{id}"),
        role: Role::Member,
        active: true,
    };
    let mut orgs: Vec<_> = (1..=65).map(org).collect();
    orgs.push(Organization {
        active: false,
        ..org(66)
    });
    let team = Team {
        id: 5,
        slug: "core".into(),
        name: "Core".into(),
        org: "org-1".into(),
    };
    User {
        orgs,
        teams: vec![team],
        ..User::new(77, "joiner")
    }
}

fn with_joiner(options: Options) -> Options {
    Options {
        users: vec![joiner()],
        ..options
    }
}

#[tokio::test]
async fn user_tells_id_and_login_at_the_root_and_under_api_v3() {
    let github = Github::start();
    let token = github.token("hubot", "").await;
    for path in ["/user", "/api/v3/user"] {
        let user: Value = github.get(path, &token).await.json().await.unwrap();
        assert_eq!(user["id"], 480_938);
        assert_eq!(user["login"], "hubot");
        assert_eq!(user["email"], Value::Null, "most users show no address");
    }
    let classic = github
        .client
        .get(github.url("/user"))
        .header("Authorization", format!("token {token}"));
    assert_eq!(classic.send().await.unwrap().status(), 200);
    assert_eq!(github.handle.calls(Endpoint::User), 3);
}

#[tokio::test]
async fn a_bad_token_gets_401_with_bad_credentials() {
    let github = Github::start();
    let answer = github.get("/user", "gho_wrong").await;
    assert_eq!(answer.status(), 401);
    assert_eq!(
        answer.json::<Value>().await.unwrap()["message"],
        "Bad credentials"
    );
    let answer = github.client.get(github.url("/user")).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(
        answer.json::<Value>().await.unwrap()["message"],
        "Requires authentication"
    );
}

#[tokio::test]
async fn a_missing_user_agent_is_refused() {
    let github = Github::start();
    let token = github.token("hubot", "").await;
    let bare = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = bare
        .get(github.url("/user"))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("User-Agent"));
}

#[tokio::test]
async fn every_answer_counts_down_the_rate_limit() {
    let github = Github::start();
    let token = github.token("hubot", "").await;
    for remaining in ["4999", "4998"] {
        let answer = github.get("/user", &token).await;
        assert_eq!(answer.headers()["x-ratelimit-limit"], "5000");
        assert_eq!(answer.headers()["x-ratelimit-remaining"], remaining);
        let reset: u64 = answer.headers()["x-ratelimit-reset"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!(reset > 1_800_000_000);
    }
}

#[tokio::test]
async fn organisations_come_30_a_page_with_links() {
    let github = Github::start_with(with_joiner);
    let token = github.token("joiner", "read:org").await;
    let first = github.get("/user/orgs", &token).await;
    let base = github.url("/user/orgs");
    assert_eq!(
        first.headers()["link"].to_str().unwrap(),
        format!(r#"<{base}?per_page=30&page=2>; rel="next", <{base}?per_page=30&page=3>; rel="last""#)
    );
    assert_eq!(first.json::<Vec<Value>>().await.unwrap().len(), 30);
    let last = github.get("/user/orgs?page=3", &token).await;
    assert_eq!(
        last.headers()["link"].to_str().unwrap(),
        format!(r#"<{base}?per_page=30&page=2>; rel="prev", <{base}?per_page=30&page=1>; rel="first""#)
    );
    let last = last.json::<Vec<Value>>().await.unwrap();
    assert_eq!(last.len(), 5, "the invitation is not a membership");
    assert_eq!(last[4], json!({ "login": "org-65", "id": 65 }));
}

#[tokio::test]
async fn a_page_holds_at_most_100_and_one_page_needs_no_link() {
    let github = Github::start_with(with_joiner);
    let token = github.token("joiner", "read:org").await;
    let all = github.get("/user/orgs?per_page=1000", &token).await;
    assert!(!all.headers().contains_key("link"));
    assert_eq!(all.json::<Vec<Value>>().await.unwrap().len(), 65);
    let beyond = github.get("/user/orgs?page=18446744073709551615", &token).await;
    assert_eq!(beyond.json::<Vec<Value>>().await.unwrap().len(), 0);
}

#[tokio::test]
async fn links_name_the_public_url_where_one_is_given() {
    let github = Github::start_with(|options| Options {
        public_url: Some("https://api.test".into()),
        ..with_joiner(options)
    });
    let token = github.token("joiner", "read:org").await;
    let answer = github.get("/api/v3/user/orgs", &token).await;
    assert!(
        answer.headers()["link"]
            .to_str()
            .unwrap()
            .starts_with("<https://api.test/api/v3/user/orgs?")
    );
}

#[tokio::test]
async fn a_membership_is_active_or_pending_or_not_there() {
    let github = Github::start_with(with_joiner);
    let token = github.token("joiner", "read:org").await;
    let member: Value = github
        .get("/user/memberships/orgs/ORG-1", &token)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(member["state"], "active");
    assert_eq!(member["role"], "member");
    assert_eq!(member["organization"]["login"], "org-1");
    assert_eq!(member["user"]["id"], 77);
    let invited: Value = github
        .get("/user/memberships/orgs/org-66", &token)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(invited["state"], "pending");
    assert_eq!(
        github
            .get("/user/memberships/orgs/elsewhere", &token)
            .await
            .status(),
        404
    );
}

#[tokio::test]
async fn teams_name_their_organisation() {
    let github = Github::start_with(with_joiner);
    let token = github.token("joiner", "read:org").await;
    let teams: Value = github.get("/user/teams", &token).await.json().await.unwrap();
    assert_eq!(
        teams,
        json!([{ "id": 5, "slug": "core", "name": "Core", "organization": { "login": "org-1", "id": 1 } }])
    );
}

#[tokio::test]
async fn emails_are_listed_to_those_who_asked_for_the_scope() {
    let github = Github::start();
    let token = github.token("hubot", "user:email").await;
    let emails: Value = github.get("/user/emails", &token).await.json().await.unwrap();
    assert_eq!(
        emails,
        json!([{ "email": "hubot@example.com", "primary": true, "verified": true, "visibility": "private" }])
    );
}

#[tokio::test]
async fn without_the_scope_nothing_is_listed() {
    let github = Github::start();
    let token = github.token("octocat", "").await;
    for path in [
        "/user/emails",
        "/user/orgs",
        "/user/teams",
        "/user/memberships/orgs/acme",
    ] {
        assert_eq!(github.get(path, &token).await.status(), 403, "{path}");
    }
}

#[tokio::test]
async fn a_renamed_user_keeps_the_id_and_the_token() {
    let github = Github::start();
    let token = github.token("octocat", "").await;
    assert!(github.handle.rename(583_231, "octodog"));
    let user: Value = github.get("/user", &token).await.json().await.unwrap();
    assert_eq!(
        (user["id"].as_u64(), user["login"].as_str()),
        (Some(583_231), Some("octodog"))
    );
    assert!(!github.handle.rename(1, "nobody"));
}

#[tokio::test]
async fn a_login_can_be_taken_over_once_its_owner_left_it() {
    let github = Github::start();
    assert!(
        !github.handle.rename(9001, "Octocat"),
        "it is still somebody else's"
    );
    assert!(github.handle.rename(583_231, "octodog"));
    assert!(github.handle.rename(9001, "octocat"));
    let token = github.token("octocat", "").await;
    let user: Value = github.get("/user", &token).await.json().await.unwrap();
    assert_eq!(user["id"], 9001);
}

#[tokio::test]
async fn a_deleted_user_takes_the_token_along() {
    let github = Github::start();
    let token = github.token("octocat", "").await;
    github.handle.remove_user(583_231);
    assert_eq!(github.get("/user", &token).await.status(), 401);
    github.handle.put_user(User::new(583_231, "octocat"));
    assert_eq!(github.get("/user", &token).await.status(), 200);
}

#[tokio::test]
async fn everybody_may_ask_whose_a_login_is_and_the_app_must_say_who_it_is_rightly() {
    let github = Github::start();
    let ask = |login: &str| github.client.get(github.url(&format!("/users/{login}")));
    for request in [ask("OctoCat"), ask("octocat").basic_auth("app", Some("s3cret"))] {
        let user: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(
            (&user["id"], &user["login"]),
            (&json!(583_231), &json!("octocat"))
        );
    }
    assert_eq!(ask("nobody").send().await.unwrap().status(), 404);
    let wrong = ask("octocat").basic_auth("app", Some("another"));
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    assert_eq!(github.handle.calls(Endpoint::Account), 4);
}
