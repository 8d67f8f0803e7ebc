//! A person without a browser: every request that a login consists of, with the cookies that are set on the way.

use std::collections::BTreeMap;

use reqwest::{
    Client, Response, StatusCode,
    header::{COOKIE, LOCATION, ORIGIN, REFRESH, SET_COOKIE},
};
use url::Url;

/// GitHub's number of the user octocat.
pub(crate) const OCTOCAT: u64 = 583_231;

/// A person who logs in at an issuer.
pub(crate) struct Person {
    http: Client,
    issuer: String,
    cookies: BTreeMap<String, String>,
}

impl Person {
    /// Somebody whom the issuer has not seen before.
    pub(crate) fn new(http: Client, issuer: &str) -> Self {
        Self {
            http,
            issuer: issuer.to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// The values of the cookies that the person's browser holds.
    pub(crate) fn cookie_values(&self) -> Vec<String> {
        let held = self.cookies.values().filter(|value| !value.is_empty());
        held.cloned().collect()
    }

    /// Goes from an authorization URL through consent and GitHub, as `user` (GitHub's number), to the address that the client
    /// is sent back to.
    pub(crate) async fn walk(&mut self, url: &str, user: u64) -> Url {
        let page = self.get(url).await;
        assert_eq!(page.status(), StatusCode::OK, "{url}");
        let mut form = hidden_fields(&page.text().await.unwrap());
        form.push(("decision".into(), "allow".into()));
        let to_github = self.post(&format!("{}/consent", self.issuer), &form).await;
        let github = location(&to_github);
        let choose = self.http.get(github.clone()).send().await.unwrap();
        let html = choose.text().await.unwrap();
        let action = Url::parse(&github)
            .unwrap()
            .join(&attribute(&html, "<form", "action"))
            .unwrap();
        let mut form = hidden_fields(&html);
        form.push(button(&html, user));
        let back = self.http.post(action).form(&form).send().await.unwrap();
        let callback = location(&back);
        let done = self.get(&callback).await;
        // an address that opens an application is on a page, and not where the browser goes
        let refresh = done.headers().get(REFRESH).map(|value| value.to_str().unwrap());
        let target = refresh.map_or_else(
            || location(&done),
            |value| value.strip_prefix("0; url=").unwrap().to_owned(),
        );
        Url::parse(&target).unwrap()
    }

    /// Opens an authorization URL that the server answers at once with a redirect to the client.
    pub(crate) async fn sent_back_at_once(&mut self, url: &str) -> Url {
        let answer = self.get(url).await;
        Url::parse(&location(&answer)).unwrap()
    }

    async fn get(&mut self, url: &str) -> Response {
        let request = self.http.get(url).header(COOKIE, self.cookie_header());
        let answer = request.send().await.unwrap();
        self.keep_cookies(&answer);
        answer
    }

    async fn post(&mut self, url: &str, form: &[(String, String)]) -> Response {
        let request = self
            .http
            .post(url)
            .header(COOKIE, self.cookie_header())
            .header(ORIGIN, &self.issuer);
        let answer = request.form(form).send().await.unwrap();
        self.keep_cookies(&answer);
        answer
    }

    fn cookie_header(&self) -> String {
        self.cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    fn keep_cookies(&mut self, answer: &Response) {
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

fn location(answer: &Response) -> String {
    assert!(
        answer.status().is_redirection(),
        "{} from {}",
        answer.status(),
        answer.url()
    );
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

/// The hidden fields of the first form of a page.
fn hidden_fields(html: &str) -> Vec<(String, String)> {
    let form = &html[html.find("<form").unwrap_or_else(|| panic!("no form in {html}"))..];
    let form = &form[..form.find("</form>").unwrap()];
    form.split("<input")
        .skip(1)
        .filter(|input| input.contains("hidden"))
        .map(|input| (attribute(input, "", "name"), attribute(input, "", "value")))
        .collect()
}

/// The button of a user of the stand-in GitHub.
fn button(html: &str, user: u64) -> (String, String) {
    html.split("<button")
        .skip(1)
        .map(|button| (attribute(button, "", "name"), attribute(button, "", "value")))
        .find(|(_, value)| *value == user.to_string() || *value == login_of(user))
        .unwrap_or_else(|| panic!("no button for {user} in {html}"))
}

fn login_of(user: u64) -> &'static str {
    if user == 583_231 { "octocat" } else { "hubot" }
}

/// The value of an attribute, the first after `after`.
fn attribute(html: &str, after: &str, name: &str) -> String {
    let html = &html[html.find(after).unwrap()..];
    let start = html.find(&format!("{name}=\"")).map(|at| at + name.len() + 2);
    let rest = start.map_or("", |start| &html[start..]);
    let value = rest.split('"').next().unwrap_or_default();
    value
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}
