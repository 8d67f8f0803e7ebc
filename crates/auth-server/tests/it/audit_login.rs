//! What the log keeps of a login: each step, who, for whom, and no secret.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{App, http::header, test, web};
use mcp_gateway_auth_server::{AuthServer, routes};
use mcp_gateway_model::{
    clock::{ManualClock, Timestamp},
    resource::{Resources, Wildcard},
};
use mcp_gateway_sandbox::github::{Options, StandInGithub};
use reqwest::redirect::Policy;
use url::Url;

use crate::support::{
    log::Log,
    login::{Got, REDIRECT, Site, settings},
};

/// One request on this thread, where the log is listened to.
macro_rules! call {
    ($app:expr, $jar:expr, $request:expr) => {{
        let cookies: Vec<_> = $jar.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = $request
            .insert_header((header::HOST, "127.0.0.1:8000"))
            .insert_header((header::ORIGIN, "http://127.0.0.1:8000"))
            .insert_header((header::COOKIE, cookies.join("; ")));
        let response = test::call_service($app, request.to_request()).await;
        let mut headers = reqwest::header::HeaderMap::new();
        for (name, value) in response.headers() {
            let name: reqwest::header::HeaderName = name.as_str().parse().unwrap();
            headers.append(name, value.to_str().unwrap().parse().unwrap());
        }
        for cookie in headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            $jar.insert(name.to_owned(), value.to_owned());
        }
        Got {
            status: reqwest::StatusCode::from_u16(response.status().as_u16()).unwrap(),
            headers,
            body: String::from_utf8(test::read_body(response).await.to_vec()).unwrap(),
        }
    }};
}

#[actix_web::test]
async fn a_login_leaves_its_lines_and_no_secret() {
    let upstream = StandInGithub::new(Options::default());
    upstream.handle().auto_choose(Some("octocat"));
    let github = upstream.start().unwrap();
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let request = site.request(&client, &[]);
    let (log, _guard) = Log::listen();
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    let settings = settings("http://127.0.0.1:8000", &github.url());
    let registry = prometheus::Registry::new();
    let auth = AuthServer::start(settings, site.store.clone(), clock, &registry)
        .await
        .unwrap();
    let app = test::init_service(App::new().configure(routes::configure(web::Data::new(auth)))).await;
    let mut jar: BTreeMap<String, String> = BTreeMap::new();

    let uri = request.strip_prefix(&site.base).unwrap();
    let page = call!(&app, jar, test::TestRequest::get().uri(uri));
    let mut form = page.fields();
    form.push(("decision".into(), "allow".into()));
    let consent = test::TestRequest::post().uri("/consent").set_form(&form);
    let allowed = call!(&app, jar, consent);
    let http = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let back = http.get(allowed.location()).send().await.unwrap();
    let back = Url::parse(back.headers()["location"].to_str().unwrap()).unwrap();
    let uri = format!("/callback?{}", back.query().unwrap());
    let got = call!(&app, jar, test::TestRequest::get().uri(&uri));

    let lines = log.audit();
    let events: Vec<_> = lines.iter().map(|line| &line["event"]).collect();
    assert_eq!(events, ["consent_given", "logged_in"]);
    for line in &lines {
        assert_eq!(line["client"], client.as_str());
        assert_eq!(line["resource"], "https://echo.example.com/mcp");
    }
    assert_eq!(lines[1]["login"], "octocat");
    let log = log.text();
    let mut secrets: Vec<_> = jar.into_values().filter(|value| !value.is_empty()).collect();
    secrets.extend(
        form.into_iter()
            .filter(|(n, _)| n != "account" && n != "decision")
            .map(|(_, v)| v),
    );
    secrets.extend(
        back.query_pairs()
            .filter(|(n, _)| n == "code" || n == "state")
            .map(|(_, v)| v.into_owned()),
    );
    secrets.extend([
        got.parameter("code").unwrap(),
        "sandbox-secret".into(),
        "gho_".into(),
    ]);
    assert!(secrets.len() >= 9, "{}", secrets.len());
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret}");
    }
}

#[actix_web::test]
async fn the_line_of_a_consent_names_all_that_it_opens() {
    let site = Site::start().await;
    let client = site.client(&[REDIRECT]).await;
    let asked = [("resource", Some("https://echo.example.com/mcp/harmless"))];
    let request = site.request(&client, &asked);
    let (log, _guard) = Log::listen();
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    let mut settings = settings("http://127.0.0.1:8000", "https://github.com");
    let wildcard = Wildcard::parse("https://*.example.com").unwrap();
    settings.resources = Resources::new(Vec::new(), vec![wildcard], "127.0.0.1:8000");
    let registry = prometheus::Registry::new();
    let auth = AuthServer::start(settings, site.store.clone(), clock, &registry)
        .await
        .unwrap();
    let app = test::init_service(App::new().configure(routes::configure(web::Data::new(auth)))).await;
    let mut jar: BTreeMap<String, String> = BTreeMap::new();
    for decision in ["allow", "deny"] {
        let uri = request.strip_prefix(&site.base).unwrap();
        let page = call!(&app, jar, test::TestRequest::get().uri(uri));
        let mut form = page.fields();
        form.push(("decision".into(), decision.into()));
        let consent = test::TestRequest::post().uri("/consent").set_form(&form);
        call!(&app, jar, consent).location();
    }
    let lines = log.audit();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!(line["resource"], "https://echo.example.com");
    }
}
