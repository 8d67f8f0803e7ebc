//! `GET /login/oauth/authorize` and its page.

use crate::github::{CALLBACK, CHALLENGE, Github, returned};

#[tokio::test]
async fn the_page_offers_every_user_and_a_way_out() {
    let github = Github::start();
    let answer = github.authorize(&[("scope", "read:org user:email")]).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()["content-security-policy"],
        "default-src 'none'; style-src 'self'"
    );
    let page = answer.text().await.unwrap();
    for wanted in [
        "octocat",
        "583231",
        "hubot",
        "480938",
        "monalisa",
        "9001",
        "Cancel",
        "read:org",
        "user:email",
    ] {
        assert!(page.contains(wanted), "{wanted} is missing in {page}");
    }
    assert!(page.contains("<html lang=\"en\">") && page.contains("width=device-width"));
    assert!(!page.contains("<script") && !page.contains("style=\""));
}

#[tokio::test]
async fn the_style_sheet_is_its_own_and_knows_the_dark() {
    let github = Github::start();
    let style = github
        .client
        .get(github.url("/login/style.css"))
        .send()
        .await
        .unwrap();
    assert_eq!(style.headers()["content-type"], "text/css; charset=utf-8");
    assert!(style.text().await.unwrap().contains("prefers-color-scheme: dark"));
}

#[tokio::test]
async fn a_chosen_user_goes_back_with_code_and_state() {
    let github = Github::start();
    let back = returned(&github.press(&[], Some("hubot")).await);
    assert_eq!(back["state"], "st&te");
    assert!(!back["code"].is_empty());
    assert_eq!(back.len(), 2);
}

#[tokio::test]
async fn cancel_goes_back_with_access_denied_and_state() {
    let github = Github::start();
    let back = returned(&github.press(&[], None).await);
    assert_eq!(back["error"], "access_denied");
    assert_eq!(
        back["error_description"],
        "The user has denied your application access."
    );
    assert_eq!(back["state"], "st&te");
    assert!(!back.contains_key("code"));
}

#[tokio::test]
async fn the_hinted_user_comes_first() {
    let github = Github::start();
    let page = github
        .authorize(&[("login", "Monalisa"), ("allow_signup", "false")])
        .await
        .text()
        .await
        .unwrap();
    assert!(page.find("Continue as monalisa") < page.find("Continue as octocat"));
}

#[tokio::test]
async fn a_returning_user_sees_no_page_unless_the_account_is_to_be_selected() {
    let github = Github::start_with(|options| mcp_gateway_sandbox::github::Options {
        auto_choose: Some("octocat".into()),
        ..options
    });
    assert!(returned(&github.authorize(&[]).await).contains_key("code"));
    assert_eq!(
        github.authorize(&[("prompt", "select_account")]).await.status(),
        200
    );
    github.handle.auto_choose(None);
    assert_eq!(github.authorize(&[]).await.status(), 200);
}

#[tokio::test]
async fn an_unknown_client_gets_a_page_and_no_redirect() {
    let github = Github::start();
    let query = [("client_id", "other"), ("redirect_uri", CALLBACK)];
    let answer = github
        .client
        .get(github.url("/login/oauth/authorize"))
        .query(&query)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
    assert!(!answer.headers().contains_key("location"));
}

#[tokio::test]
async fn a_redirect_uri_elsewhere_gets_a_page_and_no_redirect() {
    let github = Github::start();
    for uri in [
        "https://evil.example.com/callback",
        "https://auth.example.com/callbacks",
        "http://auth.example.com/callback",
        "javascript:alert(1)",
    ] {
        let query = [("client_id", "app"), ("redirect_uri", uri)];
        let answer = github
            .client
            .get(github.url("/login/oauth/authorize"))
            .query(&query)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 404, "{uri}");
    }
    let below = [
        ("client_id", "app"),
        ("redirect_uri", "https://auth.example.com/callback/below"),
    ];
    let answer = github
        .client
        .get(github.url("/login/oauth/authorize"))
        .query(&below)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_redirect_uri_left_out_means_the_registered_one() {
    let github = Github::start();
    github.handle.auto_choose(Some("octocat"));
    let query = [("client_id", "app")];
    let answer = github
        .client
        .get(github.url("/login/oauth/authorize"))
        .query(&query)
        .send()
        .await
        .unwrap();
    assert!(returned(&answer).contains_key("code"));
}

#[tokio::test]
async fn only_s256_is_a_challenge_method() {
    let github = Github::start();
    for method in [
        &[("code_challenge", CHALLENGE)][..],
        &[("code_challenge", "x"), ("code_challenge_method", "plain")],
    ] {
        let back = returned(&github.authorize(method).await);
        assert_eq!(back["error"], "invalid_request");
    }
}

#[tokio::test]
async fn markup_in_a_request_stays_text() {
    let github = Github::start();
    let page = github
        .authorize(&[("scope", "<b>\"x")])
        .await
        .text()
        .await
        .unwrap();
    assert!(!page.contains("<b>"));
}

#[tokio::test]
async fn the_last_request_and_its_parameters_can_be_asked_for() {
    let github = Github::start();
    assert_eq!(github.handle.last_authorize(), None);
    github
        .authorize(&[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")])
        .await;
    let last = github.handle.last_authorize().unwrap();
    assert!(last.contains(&("state".into(), "st&te".into())));
    assert!(last.contains(&("code_challenge".into(), CHALLENGE.into())));
}
