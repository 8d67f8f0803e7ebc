//! Devices that ask, and persons who type their codes.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use mcp_gateway_auth_server::Settings;
use mcp_gateway_model::{
    client::{AuthMethod, Client, ClientMetadata, ClientOrigin, GrantType},
    clock::Clock,
    id::ClientId,
    key::Algorithm,
    scope::ScopeSet,
    secret::Digest,
};
use mcp_gateway_store::Store;
use reqwest::StatusCode;
use serde_json::Value;

use super::login::{Browser, ECHO, Got, Site};

/// The grant type of devices.
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Settings that offer the device grant, and ID tokens.
pub(crate) fn offering(settings: &mut Settings) {
    settings.offers.device = true;
    settings.offers.openid = Some(Algorithm::EdDsa);
    let plenty = settings.limits.authorize;
    settings.limits.device = plenty;
    settings.limits.user_code = plenty;
}

/// A client that came as `origin` says, with this id, for devices.
pub(crate) fn client(id: &str, origin: ClientOrigin) -> Client {
    Client {
        id: ClientId::parse(id).unwrap(),
        metadata: ClientMetadata {
            redirect_uris: Vec::new(),
            token_endpoint_auth_method: AuthMethod::None,
            grant_types: vec![GrantType::DeviceCode, GrantType::RefreshToken],
            response_types: Vec::new(),
            client_name: Some("Some Tool".into()),
            client_uri: None,
            logo_uri: None,
            tos_uri: None,
            policy_uri: None,
            contacts: Vec::new(),
            scope: ScopeSet::default(),
            software_id: None,
            software_version: None,
            application_type: None,
            jwks: None,
            jwks_uri: None,
        },
        origin,
        secret: None,
        registration_token: None,
        previous_registration_token: None,
        revision: 1,
        resources: None,
        issued_at: mcp_gateway_model::clock::Timestamp::from_secs(1_800_000_000),
        expires_at: None,
        seen: false,
    }
}

/// What a device got: status, and the members of the answer.
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) cache: String,
}

impl Told {
    /// A member's text, or nothing.
    pub(crate) fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_default().to_owned()
    }

    /// The error, with the status before it.
    pub(crate) fn error(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.text("error"))
    }
}

/// A site with a client that the operator entered.
pub(crate) struct Stand {
    pub(crate) site: Site,
    pub(crate) client: String,
    http: reqwest::Client,
}

impl Stand {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let site = Site::start_with(|settings| {
            offering(settings);
            change(settings);
        })
        .await;
        let stand = Self {
            site,
            client: "some-tool".into(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        stand
            .add(client(&stand.client, ClientOrigin::PreRegistered))
            .await;
        stand
    }

    pub(crate) async fn add(&self, client: Client) {
        let now = self.site.clock.now();
        self.site.store.add_client(&client, now).await.unwrap();
    }

    pub(crate) fn advance(&self, secs: u64) {
        self.site.clock.advance(Duration::from_secs(secs));
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Told {
        let request = self.http.post(format!("{}{path}", self.site.base)).form(form);
        let answer = request.send().await.unwrap();
        let header = |name| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        Told {
            status: answer.status(),
            cache: header("cache-control").unwrap_or_default(),
            body: serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default(),
        }
    }

    /// The device asks, for `scope` at the echo server.
    pub(crate) async fn ask(&self, scope: &str) -> Told {
        let form = [
            ("client_id", self.client.as_str()),
            ("resource", ECHO),
            ("scope", scope),
        ];
        let told = self.post("/device_authorization", &form).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.body);
        told
    }

    /// The device comes back.
    pub(crate) async fn poll(&self, device_code: &str) -> Told {
        self.poll_as(&self.client, device_code).await
    }

    pub(crate) async fn poll_as(&self, client: &str, device_code: &str) -> Told {
        let form = [
            ("grant_type", DEVICE_CODE),
            ("client_id", client),
            ("device_code", device_code),
        ];
        self.post("/token", &form).await
    }

    /// A person types the code.
    pub(crate) async fn typed(&self, browser: &Browser, code: &str) -> Got {
        let url = format!("{}/device", self.site.base);
        self.typed_at(browser, &url, code).await
    }

    pub(crate) async fn typed_at(&self, browser: &Browser, url: &str, code: &str) -> Got {
        let page = browser.get(url).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let mut form = fields(&page);
        form.push(("code".into(), code.into()));
        browser.post("/device", &form).await
    }

    /// A person types the code, allows it and logs in at GitHub: the last page.
    pub(crate) async fn allow(&self, browser: &Browser, code: &str) -> Got {
        let consent = self.typed(browser, code).await;
        self.go_on(browser, &consent).await
    }

    pub(crate) async fn go_on(&self, browser: &Browser, consent: &Got) -> Got {
        let github = browser.decide(consent, "allow").await;
        let back = browser.get(github.location()).await;
        browser.get(back.location()).await
    }
}

/// The hidden fields of the form where codes are typed.
pub(crate) fn fields(page: &Got) -> Vec<(String, String)> {
    let form = page.body.split("action=\"/device\"").nth(1).unwrap();
    let form = form.split("</form>").next().unwrap();
    let part = |field: &str, name: &str| {
        let rest = field.split(&format!("{name}=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    form.split("<input type=\"hidden\" ")
        .skip(1)
        .map(|field| (part(field, "name"), part(field, "value")))
        .collect()
}

/// The SHA-256 under which the store has what was handed out.
pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}
