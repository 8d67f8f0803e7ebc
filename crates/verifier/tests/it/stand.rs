//! A verifier with a store, a clock and a grant, and one way to ask it.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{net::SocketAddr, sync::Arc};

use actix_http::Request;
use actix_web::{
    App, HttpMessage,
    http::{Method, StatusCode, header::HeaderMap},
    test::{TestRequest, call_service, init_service, read_body},
};
use mcp_gateway_model::{
    access::{AllowedUsers, MembershipLife},
    clock::{ManualClock, Timestamp},
    cors::CorsOrigins,
    grant::{Grant, GrantKind, User},
    id::{ClientId, GrantId, Login, RequestId, UserId},
    issuer::Issuer,
    metadata::Offers,
    proxy::TrustedProxies,
    resource::{Resource, ResourceUri, Resources, Wildcard},
    scope::{Hierarchy, ScopeSet},
};
use mcp_gateway_store::Watch;
use mcp_gateway_verifier::{
    CacheSettings, PassToken, Quick, Settings, Verifier, configure_discovery_for_protected_hosts,
    configure_preflight, configure_resource_metadata, configure_verify,
};
use serde_json::{Value, json};

use crate::{fake::FakeStore, signer::Signer};

pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://auth.example.com";
pub(crate) const ECHO: &str = "https://echo.example.com/mcp";
pub(crate) const PROXY: &str = "172.18.0.2:40000";

/// The resource of [`ECHO`] and another on the same host.
pub(crate) fn configured() -> Resources {
    let default = ScopeSet::parse("read").unwrap();
    let resource = |uri| {
        let new = Resource::new(ResourceUri::parse(uri).unwrap(), None);
        let default = Some(default.clone());
        new.governed(ScopeSet::usual(), default, vec![], &Hierarchy::default())
    };
    let mut echo = resource(ECHO);
    echo.name = Some("Echo".into());
    let all = vec![echo, resource("https://other.example.com")];
    Resources::new(all, vec![], "auth.example.com")
}

/// Every host below example.com.
pub(crate) fn wildcard() -> Resources {
    let below = Wildcard::parse("https://*.example.com").unwrap();
    Resources::new(vec![], vec![below], "auth.example.com")
}

pub(crate) fn settings(resources: Resources) -> Settings {
    Settings {
        issuer: Issuer::parse(ISSUER).unwrap(),
        resources,
        trusted_proxies: TrustedProxies::default(),
        cors: CorsOrigins::Any,
        pass_token: PassToken::Off,
        shared_key: None,
        metadata_at_issuer: false,
        offers: Offers::default(),
        oauth_enabled: true,
        allowed_users: Some(AllowedUsers::Everybody),
        memberships: MembershipLife::default(),
        api_key: None,
        cache: CacheSettings::default(),
    }
}

pub(crate) struct Stand {
    pub(crate) store: Arc<FakeStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) registry: prometheus::Registry,
    pub(crate) signer: Signer,
    pub(crate) grant: Grant,
    pub(crate) verifier: Arc<Verifier>,
    /// The short way; it also keeps what the thread remembers from one question to the next.
    pub(crate) quick: Quick,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name);
        let value = values.next();
        assert!(values.next().is_none(), "{name} is there twice");
        value.map(|v| v.to_str().unwrap())
    }

    pub(crate) fn challenge(&self) -> &str {
        self.header("www-authenticate").unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Stand {
    pub(crate) fn new() -> Self {
        Self::with(settings(configured()), Signer::ed25519())
    }

    pub(crate) fn with(settings: Settings, signer: Signer) -> Self {
        Self::watching(settings, signer, None)
    }

    /// With a store that tells of every change, so that tokens are remembered.
    pub(crate) fn remembering(settings: Settings) -> Self {
        Self::watching(settings, Signer::ed25519(), Some(Watch::unfailing()))
    }

    /// With a store whose changes this watch hears of.
    pub(crate) fn watching(settings: Settings, signer: Signer, watch: Option<Watch>) -> Self {
        let store = Arc::new(FakeStore::heard_by(watch));
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(NOW)));
        let registry = prometheus::Registry::new();
        let grant = grant(ECHO);
        store.put(&grant);
        store.publish(signer.public());
        let verifier = Verifier::new(settings, store.clone(), clock.clone(), &registry);
        let verifier = Arc::new(verifier.unwrap());
        Self {
            quick: verifier.quick(),
            store,
            clock,
            registry,
            signer,
            grant,
            verifier,
        }
    }

    /// The claims of an honest token.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": ISSUER,
            "sub": self.grant.subject(),
            "aud": self.grant.audiences[0].as_str(),
            "client_id": self.grant.client.as_str(),
            "scope": "read",
            "jti": "one",
            "iat": NOW,
            "exp": NOW + 1800,
            "grant": self.grant.id.as_str(),
            "username": self.grant.username(),
        })
    }

    /// An honest token.
    pub(crate) fn token(&self) -> String {
        self.signer.sign(&self.signer.header(), &self.claims())
    }

    /// A token with one claim changed, or left out if `value` is null.
    pub(crate) fn token_where(&self, claim: &str, value: Value) -> String {
        self.signer
            .sign(&self.signer.header(), &changed(self.claims(), claim, value))
    }

    /// A token with one parameter of its header changed, or left out if `value` is null.
    pub(crate) fn token_headed(&self, parameter: &str, value: Value) -> String {
        self.signer
            .sign(&changed(self.signer.header(), parameter, value), &self.claims())
    }

    pub(crate) async fn ask(&self, request: TestRequest) -> Answer {
        self.ask_with(request.to_request()).await
    }

    /// Asks with a request that may have any body.
    pub(crate) async fn ask_with(&self, request: Request) -> Answer {
        let app = App::new()
            .configure(configure_verify(&self.verifier))
            .configure(configure_resource_metadata(&self.verifier))
            .configure(configure_discovery_for_protected_hosts(&self.verifier))
            .configure(configure_preflight(&self.verifier));
        let service = init_service(app).await;
        request.extensions_mut().insert(request_id());
        let response = call_service(&service, request).await;
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            body: String::from_utf8(read_body(response).await.to_vec()).unwrap(),
        }
    }

    /// Asks `/verify` about [`ECHO`] with this token.
    pub(crate) async fn verify(&self, token: &str) -> Answer {
        self.ask(about(ECHO).insert_header(("authorization", format!("Bearer {token}"))))
            .await
    }
}

/// The name that every request has here.
pub(crate) fn request_id() -> RequestId {
    RequestId::parse("request-0001").unwrap()
}

/// The question of a trusted proxy about a request to `url`, without a token.
pub(crate) fn about(url: &str) -> TestRequest {
    let (host, path) = split(url);
    asking("/verify", PROXY)
        .insert_header(("x-forwarded-method", "POST"))
        .insert_header(("x-forwarded-proto", "https"))
        .insert_header(("x-forwarded-host", host))
        .insert_header(("x-forwarded-uri", path))
}

/// A request for the document at `url` that a trusted proxy passes on.
pub(crate) fn read(url: &str) -> TestRequest {
    let (host, path) = split(url);
    asking(path, PROXY)
        .insert_header(("host", host))
        .insert_header(("x-forwarded-host", host))
}

/// A request from `peer`.
pub(crate) fn asking(path: &str, peer: &str) -> TestRequest {
    let peer: SocketAddr = peer.parse().unwrap();
    TestRequest::with_uri(path).method(Method::GET).peer_addr(peer)
}

fn split(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").unwrap().1;
    rest.find('/').map_or((rest, "/"), |at| rest.split_at(at))
}

pub(crate) fn changed(mut value: Value, name: &str, new: Value) -> Value {
    let members = value.as_object_mut().unwrap();
    if new.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), new);
    }
    value
}

/// A living grant of octocat for `audience`.
pub(crate) fn grant(audience: &str) -> Grant {
    let now = Timestamp::from_secs(NOW);
    Grant {
        id: GrantId::generate(),
        client: ClientId::parse("https://client.example/metadata?v=1%20b").unwrap(),
        user: Some(User {
            id: UserId(583_231),
            login: Login::parse("octocat").unwrap(),
            shown_login: "OctoCat".into(),
            name: Some("Mona".into()),
            email: None,
        }),
        kind: GrantKind::Consent,
        memberships: None,
        audiences: vec![ResourceUri::parse(audience).unwrap()],
        scopes: ScopeSet::parse("read").unwrap(),
        authenticated_at: now,
        created_at: now,
        expires_at: Timestamp::from_secs(NOW + 86_400),
    }
}
