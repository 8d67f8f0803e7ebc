//! GitHub on bad days: each fault has a page that says what to do, and a way back that tells the client.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

use mcp_gateway_sandbox::github::{Endpoint, Fault};
use reqwest::StatusCode;
use url::Url;

use crate::support::login::{Browser, Got, REDIRECT, Site};

async fn with_fault(endpoint: Endpoint, fault: Fault) -> Got {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    site.github.set_fault_at(endpoint, fault);
    let browser = Browser::new(&site);
    let got = browser.log_in(&site.request(&client, &[])).await;
    assert!(!got.headers.contains_key("location"));
    assert!(got.body.contains("Return to the application"), "{}", got.body);
    assert!(got.body.contains("state=s-1"), "{}", got.body);
    assert!(got.body.contains("If you ask for help, name this request"));
    assert!(!got.body.contains("sandbox-secret") && !got.body.contains("127.0.0.1:1"));
    assert!(!browser.cookies().iter().any(|name| name.ends_with("browser")));
    got
}

#[actix_web::test]
async fn a_refusal_with_status_200_is_a_refusal() {
    let fault = Fault::ErrorWith200("bad_verification_code".into());
    let got = with_fault(Endpoint::Token, fault).await;
    assert_eq!(
        (got.status, got.title()),
        (StatusCode::BAD_REQUEST, "GitHub did not accept the login")
    );
    assert!(got.body.contains("connect again"));
}

#[actix_web::test]
async fn a_wrong_secret_or_callback_is_the_operators_to_mend() {
    for error in [
        "incorrect_client_credentials",
        "redirect_uri_mismatch",
        "application_suspended",
        "<b>unknown</b>",
    ] {
        let got = with_fault(Endpoint::Token, Fault::ErrorWith200(error.into())).await;
        assert_eq!(
            (got.status, got.title()),
            (StatusCode::BAD_GATEWAY, "This server is not set up right")
        );
        assert!(got.body.contains("operator"));
    }
}

#[actix_web::test]
async fn a_rate_limit_says_how_long_to_wait() {
    for endpoint in [Endpoint::Token, Endpoint::User] {
        for fault in [
            Fault::RateLimited { retry_after: 90 },
            Fault::TooManyRequests { retry_after: 90 },
        ] {
            let got = with_fault(endpoint, fault).await;
            assert_eq!(
                (got.status, got.title()),
                (StatusCode::SERVICE_UNAVAILABLE, "GitHub asks to wait")
            );
            assert!(got.body.contains("Wait 2 minutes"), "{}", got.body);
        }
    }
}

/// A GitHub API that answers every request with 403, nothing left, and this header.
fn spent(header: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = BufReader::new(connection.try_clone().unwrap()).lines();
            while request.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let answer = format!(
                "HTTP/1.1 403 Forbidden\r\nx-ratelimit-remaining: 0\r\n{header}content-length: 0\r\nconnection: close\r\n\r\n"
            );
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    base
}

#[actix_web::test]
async fn a_rate_limit_that_says_when_it_ends_is_waited_for_until_then() {
    for (header, wait) in [
        ("x-ratelimit-reset: 1800000541\r\n", "Wait 10 minutes,"),
        ("x-ratelimit-reset: 1800000059\r\n", "Wait a minute,"),
        ("x-ratelimit-reset: 1799999999\r\n", "Wait a minute,"),
        ("x-ratelimit-reset: 18000000000\r\n", "Wait 60 minutes,"),
        ("x-ratelimit-reset: soon\r\n", "Wait some minutes,"),
        (
            "x-ratelimit-reset: 1800000541\r\nretry-after: 90\r\n",
            "Wait 2 minutes,",
        ),
        ("", "Wait some minutes,"),
    ] {
        let api = Url::parse(&spent(header)).unwrap();
        let site = Site::start_with(|settings| settings.github.api_url = api).await;
        let client = site.client(&[REDIRECT]).await;
        let got = Browser::new(&site).log_in(&site.request(&client, &[])).await;
        assert_eq!(got.title(), "GitHub asks to wait", "{header}");
        assert!(got.body.contains(wait), "{header} {}", got.body);
    }
}

#[actix_web::test]
async fn an_outage_is_told_as_one() {
    for endpoint in [Endpoint::Token, Endpoint::User] {
        for fault in [Fault::Outage(502), Fault::Outage(503), Fault::Reset] {
            let got = with_fault(endpoint, fault).await;
            assert_eq!(
                (got.status, got.title()),
                (StatusCode::BAD_GATEWAY, "GitHub does not answer")
            );
            assert!(got.body.contains("githubstatus.com"));
        }
    }
}

#[actix_web::test]
async fn nonsense_lets_nobody_in() {
    for endpoint in [Endpoint::Token, Endpoint::User] {
        for fault in [Fault::Html, Fault::MissingFields, Fault::HugeBody] {
            let got = with_fault(endpoint, fault).await;
            assert_eq!(
                (got.status, got.title()),
                (StatusCode::BAD_GATEWAY, "GitHub answered with nonsense")
            );
        }
    }
}

#[actix_web::test]
async fn who_says_no_at_github_says_no_to_the_client() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    let callback = browser.to_github_and_back(&site.request(&client, &[])).await;
    let state = callback
        .split("state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let got = browser
        .get(&format!(
            "{}/callback?error=access_denied&state={state}",
            site.base
        ))
        .await;
    assert!(got.location().starts_with(REDIRECT));
    assert_eq!(got.parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(got.parameter("state").as_deref(), Some("s-1"));
}

#[actix_web::test]
async fn an_error_that_github_redirects_with_is_a_page() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    let callback = browser.to_github_and_back(&site.request(&client, &[])).await;
    let state = callback
        .split("state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let error = "%3Cscript%3Ealert(1)%3C/script%3E";
    let got = browser
        .get(&format!(
            "{}/callback?error={error}&error_description={error}&state={state}",
            site.base
        ))
        .await;
    assert_eq!(got.title(), "This server is not set up right");
    assert!(!got.body.contains("alert(1)"), "{}", got.body);
}

#[actix_web::test]
async fn github_is_asked_for_no_scope_and_given_a_challenge() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    browser
        .to_github_and_back(&site.request(&client, &[("state", Some("the-clients-own"))]))
        .await;
    let asked = site.github.last_authorize().unwrap();
    let value = |name: &str| asked.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(value("scope"), None);
    assert_eq!(value("code_challenge_method"), Some("S256"));
    assert_eq!(value("redirect_uri"), Some(&*format!("{}/callback", site.issuer)));
    assert_ne!(value("state"), Some("the-clients-own"));
}

#[actix_web::test]
async fn logins_are_counted_by_how_they_end() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    Browser::new(&site).log_in(&request).await.location();
    site.github.auto_choose(Some("monalisa"));
    Browser::new(&site).log_in(&request).await;
    site.github.set_fault(Fault::Html);
    Browser::new(&site).log_in(&request).await;
    let family = site
        .registry
        .gather()
        .into_iter()
        .find(|f| f.name() == "mcp_gateway_logins_total")
        .unwrap();
    let counts: Vec<_> = family
        .get_metric()
        .iter()
        .map(|m| format!("{} {}", m.get_label()[0].value(), m.get_counter().get_value()))
        .collect();
    assert_eq!(counts, ["allowed 1", "denied 0", "failed 1", "refused 1"]);
}
