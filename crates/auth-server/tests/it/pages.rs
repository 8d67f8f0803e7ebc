//! What people see.

use reqwest::{Method, StatusCode};

use crate::support::login::{Browser, Got, REDIRECT, Site};

async fn consent_page(redirect: &str, name: Option<&str>, changes: &[(&str, Option<&str>)]) -> Got {
    let site = Site::start().await;
    let name = name.map(ToOwned::to_owned);
    let client = site.client_with(&[redirect], |m| m.client_name = name).await;
    let mut all = vec![("redirect_uri", Some(redirect))];
    all.extend_from_slice(changes);
    Browser::new(&site).get(&site.request(&client, &all)).await
}

#[actix_web::test]
async fn the_consent_page_says_who_asks_where_the_answer_goes_and_for_what() {
    let scope = [("scope", Some("read offline_access"))];
    let page = consent_page(REDIRECT, Some("Some Client"), &scope).await;
    for text in [
        "<bdi class=\"name\">Some Client</bdi> asks for access",
        "Anybody can claim this name",
        "<strong>client.example.com</strong>",
        "https://echo.example.com/mcp",
        "<bdi>Echo</bdi>",
        "<code>read</code>",
        "Stay connected while you are away",
        "After you allow it you log in with GitHub",
        "lang=\"en\"",
        "<main>",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains("Careful"));
}

#[actix_web::test]
async fn loopback_and_private_use_redirects_come_with_a_warning() {
    let page = consent_page("http://localhost:6274/cb", Some("X"), &[]).await;
    assert!(
        page.body.contains("<strong>localhost:6274</strong>"),
        "{}",
        page.body
    );
    assert!(page.body.contains("Any program on this computer"));
    let page = consent_page("cursor://anysphere.cursor-mcp/oauth/callback", Some("X"), &[]).await;
    assert!(page.body.contains("<strong>cursor:</strong>"), "{}", page.body);
    assert!(page.body.contains("Any application on this computer"));
}

#[actix_web::test]
async fn the_name_of_a_client_is_text_and_nothing_else() {
    let name = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}evil\u{200b}";
    let page = consent_page(REDIRECT, Some(name), &[]).await;
    assert!(
        !page.body.contains("<script") && !page.body.contains("<img"),
        "{}",
        page.body
    );
    assert!(!page.body.contains('\u{202e}') && !page.body.contains('\u{200b}'));
    let page = consent_page(REDIRECT, Some(&"n".repeat(5000)), &[]).await;
    assert!(page.body.contains(&format!("{}…", "n".repeat(79))));
    let page = consent_page(REDIRECT, Some("\u{200b}"), &[]).await;
    assert!(page.body.contains("An application without a name"));
}

#[actix_web::test]
async fn what_a_request_says_is_never_markup() {
    let evil = "\"><script>alert(1)</script>";
    for name in [
        "state",
        "scope",
        "resource",
        "response_type",
        "login_hint",
        "nonsense",
        "client_id",
        "redirect_uri",
        "error",
    ] {
        let page = consent_page(REDIRECT, None, &[(name, Some(evil))]).await;
        assert!(!page.body.contains("<script"), "{name}: {}", page.body);
    }
}

#[actix_web::test]
async fn every_page_may_load_nothing_but_its_style_and_be_framed_by_nobody() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let browser = Browser::new(&site);
    let consent = browser.get(&site.request(&client, &[])).await;
    let fault = browser.get(&format!("{}/authorize", site.base)).await;
    let callback = browser.get(&format!("{}/callback", site.base)).await;
    let done = browser.post("/logout", &[]).await;
    for got in [&consent, &fault, &callback, &done] {
        let policy = got.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"));
        assert_eq!(got.header("cache-control"), "no-store");
        assert_eq!(got.header("referrer-policy"), "same-origin");
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert_eq!(got.header("x-frame-options"), "DENY");
        assert_eq!(got.header("content-type"), "text/html; charset=utf-8");
        for word in ["<script", "style=", "onclick", "http-equiv"] {
            assert!(!got.body.contains(word), "{word}");
        }
    }
    assert!(
        fault
            .header("content-security-policy")
            .contains("form-action 'self'")
    );
}

#[actix_web::test]
async fn form_action_does_not_stand_between_consent_and_the_redirects_that_follow() {
    let page = consent_page(REDIRECT, None, &[]).await;
    assert!(!page.header("content-security-policy").contains("form-action"));
}

#[actix_web::test]
async fn every_error_page_names_its_request() {
    let site = Site::start().await;
    let browser = Browser::new(&site);
    for path in [
        "/authorize",
        "/authorize?client_id=x",
        "/callback",
        "/callback?state=x",
    ] {
        let got = browser.get(&format!("{}{path}", site.base)).await;
        assert!(got.status.is_client_error());
        let id = got.body.split("name this request: <code>").nth(1).unwrap();
        let id = id.split("</code>").next().unwrap();
        assert!(id.len() >= 8, "{id}");
    }
    let got = browser.post("/consent", &[]).await;
    assert!(got.body.contains("name this request"));
}

#[actix_web::test]
async fn an_application_opens_from_a_page_that_can_be_closed() {
    let site = Site::start().await;
    let uri = "cursor://anysphere.cursor-mcp/oauth/callback";
    let client = site.client(&[uri]).await;
    let request = site.request(&client, &[("redirect_uri", Some(uri))]);
    let browser = Browser::new(&site);
    let got = browser.log_in(&request).await;
    assert_eq!(
        (got.status, got.title()),
        (StatusCode::OK, "You can close this window")
    );
    let target = got.header("refresh").strip_prefix("0; url=").unwrap();
    assert!(target.starts_with(&format!("{uri}?code=mcp_ac_")), "{target}");
    assert!(target.contains("&state=s-1&iss="));
    assert!(got.body.contains(&format!("href=\"{uri}?code=")));
    let page = browser.get(&request).await;
    let denied = browser.decide(&page, "deny").await;
    assert!(denied.header("refresh").contains("error=access_denied"));
}

#[actix_web::test]
async fn the_style_sheet_is_kept_until_it_changes() {
    let site = Site::start().await;
    let browser = Browser::new(&site);
    let page = browser.get(&format!("{}/callback", site.base)).await;
    let address = page
        .body
        .split("href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let sheet = browser.get(&format!("{}{address}", site.base)).await;
    assert_eq!(sheet.header("content-type"), "text/css; charset=utf-8");
    assert!(sheet.header("cache-control").contains("immutable"));
    assert!(sheet.body.contains("prefers-color-scheme: dark"));
    let tag = sheet.header("etag").to_owned();
    let again = browser
        .get_with(&format!("{}{address}", site.base), &[("if-none-match", &tag)])
        .await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
}

#[actix_web::test]
async fn a_store_that_does_not_answer_is_a_page_without_internals() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    let browser = Browser::new(&site);
    let page = browser.get(&request).await;
    let callback = browser.to_github_and_back(&request).await;
    site.store.set_broken(true);
    for got in [
        browser.get(&request).await,
        browser.decide(&page, "allow").await,
        browser.get(&callback).await,
        browser.post("/logout", &[]).await,
    ] {
        assert_eq!(
            (got.status, got.title()),
            (StatusCode::SERVICE_UNAVAILABLE, "Not possible right now")
        );
        assert!(!got.header("retry-after").is_empty());
        assert!(
            !got.body.contains("redis") && !got.body.contains("timed out"),
            "{}",
            got.body
        );
    }
    site.store.set_broken(false);
    assert!(browser.get(&callback).await.parameter("code").is_some());
}

#[actix_web::test]
async fn who_is_logged_in_can_log_out_on_every_page_and_nobody_else() {
    let site = Site::start().await;
    let client = site.client(&["com.example.app:/cb"]).await;
    let request = site.request(&client, &[("redirect_uri", Some("com.example.app:/cb"))]);
    let browser = Browser::new(&site);
    let log_out = "action=\"/logout\"";
    assert!(!browser.get(&request).await.body.contains(log_out));
    let callback = format!("{}/callback", site.base);
    assert!(!browser.get(&callback).await.body.contains(log_out));
    for got in [
        browser.log_in(&request).await,
        browser.get(&request).await,
        browser.get(&callback).await,
    ] {
        assert!(got.body.contains(log_out), "{}", got.body);
    }
}

#[actix_web::test]
async fn another_method_than_a_pages_own_gets_405_and_learns_which_it_is() {
    let site = Site::start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, own) in [
        ("/authorize", "GET"),
        ("/oauth/authorize", "GET"),
        ("/consent", "POST"),
        ("/callback", "GET"),
        ("/logout", "POST"),
    ] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::OPTIONS] {
            let request = http.request(method.clone(), format!("{}{path}", site.base));
            let response = request.send().await.unwrap();
            let is_refused = response.status() == StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(is_refused, method != own, "{method} {path}");
            if is_refused {
                assert_eq!(response.headers()["allow"], own, "{method} {path}");
                assert!(response.headers().contains_key("content-security-policy"));
                let text = response.text().await.unwrap();
                assert!(text.contains("connect again"), "{text}");
            }
        }
    }
}

#[actix_web::test]
async fn a_browser_that_asks_for_an_icon_gets_none_and_keeps_that() {
    let site = Site::start().await;
    let got = Browser::new(&site)
        .get(&format!("{}/favicon.ico", site.base))
        .await;
    assert_eq!((got.status, got.body.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(got.header("cache-control"), "public, max-age=604800");
}
