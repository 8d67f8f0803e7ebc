//! A whole server on a free port with a clock that is moved by hand, a stand-in for GitHub, and browsers with cookies.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, web};
use mcp_gateway_auth_server::{
    AuthServer, DeviceGrant, DocumentPolicy, FetchSettings, GithubSettings, Lifetimes, Limits, RefreshTokens,
    RegistrationSettings, Settings, routes, settings::SigningSettings,
};
use mcp_gateway_model::{
    access::{AllowedUsers, MembershipLife},
    client::{AuthMethod, Client, ClientMetadata, ClientOrigin, GrantType},
    clock::{Clock, ManualClock, Timestamp},
    cors::CorsOrigins,
    id::ClientId,
    issuer::Issuer,
    key::Algorithm,
    metadata::Offers,
    proxy::TrustedProxies,
    redirect::RedirectUri,
    resource::{Resource, ResourceUri, Resources},
    scope::{Hierarchy, ScopeSet},
    secret::Secret,
};
use mcp_gateway_sandbox::{
    Running,
    github::{Handle, Options, StandInGithub},
};
use mcp_gateway_store::{EmbeddedStore, Rate, Store};
use reqwest::{StatusCode, header::HeaderMap, redirect::Policy};
use serde_json::Value;
use url::Url;

use super::fragile::Fragile;

/// The challenge of RFC 7636 appendix B.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Where most clients of these tests are redirected to.
pub(crate) const REDIRECT: &str = "https://client.example.com/cb";
/// The protected server of these tests.
pub(crate) const ECHO: &str = "https://echo.example.com/mcp";

/// A running authorization server with all that belongs to it.
pub(crate) struct Site {
    pub(crate) issuer: String,
    pub(crate) base: String,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<Fragile>,
    pub(crate) github: Handle,
    pub(crate) registry: prometheus::Registry,
    pub(crate) auth: web::Data<AuthServer>,
    http: reqwest::Client,
    server: ServerHandle,
    _upstream: Running,
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

impl Site {
    /// A site that lets octocat and number 480938 (hubot) in.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A site with other settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_beside(Options::default(), change).await
    }

    /// A site with other settings, and another GitHub.
    pub(crate) async fn start_beside(github: Options, change: impl FnOnce(&mut Settings)) -> Self {
        let upstream = StandInGithub::new(github);
        let github = upstream.handle();
        github.auto_choose(Some("octocat"));
        let upstream = upstream.start().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let mut settings = settings(&base, &upstream.url());
        change(&mut settings);
        let issuer = settings.issuer.to_string();
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        let store = Arc::new(Fragile::new(EmbeddedStore::in_memory().unwrap()));
        let registry = prometheus::Registry::new();
        let auth = AuthServer::start(settings, store.clone(), clock.clone(), &registry)
            .await
            .unwrap();
        let auth = web::Data::new(auth);
        let configure = routes::configure(auth.clone());
        let server = HttpServer::new(move || App::new().configure(configure.clone()))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self {
            issuer,
            base,
            clock,
            store,
            github,
            registry,
            auth,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            server: handle,
            _upstream: upstream,
        }
    }

    /// Posts a form to the token endpoint: the status and the answer.
    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}/token", self.base)).form(form);
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// The time at the site.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    /// A public client with these redirect URIs.
    pub(crate) async fn client(&self, redirects: &[&str]) -> ClientId {
        self.client_with(redirects, |_| {}).await
    }

    /// A public client that says something else of itself.
    pub(crate) async fn client_with(
        &self,
        redirects: &[&str],
        change: impl FnOnce(&mut ClientMetadata),
    ) -> ClientId {
        let now = Timestamp::from_secs(1_800_000_000);
        let mut metadata = ClientMetadata {
            redirect_uris: redirects.iter().map(|r| RedirectUri::parse(r).unwrap()).collect(),
            token_endpoint_auth_method: AuthMethod::None,
            grant_types: GrantType::BY_CONSENT.to_vec(),
            response_types: vec!["code".into()],
            client_name: Some("Some Client".into()),
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
        };
        change(&mut metadata);
        let client = Client {
            id: ClientId::generate(),
            metadata,
            origin: ClientOrigin::Registered,
            secret: None,
            registration_token: None,
            previous_registration_token: None,
            revision: 1,
            issued_at: now,
            expires_at: Some(now.plus(Duration::from_secs(86_400))),
            seen: false,
            resources: None,
        };
        self.store.add_client(&client, now).await.unwrap();
        client.id
    }

    /// A good authorization request, with `changes` made to it: a value, or `None` to leave a parameter out.
    pub(crate) fn request(&self, client: &ClientId, changes: &[(&str, Option<&str>)]) -> String {
        let mut parameters = BTreeMap::from([
            ("response_type", "code"),
            ("client_id", client.as_str()),
            ("redirect_uri", REDIRECT),
            ("state", "s-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", ECHO),
        ]);
        for (name, value) in changes {
            match value {
                Some(value) => parameters.insert(name, value),
                None => parameters.remove(name),
            };
        }
        Url::parse_with_params(&format!("{}/authorize", self.base), parameters)
            .unwrap()
            .into()
    }
}

/// The settings of these tests.
pub(crate) fn settings(issuer: &str, github: &str) -> Settings {
    let scopes = |text| ScopeSet::parse(text).unwrap();
    let resource = Resource::new(ResourceUri::parse(ECHO).unwrap(), Some("Echo".into()));
    let resource = resource.governed(
        scopes("read write"),
        Some(scopes("read")),
        vec![],
        &Hierarchy::default(),
    );
    let issuer = Issuer::parse(issuer).unwrap();
    let plenty = Rate {
        count: 10_000,
        period: Duration::from_secs(1),
        burst: 10_000,
    };
    Settings {
        resources: Resources::new(vec![resource], Vec::new(), issuer.authority()),
        issuer,
        allowed_users: AllowedUsers::parse("OctoCat, 480938").unwrap(),
        memberships: MembershipLife::default(),
        github: GithubSettings {
            client_id: "sandbox".into(),
            client_secret: Secret::presented("sandbox-secret".into()),
            web_url: Url::parse(github).unwrap(),
            api_url: Url::parse(&format!("{github}/api/v3")).unwrap(),
        },
        lifetimes: Lifetimes::default(),
        limits: Limits {
            authorize: plenty,
            callback: plenty,
            ..Limits::default()
        },
        cors: CorsOrigins::default(),
        trusted_proxies: TrustedProxies::default(),
        signing: SigningSettings {
            algorithm: Algorithm::EdDsa,
            ..SigningSettings::default()
        },
        offers: Offers::default(),
        registration: RegistrationSettings::default(),
        clients: Vec::new(),
        refresh_tokens: RefreshTokens::default(),
        documents: DocumentPolicy::Open,
        fetch: FetchSettings::default(),
        device_grant: DeviceGrant::default(),
        sealing_secrets: vec![Secret::presented("0123456789abcdef0123456789abcdef".into())],
        resource_servers: Vec::new(),
        legacy_endpoints: false,
    }
}

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
