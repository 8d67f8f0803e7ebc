//! How a person logs in with `mcp-oauth`: in a browser here or elsewhere, or with a code.

use reqwest::{header::LOCATION, redirect::Policy};
use serde_json::json;
use url::Url;

use crate::support::{
    command::Home,
    guarded::{Guarded, State},
};

fn browser(policy: Policy) -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(policy)
        .build()
        .unwrap()
}

/// Where the authorization server sends the browser.
async fn sent_back(url: Url) -> String {
    let answer = browser(Policy::none()).get(url).send().await.unwrap();
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn whoever_has_their_browser_elsewhere_pastes_where_it_ended() {
    let (server, home) = (Guarded::start(State::default()), Home::without_browser());
    let url = server.mcp();
    let login = home
        .run_pasting(&["login", &url, "--no-browser"], async |url| {
            vec!["what?".to_owned(), String::new(), sent_back(url).await]
        })
        .await
        .well();
    assert!(login.err.contains("that is not the address"), "{login:?}");
    home.run(&["token", &url]).await.well();
}

#[tokio::test]
async fn a_pasted_answer_to_another_login_is_refused() {
    let (server, home) = (Guarded::start(State::default()), Home::without_browser());
    let login = home
        .run_pasting(&["login", &server.mcp(), "--no-browser"], async |url| {
            let mut back = Url::parse(&sent_back(url).await).unwrap();
            let others = back.query().unwrap().replace("state=", "state=x");
            back.set_query(Some(&others));
            vec![back.to_string()]
        })
        .await;
    assert_eq!(login.code, 1, "{login:?}");
    assert!(login.err.contains("state"), "{login:?}");
}

#[tokio::test]
async fn the_page_that_the_browser_ends_at_tells_how_the_login_ended() {
    let follow = async |url: Url| {
        let page = browser(Policy::default()).get(url).send().await.unwrap();
        page.text().await.unwrap()
    };
    for denies in [false, true] {
        let state = State {
            denies,
            ..State::default()
        };
        let (server, home) = (Guarded::start(state), Home::without_browser());
        let url = server.mcp();
        let mut page = String::new();
        let login = home
            .run_pasting(&["login", &url, "--no-browser", "--json"], async |url| {
                page = follow(url).await;
                Vec::new()
            })
            .await;
        if denies {
            assert!(
                page.contains("You are not logged in") && !page.contains("<b>No"),
                "{page}"
            );
            assert_eq!(
                (login.code, &login.json()["error"]),
                (1, &json!("failed")),
                "{login:?}"
            );
        } else {
            assert!(
                page.contains("You are logged in") && page.contains(&url),
                "{page}"
            );
            assert_eq!(login.well().json()["scopes"], json!(["read"]));
        }
    }
}

#[tokio::test]
async fn a_device_shows_a_code_and_waits() {
    let state = State {
        asks_of_devices: 1,
        ..State::default()
    };
    let (server, home) = (Guarded::start(state), Home::with_browser());
    let url = server.mcp();
    let login = home.run(&["login", &url, "--device"]).await.well();
    assert!(
        login.err.contains("BCDF-GHJK") && login.err.contains("/type"),
        "{login:?}"
    );
    let called = home.run(&["call", &url, "echo", "--arg", "message=x"]).await;
    assert_eq!(called.well().out, "x");
    assert!(!server.site.lines().iter().any(|line| line.contains("/authorize")));
}

#[tokio::test]
async fn without_a_browser_a_code_is_shown_and_where_that_is_refused_an_address() {
    let (server, home) = (Guarded::start(State::default()), Home::without_browser());
    let login = home.run(&["login", &server.mcp()]).await.well();
    assert!(login.err.contains("BCDF-GHJK"), "{login:?}");

    let state = State {
        refuses_devices: true,
        ..State::default()
    };
    let (server, home) = (Guarded::start(state), Home::without_browser());
    let login = home
        .run_pasting(&["login", &server.mcp()], async |url| vec![sent_back(url).await])
        .await;
    login.well();
    let forced = home.run(&["login", &server.mcp(), "--device"]).await;
    assert!(
        forced.code == 1 && forced.err.contains("unauthorized_client"),
        "{forced:?}"
    );
}

#[tokio::test]
async fn one_registration_serves_for_many_logins() {
    let (server, home) = (Guarded::start(State::default()), Home::with_browser());
    let url = server.mcp();
    let port = free_port();
    for _ in 0..2 {
        home.run(&["login", &url, "--port", &port]).await.well();
    }
    assert_eq!(server.state.lock().unwrap().registered.len(), 1);
}

fn free_port() -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port().to_string()
}

#[tokio::test]
async fn an_id_that_the_person_brought_is_used_again_without_being_named_again() {
    let state = State {
        first_lifetime: Some(0),
        ..State::default()
    };
    let (server, home) = (Guarded::start(state), Home::with_browser());
    let url = server.mcp();
    home.run(&["login", &url, "--client-id", "brought"]).await.well();
    home.run(&["token", &url]).await.well();
    assert_eq!(server.state.lock().unwrap().refreshes, 1);
    home.run(&["login", &url]).await.well();
    assert_eq!(server.state.lock().unwrap().registered, [""; 0]);
    let listed = home.run(&["list", "--json"]).await.well().json();
    assert_eq!(listed[0]["client_id"], "brought");
    let logout = home.run(&["logout", "--all", "--json"]).await.well().json();
    assert_eq!(
        (&logout[0]["revoked"], &logout[0]["unregistered"]),
        (&json!(true), &json!(false))
    );
    assert!(
        !std::fs::read_to_string(home.credentials())
            .unwrap()
            .contains("brought")
    );
}

#[tokio::test]
async fn a_secret_goes_to_the_issuer_that_it_is_for_and_to_no_other() {
    let (server, home) = (Guarded::start(State::default()), Home::with_browser());
    let (url, issuer) = (server.mcp(), server.site.url.clone());
    let secret = home.directory.path().join("secret.txt");
    std::fs::write(&secret, "the-secret\n").unwrap();
    let login = [
        "login",
        &url,
        "--client-id",
        "brought",
        "--client-secret-file",
        secret.to_str().unwrap(),
    ];
    let refused = home.run(&login).await;
    assert!(
        refused.code == 2 && refused.err.contains("--issuer"),
        "{refused:?}"
    );
    let refused = home
        .run(&[&login[..], &["--issuer", "https://login.corp.com"]].concat())
        .await;
    let problem = format!("names \"{issuer}\" as its authorization server");
    assert!(refused.code == 2 && refused.err.contains(&problem), "{refused:?}");
    let asked = |server: &Guarded| {
        let asked = server.site.asked();
        asked
            .into_iter()
            .filter(|asked| ["/token", "/register"].contains(&asked.place()))
            .collect::<Vec<_>>()
    };
    assert_eq!(asked(&server).len(), 0);
    home.run(&[&login[..], &["--issuer", &issuer]].concat())
        .await
        .well();
    // the two parts, each form-encoded: brought:the-secret
    assert_eq!(
        asked(&server)[0].header("authorization"),
        Some("Basic YnJvdWdodDp0aGUtc2VjcmV0")
    );
}
