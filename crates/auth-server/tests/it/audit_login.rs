//! What the log keeps of a login: each step, who, for whom, and no secret.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, Mutex},
};

use actix_web::{App, http::header, test, web};
use mcp_gateway_auth_server::{AuthServer, routes};
use mcp_gateway_model::clock::{ManualClock, Timestamp};
use mcp_gateway_sandbox::github::{Options, StandInGithub};
use reqwest::redirect::Policy;
use url::Url;

use crate::support::login::{Got, REDIRECT, Site, settings};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().map_or(Ok(0), |mut log| log.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

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
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
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

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["target"] == "audit")
        .collect();
    let events: Vec<_> = lines.iter().map(|line| &line["fields"]["event"]).collect();
    assert_eq!(events, ["consent_given", "logged_in"]);
    for line in &lines {
        assert_eq!(line["fields"]["client"], client.as_str());
        assert_eq!(line["fields"]["resource"], "https://echo.example.com/mcp");
    }
    assert_eq!(lines[1]["fields"]["login"], "octocat");
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
