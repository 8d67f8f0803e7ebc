//! A whole server on a free port with a clock that is moved by hand, a stand-in for GitHub, and browsers that log in there.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{collections::BTreeMap, net::TcpListener, sync::Arc, time::Duration};

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
use reqwest::StatusCode;
use serde_json::Value;
use url::Url;

pub(crate) use super::browser::{Browser, Got};

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
        admins: AllowedUsers::nobody(),
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
        auto_approve: None,
        legacy_endpoints: false,
    }
}
