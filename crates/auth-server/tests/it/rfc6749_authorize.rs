//! The authorization endpoint: <https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1>.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use mcp_gateway_model::{client::GrantType, clock::Clock};
use mcp_gateway_store::{Rate, Store};
use reqwest::StatusCode;

use crate::support::login::{Browser, REDIRECT, Site};

/// What a client is told when `changes` are made to a good request.
async fn error_of(changes: &[(&str, Option<&str>)]) -> (String, String) {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let got = Browser::new(&site).get(&site.request(&client, changes)).await;
    assert!(got.location().starts_with(REDIRECT), "{}", got.location());
    assert_eq!(got.parameter("iss"), Some(site.issuer.clone()));
    assert_eq!(got.parameter("code"), None);
    (
        got.parameter("error").unwrap(),
        got.parameter("error_description").unwrap(),
    )
}

#[actix_web::test]
async fn a_login_ends_with_a_code_the_state_and_the_issuer_once_each() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let got = Browser::new(&site).log_in(&site.request(&client, &[])).await;
    assert_eq!(got.status, StatusCode::FOUND);
    assert!(got.parameter("code").unwrap().starts_with("mcp_ac_"));
    assert_eq!(got.parameter("state").as_deref(), Some("s-1"));
    assert_eq!(got.parameter("iss"), Some(site.issuer.clone()));
    assert_eq!(got.parameter("error"), None);
}

#[actix_web::test]
async fn an_unknown_client_gets_a_page_and_no_redirect() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    for id in ["mcp_client_unknown", "a b", "<script>alert(1)</script>"] {
        let request = site.request(&client, &[("client_id", Some(id))]);
        let got = Browser::new(&site).get(&request).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST);
        assert_eq!(got.title(), "Unknown application");
        assert!(!got.headers.contains_key("location"));
        assert!(!got.body.contains("<script"), "{}", got.body);
    }
}

#[actix_web::test]
async fn a_redirect_uri_that_is_not_registered_gets_a_page_and_no_redirect() {
    let site = Site::start().await;
    let client = site
        .client(&[REDIRECT, "http://localhost/callback", "com.example.app:/cb"])
        .await;
    for uri in [
        "https://evil.example.com/cb",
        "https://client.example.com/cb/",
        "https://client.example.com/cb/more",
        "https://client.example.com/cb?x=1",
        "https://client.example.com.evil.com/cb",
        "https://client.example.com:444/cb",
        "https://client.example.com@evil.com/cb",
        "https://client.example.com/cb#fragment",
        "https://client.example.com/x/../cb",
        "http://client.example.com/cb",
        "http://localhost.evil.com/callback",
        "http://127.0.0.1/callback",
        "http://localhost/other",
        "com.example.app:/other",
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "//evil.example.com",
    ] {
        let got = Browser::new(&site)
            .get(&site.request(&client, &[("redirect_uri", Some(uri))]))
            .await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{uri}");
        assert!(!got.headers.contains_key("location"), "{uri}");
        assert!(!got.body.contains("evil") && !got.body.contains("alert"), "{uri}");
    }
}

#[actix_web::test]
async fn a_loopback_client_may_use_any_port() {
    let site = Site::start().await;
    let client = site.client(&["http://127.0.0.1/cb"]).await;
    let request = site.request(&client, &[("redirect_uri", Some("http://127.0.0.1:49152/cb"))]);
    let got = Browser::new(&site).log_in(&request).await;
    assert!(got.location().starts_with("http://127.0.0.1:49152/cb?code="));
}

#[actix_web::test]
async fn the_redirect_uri_may_be_left_out_when_it_is_clear() {
    let site = Site::start().await;
    let browser = Browser::new(&site);
    let without = [("redirect_uri", None)];
    let one = site.client(&[REDIRECT]).await;
    let got = browser.log_in(&site.request(&one, &without)).await;
    assert!(got.location().starts_with(REDIRECT));
    let port = site.client(&["http://localhost:6274/cb"]).await;
    assert_eq!(
        browser.get(&site.request(&port, &without)).await.status,
        StatusCode::OK
    );
    for unclear in [
        site.client(&[REDIRECT, "https://client.example.com/other"]).await,
        site.client(&["http://localhost/cb"]).await,
    ] {
        let got = browser.get(&site.request(&unclear, &without)).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST);
        assert!(got.body.contains("redirect_uri is missing"), "{}", got.body);
    }
}

#[actix_web::test]
async fn a_repeated_client_id_or_redirect_uri_gets_a_page_and_anything_else_a_redirect() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    for (name, value) in [("client_id", client.as_str()), ("redirect_uri", REDIRECT)] {
        let got = browser
            .get(&format!("{}&{name}={value}", site.request(&client, &[])))
            .await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{name}");
        assert!(!got.headers.contains_key("location"));
    }
    for name in ["response_type", "scope", "state", "code_challenge", "resource"] {
        let request = format!("{}&{name}=one&{name}=two", site.request(&client, &[]));
        let got = browser.get(&request).await;
        let error = got.parameter("error").unwrap();
        assert!(
            ["invalid_request", "invalid_target"].contains(&&*error),
            "{name} {error}"
        );
        assert_eq!(got.parameter("state").is_some(), name != "state");
    }
}

#[actix_web::test]
async fn only_codes_are_issued() {
    let (error, _) = error_of(&[("response_type", Some("token"))]).await;
    assert_eq!(error, "unsupported_response_type");
    let (error, text) = error_of(&[("response_type", None)]).await;
    assert_eq!((&*error, &*text), ("invalid_request", "response_type is missing"));
}

#[actix_web::test]
async fn a_client_that_did_not_register_for_codes_gets_none() {
    let site = Site::start().await;
    let client = site
        .client_with(&[REDIRECT], |m| m.grant_types = vec![GrantType::RefreshToken])
        .await;
    let got = Browser::new(&site).get(&site.request(&client, &[])).await;
    assert_eq!(got.parameter("error").as_deref(), Some("unauthorized_client"));
}

#[actix_web::test]
async fn what_would_send_the_answer_elsewhere_is_refused() {
    for (name, value, code) in [
        ("response_mode", "fragment", "invalid_request"),
        ("response_mode", "form_post", "invalid_request"),
        ("request", "e30.e30.", "request_not_supported"),
        (
            "request_uri",
            "https://evil.example.com/r",
            "request_uri_not_supported",
        ),
    ] {
        let (error, text) = error_of(&[(name, Some(value))]).await;
        assert_eq!(error, code);
        assert!(text.contains(name), "{text}");
    }
}

#[actix_web::test]
async fn state_comes_back_byte_for_byte() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    for state in ["a b+c&d=e%20/?#ä😀", "{\"x\": \"<script>\"}", &"s".repeat(2048)] {
        let request = site.request(&client, &[("state", Some(state))]);
        let got = Browser::new(&site).log_in(&request).await;
        assert_eq!(got.parameter("state").as_deref(), Some(state));
    }
    let got = Browser::new(&site)
        .log_in(&site.request(&client, &[("state", None)]))
        .await;
    assert_eq!(got.parameter("state"), None);
}

#[actix_web::test]
async fn state_that_cannot_come_back_as_it_is_is_refused() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let without = site.request(&client, &[("state", None)]);
    for state in [
        "x".repeat(2049),
        "%FF%FE".into(),
        "a%0D%0Ab".into(),
        "a%00".into(),
    ] {
        let got = Browser::new(&site).get(&format!("{without}&state={state}")).await;
        assert_eq!(got.parameter("error").as_deref(), Some("invalid_request"));
        assert_eq!(got.parameter("state"), None);
    }
}

#[actix_web::test]
async fn nothing_is_answered_without_a_person() {
    let (error, _) = error_of(&[("prompt", Some("none"))]).await;
    assert_eq!(error, "interaction_required");
}

#[actix_web::test]
async fn the_predecessors_path_works_too() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site
        .request(&client, &[])
        .replace("/authorize", "/oauth/authorize");
    assert!(
        Browser::new(&site)
            .log_in(&request)
            .await
            .parameter("code")
            .is_some()
    );
}

#[actix_web::test]
async fn a_page_that_is_fetched_ahead_of_time_starts_nothing() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    for (name, value) in [
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("x-moz", "prefetch"),
    ] {
        let browser = Browser::new(&site);
        let got = browser.get_with(&request, &[(name, value)]).await;
        assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(browser.cookies().is_empty());
    }
    let record = site
        .store
        .client(&client, site.clock.now())
        .await
        .unwrap()
        .unwrap();
    assert!(!record.seen);
}

#[actix_web::test]
async fn pages_and_cookies_exist_on_the_issuers_host_only() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let authorize = site.request(&client, &[]);
    let predecessors = authorize.replace("/authorize", "/oauth/authorize");
    let callback = format!("{}/callback?state=x&code=y", site.base);
    let (nothing, elsewhere) = (StatusCode::NOT_FOUND, StatusCode::MISDIRECTED_REQUEST);
    // a protected server's host has no such endpoint; anywhere else, a text says where people log in
    let echo = [&authorize, &predecessors, &callback].map(|path| {
        let status = if path == &callback { elsewhere } else { nothing };
        (path, "echo.example.com", status)
    });
    let stranger = [&authorize, &predecessors, &callback].map(|path| (path, "localhost:1", elsewhere));
    for header in ["host", "x-forwarded-host"] {
        for (path, host, status) in echo.into_iter().chain(stranger) {
            let browser = Browser::new(&site);
            let got = browser.get_with(path, &[(header, host)]).await;
            assert_eq!(got.status, status, "{path} at {host}");
            if status == nothing {
                assert_eq!(got.header("content-type"), "application/json");
                assert!(!got.body.contains(&site.issuer), "{}", got.body);
            } else {
                assert_eq!(got.title(), "Wrong address");
                assert!(got.body.contains(&site.issuer), "{}", got.body);
            }
            assert!(!got.body.contains("<form"), "{}", got.body);
            assert!(!got.body.contains(host), "{}", got.body);
            assert!(!got.headers.contains_key("set-cookie") && browser.cookies().is_empty());
        }
    }
}

#[actix_web::test]
async fn a_trusted_proxy_says_which_host_was_asked_for() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let host = site.issuer.trim_start_matches("http://").to_owned();
    let headers = [("host", "auth:8000"), ("x-forwarded-host", &*host)];
    let got = Browser::new(&site)
        .get_with(&site.request(&client, &[]), &headers)
        .await;
    assert_eq!(got.status, StatusCode::OK);
}

#[actix_web::test]
async fn an_address_that_asks_too_often_has_to_wait() {
    let site = Site::start_with(|settings| {
        settings.limits.authorize = Rate {
            count: 1,
            period: Duration::from_secs(60),
            burst: 2,
        };
    })
    .await;
    let client = site.client(&[REDIRECT]).await;
    let (browser, request) = (Browser::new(&site), site.request(&client, &[]));
    for status in [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(browser.get(&request).await.status, status);
    }
    let got = browser.get(&request).await;
    assert_eq!(
        (got.title(), got.header("retry-after")),
        ("Too many requests", "60")
    );
}

#[actix_web::test]
async fn parameters_join_the_query_of_the_redirect_uri() {
    let site = Site::start().await;
    let uri = "https://client.example.com/cb?tenant=7";
    let client = site.client(&[uri]).await;
    let got = Browser::new(&site)
        .log_in(&site.request(&client, &[("redirect_uri", Some(uri))]))
        .await;
    assert!(
        got.location()
            .starts_with("https://client.example.com/cb?tenant=7&code=mcp_ac_")
    );
}
