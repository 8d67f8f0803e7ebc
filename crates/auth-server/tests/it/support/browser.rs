//! Browsers with cookies.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{collections::BTreeMap, sync::Mutex};

use reqwest::{StatusCode, header::HeaderMap, redirect::Policy};
use url::Url;

use super::login::Site;

/// What a browser got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Got {
    /// A header's text, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|v| v.to_str().unwrap())
            .unwrap_or_default()
    }

    /// Where it leads.
    pub(crate) fn location(&self) -> &str {
        assert!(self.status.is_redirection(), "{} {}", self.status, self.body);
        self.header("location")
    }

    /// A parameter of where it leads; every one at most once.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let url = Url::parse(self.location()).unwrap();
        let mut values = url
            .query_pairs()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.into_owned());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }

    /// The hidden fields of the consent form.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        let form = self.body.split("action=\"/consent\"").nth(1).unwrap();
        let form = form.split("</form>").next().unwrap();
        form.split("<input type=\"hidden\" ")
            .skip(1)
            .map(|field| {
                let part = |name: &str| {
                    let rest = field.split(&format!("{name}=\"")).nth(1).unwrap();
                    rest.split('"').next().unwrap().to_owned()
                };
                (part("name"), part("value"))
            })
            .collect()
    }

    /// The title of the page.
    pub(crate) fn title(&self) -> &str {
        let title = self.body.split("<title>").nth(1).unwrap_or_default();
        title.split(" · ").next().unwrap_or_default()
    }
}

/// A browser: cookies, no redirects of its own accord.
pub(crate) struct Browser {
    http: reqwest::Client,
    issuer: String,
    base: String,
    jar: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    /// A browser without cookies.
    pub(crate) fn new(site: &Site) -> Self {
        Self {
            http: reqwest::Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .build()
                .unwrap(),
            issuer: site.issuer.clone(),
            base: site.base.clone(),
            jar: Mutex::default(),
        }
    }

    /// The names of its cookies.
    pub(crate) fn cookies(&self) -> Vec<String> {
        self.jar.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) async fn get(&self, url: &str) -> Got {
        self.get_with(url, &[]).await
    }

    pub(crate) async fn get_with(&self, url: &str, headers: &[(&str, &str)]) -> Got {
        self.send(self.http.get(url), url, headers).await
    }

    /// Sends a form as a page of the site does.
    pub(crate) async fn post(&self, path: &str, form: &[(String, String)]) -> Got {
        self.post_with(path, form, &[("origin", &self.issuer)]).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        form: &[(String, String)],
        headers: &[(&str, &str)],
    ) -> Got {
        let url = format!("{}{path}", self.base);
        self.send(self.http.post(&url).form(form), &url, headers).await
    }

    /// Presses a button of the consent form.
    pub(crate) async fn decide(&self, page: &Got, decision: &str) -> Got {
        let mut form = page.fields();
        form.push(("decision".into(), decision.into()));
        self.post("/consent", &form).await
    }

    /// Consents, and goes to GitHub, where somebody is logged in already: the address that leads back.
    pub(crate) async fn to_github_and_back(&self, request: &str) -> String {
        let page = self.get(request).await;
        let allowed = self.decide(&page, "allow").await;
        self.get(allowed.location()).await.location().to_owned()
    }

    /// The whole of it: what the client is sent.
    pub(crate) async fn log_in(&self, request: &str) -> Got {
        let callback = self.to_github_and_back(request).await;
        self.get(&callback).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, url: &str, headers: &[(&str, &str)]) -> Got {
        let ours = url.starts_with(&self.base);
        let mut request = headers.iter().fold(request, |r, (n, v)| r.header(*n, *v));
        if ours {
            let jar = self.jar.lock().unwrap().clone();
            let cookies: Vec<_> = jar.iter().map(|(n, v)| format!("{n}={v}")).collect();
            if !cookies.is_empty() {
                request = request.header("cookie", cookies.join("; "));
            }
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        if ours {
            self.keep(&headers);
        }
        Got {
            status,
            headers,
            body: response.text().await.unwrap(),
        }
    }

    fn keep(&self, headers: &HeaderMap) {
        let mut jar = self.jar.lock().unwrap();
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if cookie.contains("Max-Age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
