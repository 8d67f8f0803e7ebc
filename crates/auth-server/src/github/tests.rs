//! Time-outs against servers that do not answer; what GitHub says is tested with the stand-in.

use tokio::net::TcpListener;

use super::*;

fn settings(base: &str) -> GithubSettings {
    GithubSettings {
        client_id: "app".into(),
        client_secret: Secret::presented("secret".into()),
        web_url: Url::parse(base).unwrap(),
        api_url: Url::parse(&format!("{base}/api/v3/")).unwrap(),
    }
}

fn github(base: &str) -> Github {
    let patience = Patience {
        connect: Duration::from_millis(100),
        call: Duration::from_millis(100),
    };
    Github::new(
        &settings(base),
        "https://auth.example.com/callback".into(),
        patience,
    )
    .unwrap()
}

fn cookie() -> Secret {
    Secret::presented("mcp_bl_x".into())
}

#[test]
fn a_person_is_sent_to_github_with_state_and_pkce_and_without_scopes() {
    let github = github("https://github.com");
    let state = Secret::presented("s".into());
    let account = Account {
        choose: true,
        hint: Login::parse("octocat").ok(),
    };
    insta::assert_snapshot!(
        github.authorize_url(&state, &cookie(), &account, false),
        @"https://github.com/login/oauth/authorize?response_type=code&client_id=app&state=s&code_challenge=Be1izf9mfB9cUhKDECA2kz76uN-E6jtbnW2hOY1_BDw&code_challenge_method=S256&redirect_uri=https%3A%2F%2Fauth.example.com%2Fcallback&login=octocat&prompt=select_account"
    );
}

#[test]
fn an_enterprise_server_has_its_api_below_a_path() {
    let github = github("https://github.example.com");
    assert_eq!(github.user_url.as_str(), "https://github.example.com/api/v3/user");
    assert_eq!(
        github.teams_url.as_str(),
        "https://github.example.com/api/v3/user/teams?per_page=100"
    );
}

#[test]
fn the_verifier_is_another_for_another_cookie_and_does_not_show_it() {
    let other = Secret::presented("mcp_bl_y".into());
    assert_ne!(verifier(&cookie()).secret(), verifier(&other).secret());
    assert_eq!(verifier(&cookie()).secret(), verifier(&cookie()).secret());
    assert_eq!(verifier(&cookie()).secret().len(), 43);
}

#[tokio::test]
async fn a_github_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let fault = github(&base).arrived("code", &cookie()).await.err().unwrap();
    assert_eq!(fault.to_string(), "GitHub does not answer: it takes too long");
}

#[tokio::test]
async fn a_github_that_cannot_be_reached_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let fault = github(&base).arrived("code", &cookie()).await.err().unwrap();
    assert_eq!(fault.to_string(), "GitHub does not answer: no connection");
}

#[test]
fn eight_seconds_are_the_most_that_github_gets() {
    let patience = Patience::default();
    assert_eq!((patience.connect.as_secs(), patience.call.as_secs()), (3, 8));
}
