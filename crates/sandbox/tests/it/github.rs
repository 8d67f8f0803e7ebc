//! A stand-in on a free port, and the steps of a login as an OAuth client takes them.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{collections::HashMap, sync::Arc, time::Duration};

use mcp_gateway_model::clock::{ManualClock, Timestamp};
use mcp_gateway_sandbox::{
    Running,
    github::{Handle, Options, StandInGithub},
};
use reqwest::{Response, header, redirect};
use serde_json::Value;
use url::Url;

pub(crate) const CALLBACK: &str = "https://auth.example.com/callback";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A running stand-in, and a client that follows no redirect.
pub(crate) struct Github {
    pub(crate) handle: Handle,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) client: reqwest::Client,
    pub(crate) running: Running,
}

impl Github {
    pub(crate) fn start() -> Self {
        Self::start_with(|options| options)
    }

    pub(crate) fn start_with(change: impl FnOnce(Options) -> Options) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        let options = Options {
            callback_url: Some(CALLBACK.into()),
            clock: Arc::clone(&clock) as _,
            ..Options::new("app", "s3cret")
        };
        let github = StandInGithub::new(change(options));
        let running = github.start().unwrap();
        Self {
            handle: github.handle(),
            clock,
            client: client(),
            running,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url())
    }

    pub(crate) async fn authorize(&self, more: &[(&str, &str)]) -> Response {
        let mut query = vec![
            ("client_id", "app"),
            ("redirect_uri", CALLBACK),
            ("state", "st&te"),
        ];
        query.extend_from_slice(more);
        self.client
            .get(self.url("/login/oauth/authorize"))
            .query(&query)
            .send()
            .await
            .unwrap()
    }

    /// Shows the page, presses the button of `login` (none: Cancel), and follows nothing.
    pub(crate) async fn press(&self, more: &[(&str, &str)], login: Option<&str>) -> Response {
        let page = self.authorize(more).await;
        assert_eq!(page.status(), 200);
        let page = page.text().await.unwrap();
        let (_, rest) = page.split_once("name=\"request\" value=\"").unwrap();
        let request = rest
            .split_once('"')
            .unwrap()
            .0
            .replace("&#38;", "&")
            .replace("&amp;", "&");
        let mut form = vec![("request", request.as_str())];
        form.extend(login.map(|login| ("login", login)));
        self.client
            .post(self.url("/login/oauth/authorize"))
            .form(&form)
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn code(&self, login: &str, scope: &str) -> String {
        let answer = self.press(&[("scope", scope)], Some(login)).await;
        returned(&answer)["code"].clone()
    }

    pub(crate) async fn exchange(&self, more: &[(&str, &str)]) -> Response {
        let mut form = vec![("client_id", "app"), ("client_secret", "s3cret")];
        form.extend_from_slice(more);
        let request = self
            .client
            .post(self.url("/login/oauth/access_token"))
            .form(&form);
        request
            .header(header::ACCEPT, "application/json")
            .send()
            .await
            .unwrap()
    }

    pub(crate) async fn token(&self, login: &str, scope: &str) -> String {
        let code = self.code(login, scope).await;
        let answer: Value = self.exchange(&[("code", &code)]).await.json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Response {
        self.client
            .get(self.url(path))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
    }
}

/// The parameters with which the browser was sent back.
pub(crate) fn returned(answer: &Response) -> HashMap<String, String> {
    assert_eq!(answer.status(), 302);
    let location = Url::parse(answer.headers()[header::LOCATION].to_str().unwrap()).unwrap();
    assert!(location.as_str().starts_with(CALLBACK));
    location.query_pairs().into_owned().collect()
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .user_agent("sandbox-tests")
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}
