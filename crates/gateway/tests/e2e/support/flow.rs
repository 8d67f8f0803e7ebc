//! A client and its person without a browser.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::person::Person;

/// Where the client of these tests is redirected to.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:33418/callback";
/// The verifier of RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A registered client at an issuer.
pub(crate) struct Flow {
    pub(crate) http: Client,
    pub(crate) issuer: String,
    pub(crate) registration: Value,
    person: Person,
}

/// What a client holds after a login.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    fn of(answer: &Value) -> Self {
        let text = |name: &str| {
            answer[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name} in {answer}"))
                .to_owned()
        };
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }
}

impl Flow {
    /// Registers a public client.
    pub(crate) async fn register(http: Client, issuer: &str) -> Self {
        let metadata = json!({
            "client_name": "End to end",
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
        });
        let answer = http
            .post(format!("{issuer}/register"))
            .json(&metadata)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let registration = answer.json().await.unwrap();
        let person = Person::new(http.clone(), issuer);
        Self {
            http,
            issuer: issuer.to_owned(),
            registration,
            person,
        }
    }

    /// The client's id.
    pub(crate) fn client_id(&self) -> &str {
        self.registration["client_id"].as_str().unwrap()
    }

    /// The values of the cookies that the person's browser holds.
    pub(crate) fn cookie_values(&self) -> Vec<String> {
        self.person.cookie_values()
    }

    /// A client that is registered already.
    pub(crate) fn of(http: Client, issuer: &str, client_id: &str) -> Self {
        let registration = json!({ "client_id": client_id });
        let person = Person::new(http.clone(), issuer);
        Self {
            http,
            issuer: issuer.to_owned(),
            registration,
            person,
        }
    }

    /// The address that starts a login for `resource`.
    pub(crate) fn authorization_url(&self, resource: &str) -> String {
        let mut url = Url::parse(&self.plain_authorization_url()).unwrap();
        url.query_pairs_mut().append_pair("resource", resource);
        url.into()
    }

    /// The address that starts a login for whatever the server takes it to be for.
    fn plain_authorization_url(&self) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            VERIFIER.as_bytes(),
        ));
        Url::parse_with_params(
            &format!("{}/authorize", self.issuer),
            [
                ("response_type", "code"),
                ("client_id", self.client_id()),
                ("redirect_uri", REDIRECT),
                ("state", "the state"),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        )
        .unwrap()
        .into()
    }

    /// A whole login as `user` (GitHub's number); answers the parameters that the client is sent back with.
    pub(crate) async fn log_in(&mut self, resource: &str, user: u64) -> BTreeMap<String, String> {
        self.log_in_at(&self.authorization_url(resource), user).await
    }

    /// A whole login in a browser of its own, as `user`, that asks for these scopes, and the access token that it brings.
    pub(crate) async fn token_for(&mut self, resource: &str, scope: &str, user: u64) -> String {
        self.person = Person::new(self.http.clone(), &self.issuer);
        let mut url = Url::parse(&self.authorization_url(resource)).unwrap();
        url.query_pairs_mut().append_pair("scope", scope);
        let back = self.log_in_at(url.as_str(), user).await;
        self.exchange(&back["code"], resource).await.access
    }

    /// A whole login that names no resource.
    pub(crate) async fn log_in_without_resource(&mut self, user: u64) -> BTreeMap<String, String> {
        self.log_in_at(&self.plain_authorization_url(), user).await
    }

    async fn log_in_at(&mut self, url: &str, user: u64) -> BTreeMap<String, String> {
        let target = self.person.walk(url, user).await;
        assert!(target.as_str().starts_with(REDIRECT), "{target}");
        target.query_pairs().into_owned().collect()
    }

    /// Exchanges a code.
    pub(crate) async fn exchange(&self, code: &str, resource: &str) -> Tokens {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("resource", resource),
        ];
        let (status, body) = self.token(&form).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        Tokens::of(&body)
    }

    /// Uses a refresh token.
    pub(crate) async fn refresh(&self, token: &str) -> Tokens {
        let (status, body) = self
            .token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await;
        assert_eq!(status, StatusCode::OK, "{body}");
        Tokens::of(&body)
    }

    /// A call of the token endpoint.
    pub(crate) async fn token(&self, parameters: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut form = parameters.to_vec();
        form.push(("client_id", self.client_id()));
        let answer = self
            .http
            .post(format!("{}/token", self.issuer))
            .form(&form)
            .send()
            .await
            .unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Revokes a token.
    pub(crate) async fn revoke(&self, token: &str) {
        assert_eq!(self.try_revoke(token).await, StatusCode::OK);
    }

    /// Tries to revoke a token, of a gateway that may be unable to.
    pub(crate) async fn try_revoke(&self, token: &str) -> StatusCode {
        let form = [("token", token), ("client_id", self.client_id())];
        let url = format!("{}/revoke", self.issuer);
        self.http.post(url).form(&form).send().await.unwrap().status()
    }
}
