//! A client and its person: every request that a login consists of, and every secret that they are handed.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{AUTHORIZATION, COOKIE, LOCATION, ORIGIN, SET_COOKIE},
};
use serde_json::{Value, json};

use super::server::client;

pub(crate) const REDIRECT: &str = "http://127.0.0.1:33418/callback";
/// The verifier of RFC 7636 appendix B, and its challenge.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const STATE: &str = "the-state-of-the-client-5b1f0c";

/// A registered client and the browser of its person.
pub(crate) struct Agent {
    pub(crate) http: Client,
    /// Where the authorization server answers, and its name.
    pub(crate) issuer: String,
    pub(crate) registration: Value,
    cookies: BTreeMap<String, String>,
    /// What stands before the names of the endpoints: nothing, or `/oauth`.
    prefix: &'static str,
    /// What it asks for; empty for nothing in particular.
    pub(crate) scope: &'static str,
    /// Whatever was handed out and is nobody else's business.
    pub(crate) secrets: Vec<String>,
}

/// What a client holds after a login.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Agent {
    /// Registers a client that has a secret.
    pub(crate) async fn register(issuer: &str) -> Self {
        Self::register_below(issuer, "").await
    }

    /// The same at endpoints with a prefix, which it then goes on to use.
    pub(crate) async fn register_below(issuer: &str, prefix: &'static str) -> Self {
        let metadata = json!({
            "client_name": "The agent",
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "client_secret_basic",
        });
        let http = client();
        let request = http.post(format!("{issuer}{prefix}/register")).json(&metadata);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let registration: Value = answer.json().await.unwrap();
        let secret = |name: &str| registration[name].as_str().unwrap().to_owned();
        Self {
            http,
            issuer: issuer.to_owned(),
            cookies: BTreeMap::new(),
            prefix,
            scope: "",
            secrets: vec![
                secret("client_secret"),
                secret("registration_access_token"),
                STATE.to_owned(),
                VERIFIER.to_owned(),
            ],
            registration,
        }
    }

    /// The client's id.
    pub(crate) fn client_id(&self) -> &str {
        self.registration["client_id"].as_str().unwrap()
    }

    fn client_secret(&self) -> &str {
        self.registration["client_secret"].as_str().unwrap()
    }

    /// A whole login as octocat, and the tokens for `resource`.
    pub(crate) async fn log_in(&mut self, resource: &str) -> Tokens {
        let code = self.code(resource).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("resource", resource),
        ];
        let (status, body) = self.token(&form).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        self.take(&body)
    }

    /// A login up to the code.
    pub(crate) async fn code(&mut self, resource: &str) -> String {
        let mut url = Url::parse_with_params(
            &format!("{}{}/authorize", self.issuer, self.prefix),
            [
                ("response_type", "code"),
                ("client_id", self.client_id()),
                ("redirect_uri", REDIRECT),
                ("state", STATE),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
                ("resource", resource),
            ],
        )
        .unwrap();
        if !self.scope.is_empty() {
            url.query_pairs_mut().append_pair("scope", self.scope);
        }
        let onward = self.answer_pages(url.as_str()).await;
        let target = Url::parse(&onward).unwrap();
        let parameters: BTreeMap<_, _> = target.query_pairs().into_owned().collect();
        assert_eq!(parameters["state"], STATE, "{target}");
        assert_eq!(parameters["iss"], self.issuer, "{target}");
        self.secrets.push(parameters["code"].clone());
        parameters["code"].clone()
    }

    /// From the address of a login to the client's redirect URI, as a person goes who allows it.
    pub(crate) async fn answer_pages(&mut self, address: &str) -> String {
        let page = self.get(address).await;
        assert_eq!(page.status(), StatusCode::OK);
        let mut form = hidden_fields(&page.text().await.unwrap());
        self.secrets.extend(form.iter().map(|(_, value)| value.clone()));
        form.push(("decision".to_owned(), "allow".to_owned()));
        let answer = self.post(&format!("{}/consent", self.issuer), &form).await;
        let onward = location(&answer);
        if onward.contains("/login/oauth/authorize") {
            self.at_github(&onward).await
        } else {
            onward
        }
    }

    /// From GitHub's page to the client's redirect URI.
    async fn at_github(&mut self, address: &str) -> String {
        self.note_parameters(address);
        let answer = self.http.get(address).send().await.unwrap();
        let form: Vec<_> = hidden_fields(&answer.text().await.unwrap())
            .into_iter()
            .chain([("login".to_owned(), "octocat".to_owned())])
            .collect();
        let page = Url::parse(address)
            .unwrap()
            .join("/login/oauth/authorize")
            .unwrap();
        let back = self.http.post(page).form(&form).send().await.unwrap();
        let callback = location(&back);
        self.note_parameters(&callback);
        let done = self.get(&callback).await;
        location(&done)
    }

    fn note_parameters(&mut self, address: &str) {
        let url = Url::parse(address).unwrap();
        let secret = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
            ["state", "code"].contains(&&*name).then(|| value.into_owned())
        };
        self.secrets.extend(url.query_pairs().filter_map(secret));
    }

    /// Uses a refresh token.
    pub(crate) async fn refresh(&mut self, token: &str) -> Tokens {
        let (status, body) = self.try_refresh(token).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        self.take(&body)
    }

    /// Tries to.
    pub(crate) async fn try_refresh(&self, token: &str) -> (StatusCode, Value) {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    /// Revokes a token.
    pub(crate) async fn revoke(&self, token: &str) {
        let answer = self.ask("/revoke", &[("token", token)]).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }

    /// A call of the token endpoint.
    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let answer = self.ask(&format!("{}/token", self.prefix), form).await;
        (answer.status(), answer.json().await.unwrap())
    }

    /// A form to an endpoint, as this client.
    pub(crate) async fn ask(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let request = self.http.post(format!("{}{path}", self.issuer)).form(form);
        let request = request.basic_auth(self.client_id(), Some(self.client_secret()));
        request.send().await.unwrap()
    }

    /// The client's own record, by its management token.
    pub(crate) async fn record(&self) -> Response {
        let text = |name: &str| self.registration[name].as_str().unwrap();
        let bearer = format!("Bearer {}", text("registration_access_token"));
        let request = self.http.get(text("registration_client_uri"));
        request.header(AUTHORIZATION, bearer).send().await.unwrap()
    }

    fn take(&mut self, body: &Value) -> Tokens {
        let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
        let tokens = Tokens {
            access: text("access_token"),
            refresh: text("refresh_token"),
        };
        self.secrets
            .extend([tokens.access.clone(), tokens.refresh.clone()]);
        tokens
    }

    async fn get(&mut self, url: &str) -> Response {
        let request = self.http.get(url).header(COOKIE, self.cookie_header());
        let answer = request.send().await.unwrap();
        self.keep_cookies(&answer);
        answer
    }

    async fn post(&mut self, url: &str, form: &[(String, String)]) -> Response {
        let request = self.http.post(url).header(COOKIE, self.cookie_header());
        let answer = request
            .header(ORIGIN, &self.issuer)
            .form(form)
            .send()
            .await
            .unwrap();
        self.keep_cookies(&answer);
        answer
    }

    fn cookie_header(&self) -> String {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    fn keep_cookies(&mut self, answer: &Response) {
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if !value.is_empty() {
                self.secrets.push(value.to_owned());
            }
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// The header by which a token is presented.
pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// The header of a JWT, unchecked.
pub(crate) fn header_of(token: &str) -> Value {
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// The same token as if a key had signed it that nobody knows: it makes a verifier look at the keys again.
pub(crate) fn by_an_unknown_key(token: &str) -> String {
    let mut header = header_of(token);
    header["kid"] = "A".repeat(43).into();
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

fn location(answer: &Response) -> String {
    let status = answer.status();
    assert!(status.is_redirection(), "{status} from {}", answer.url());
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

/// The hidden fields of the first form of a page.
fn hidden_fields(html: &str) -> Vec<(String, String)> {
    let form = html
        .split("<form")
        .nth(1)
        .unwrap_or_else(|| panic!("no form in {html}"));
    let form = form.split("</form>").next().unwrap();
    let inputs = form.split("<input").skip(1);
    inputs
        .filter(|input| input.contains("hidden"))
        .map(|input| (attribute(input, "name"), attribute(input, "value")))
        .collect()
}

fn attribute(input: &str, name: &str) -> String {
    let value = input.split(&format!(" {name}=\"")).nth(1).unwrap_or_default();
    let value = value.split('"').next().unwrap_or_default();
    value
        .replace("&#38;", "&")
        .replace("&#34;", "\"")
        .replace("&amp;", "&")
}
