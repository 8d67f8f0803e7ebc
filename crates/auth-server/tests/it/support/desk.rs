//! A server that issues tokens without anybody logging in: consents are put into the store as the login would.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle, web};
use mcp_gateway_auth_server::{AuthServer, Settings, routes};
use mcp_gateway_model::{
    clock::{Clock, ManualClock, Timestamp},
    grant::{Code, Grant, GrantKind},
    id::{ClientId, GrantId},
    pkce::CodeChallenge,
    redirect::RedirectUri,
    resource::ResourceUri,
    scope::ScopeSet,
    secret::{Secret, random_text},
};
use mcp_gateway_store::{EmbeddedStore, Store};
use prometheus::proto::MetricFamily;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use super::{
    fragile::Fragile,
    set::{ECHO, octocat, settings},
};

/// The verifier of every code here.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Where every client here is redirected to.
pub(crate) const REDIRECT: &str = "https://client.example.com/cb";
/// When every test begins.
pub(crate) const START: u64 = 1_800_000_000;

/// A running server.
pub(crate) struct Desk {
    pub(crate) base: String,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<Fragile>,
    pub(crate) registry: prometheus::Registry,
    http: reqwest::Client,
    server: ServerHandle,
}

impl Drop for Desk {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

/// A client that registered.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    pub(crate) token: String,
    pub(crate) body: Value,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text))
    }

    /// A header's text, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map(|v| v.to_str().unwrap()).unwrap_or_default()
    }

    /// A member's text, or nothing.
    pub(crate) fn member(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_default().to_owned()
    }

    /// The error, with the status before it.
    pub(crate) fn error(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.member("error"))
    }
}

impl Desk {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let store = Arc::new(Fragile::new(EmbeddedStore::in_memory().unwrap()));
        Self::start_on(store, settings).await
    }

    pub(crate) async fn start_on(store: Arc<Fragile>, settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(START)));
        let registry = prometheus::Registry::new();
        let auth = AuthServer::start(settings, store.clone(), clock.clone(), &registry)
            .await
            .unwrap();
        let configure = routes::configure(web::Data::new(auth));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = HttpServer::new(move || App::new().configure(configure.clone()))
            .workers(2)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            base,
            clock,
            store,
            registry,
            http,
            server: handle,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    /// Sends a request without a body.
    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.run(self.http.request(method, format!("{}{path}", self.base)), headers)
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }

    /// Sends JSON with these headers; the content type is one of them.
    pub(crate) async fn send_json(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        self.run(request, headers).await
    }

    /// Sends bytes as they are.
    pub(crate) async fn send_body(&self, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let request = self.http.post(format!("{}{path}", self.base)).body(body);
        self.run(request, headers).await
    }

    /// Posts a form.
    pub(crate) async fn form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.form_with(path, &[], form).await
    }

    pub(crate) async fn form_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> Answer {
        let request = self.http.post(format!("{}{path}", self.base)).form(form);
        self.run(request, headers).await
    }

    async fn run(&self, request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> Answer {
        let request = headers
            .iter()
            .fold(request, |r, (name, value)| r.header(*name, *value));
        let response = request.send().await.unwrap();
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    /// Registers a client that says `metadata` of itself.
    pub(crate) async fn register(&self, metadata: &Value) -> Registered {
        let answer = self.send_json(Method::POST, "/register", &[], metadata).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let body = answer.json();
        Registered {
            id: answer.member("client_id"),
            secret: body["client_secret"].as_str().map(ToOwned::to_owned),
            token: answer.member("registration_access_token"),
            body,
        }
    }

    pub(crate) async fn public_client(&self) -> Registered {
        let metadata = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none" });
        self.register(&metadata).await
    }

    pub(crate) async fn confidential_client(&self) -> Registered {
        let metadata =
            json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_post" });
        self.register(&metadata).await
    }

    /// A code, as if octocat had consented to `read write` at the echo server.
    pub(crate) async fn code(&self, client: &Registered) -> String {
        self.code_with(client, |_, _| {}).await
    }

    pub(crate) async fn code_with(
        &self,
        client: &Registered,
        change: impl FnOnce(&mut Grant, &mut Code),
    ) -> String {
        put_code(self.store.as_ref(), &client.id, self.now(), change).await
    }

    /// Redeems a code as its client would, with `changes` made to the form: a value, or `None` to leave a member out.
    pub(crate) async fn redeem(
        &self,
        client: &Registered,
        code: &str,
        changes: &[(&str, Option<&str>)],
    ) -> Answer {
        let good = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("resource", ECHO),
        ];
        self.token(client, &good, changes).await
    }

    /// Refreshes as the client would.
    pub(crate) async fn refresh(
        &self,
        client: &Registered,
        token: &str,
        changes: &[(&str, Option<&str>)],
    ) -> Answer {
        let good = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.token(client, &good, changes).await
    }

    async fn token(
        &self,
        client: &Registered,
        good: &[(&str, &str)],
        changes: &[(&str, Option<&str>)],
    ) -> Answer {
        let mut form = good.to_vec();
        form.push(("client_id", &client.id));
        if let Some(secret) = &client.secret {
            form.push(("client_secret", secret));
        }
        form.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        form.extend(
            changes
                .iter()
                .filter_map(|(name, value)| value.map(|value| (*name, value))),
        );
        self.form("/token", &form).await
    }

    /// Access and refresh token of a new grant.
    pub(crate) async fn tokens(&self, client: &Registered) -> (String, String) {
        let code = self.code(client).await;
        let answer = self.redeem(client, &code, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        (answer.member("access_token"), answer.member("refresh_token"))
    }

    /// What a confidential client learns about its own token.
    pub(crate) async fn introspect(&self, client: &Registered, token: &str) -> Value {
        let secret = client.secret.as_deref().unwrap();
        let form = [
            ("token", token),
            ("client_id", &client.id),
            ("client_secret", secret),
        ];
        let answer = self.form("/introspect", &form).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    /// The value of a counter with this label value.
    pub(crate) fn counted(&self, name: &str, label: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name);
        let metrics = family.map(MetricFamily::get_metric).unwrap_or_default();
        metrics
            .iter()
            .filter(|metric| metric.get_label().iter().any(|l| l.value() == label))
            .map(|metric| metric.get_counter().get_value())
            .sum()
    }
}

/// Puts a consent of octocat's for `client` into the store. The code.
pub(crate) async fn put_code(
    store: &dyn Store,
    client: &str,
    now: Timestamp,
    change: impl FnOnce(&mut Grant, &mut Code),
) -> String {
    let id = GrantId::generate();
    let text = Secret::presented(format!("mcp_ac_{id}.{}", random_text::<32>()));
    let client = ClientId::parse(client).unwrap();
    let expires_at = now.plus(Duration::from_secs(60));
    let mut grant = Grant {
        id: id.clone(),
        client: client.clone(),
        user: Some(octocat()),
        kind: GrantKind::Consent,
        memberships: None,
        audiences: vec![ResourceUri::parse(ECHO).unwrap()],
        scopes: ScopeSet::parse("read write").unwrap(),
        authenticated_at: now,
        created_at: now,
        expires_at,
    };
    let mut code = Code {
        grant: id,
        digest: text.digest(),
        client,
        redirect_uri: RedirectUri::parse(REDIRECT).unwrap(),
        redirect_uri_was_sent: true,
        challenge: CodeChallenge::of(VERIFIER),
        nonce: None,
        expires_at,
    };
    change(&mut grant, &mut code);
    let remembered = now.plus(Duration::from_secs(31_536_000));
    store.begin_grant(&grant, &code, remembered, now).await.unwrap();
    text.reveal().to_owned()
}
