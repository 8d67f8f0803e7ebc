//! Both servers in an actix-web application of your own: the authorization server, the verifier and the store as libraries,
//! without the executable.
//!
//! ```sh
//! GITHUB_CLIENT_ID=... GITHUB_CLIENT_SECRET=... cargo run --example embed
//! ```
//!
//! Then `http://localhost:8000/.well-known/oauth-authorization-server` describes the authorization server, `/verify` is
//! what a proxy asks about each request, and `/` is the application's own.

use std::{error::Error, sync::Arc};

use actix_web::{App, HttpResponse, HttpServer, web};
use mcp_gateway_auth_server::{
    AuthServer, DeviceGrant, DocumentPolicy, FetchSettings, GithubSettings, Lifetimes, Limits, RefreshTokens,
    RegistrationSettings, Settings as AuthSettings, settings::SigningSettings,
};
use mcp_gateway_model::{
    access::{AllowedUsers, MembershipLife},
    clock::{Clock, SystemClock},
    cors::CorsOrigins,
    issuer::Issuer,
    metadata::Offers,
    proxy::TrustedProxies,
    resource::{Resource, ResourceUri, Resources},
    secret::{Secret, random_text},
};
use mcp_gateway_store::EmbeddedStore;
use mcp_gateway_verifier::{
    CacheSettings, PassToken, Settings as VerifierSettings, Verifier, configure_preflight,
    configure_resource_metadata, configure_verify,
};
use prometheus::Registry;

const ISSUER: &str = "http://localhost:8000";
const RESOURCE: &str = "https://echo.example.com/mcp";

/// The two servers; clones are the same ones.
#[derive(Clone)]
pub(crate) struct Gateway {
    auth_server: web::Data<AuthServer>,
    verifier: Arc<Verifier>,
}

impl Gateway {
    /// Puts both together on one store in memory. [`EmbeddedStore::open`] keeps a file, `RedisStore` shares its state.
    ///
    /// # Errors
    /// Whatever is wrong with the settings.
    pub(crate) async fn new(github: GithubSettings) -> Result<Self, Box<dyn Error>> {
        let store = Arc::new(EmbeddedStore::in_memory()?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let registry = Registry::new();
        let issuer = Issuer::parse(ISSUER)?;
        let allowed_users = AllowedUsers::parse("octocat")?;
        let echo = Resource::new(ResourceUri::parse(RESOURCE)?, Some("Echo".to_owned()));
        let resources = Resources::new(vec![echo], Vec::new(), issuer.authority());

        let settings = AuthSettings {
            issuer: issuer.clone(),
            resources: resources.clone(),
            allowed_users: allowed_users.clone(),
            admins: AllowedUsers::nobody(),
            memberships: MembershipLife::default(),
            github,
            lifetimes: Lifetimes::default(),
            limits: Limits::default(),
            cors: CorsOrigins::default(),
            trusted_proxies: TrustedProxies::default(),
            signing: SigningSettings::default(),
            offers: Offers::default(),
            registration: RegistrationSettings::default(),
            clients: Vec::new(),
            refresh_tokens: RefreshTokens::default(),
            documents: DocumentPolicy::Open,
            fetch: FetchSettings::default(),
            device_grant: DeviceGrant::Off,
            // with a store that outlives the process this has to be kept, too
            sealing_secrets: vec![Secret::presented(random_text::<32>())],
            resource_servers: Vec::new(),
            auto_approve: None,
            legacy_endpoints: false,
        };
        let auth_server = AuthServer::start(settings, store.clone(), Arc::clone(&clock), &registry).await?;

        let settings = VerifierSettings {
            issuer,
            resources,
            trusted_proxies: TrustedProxies::default(),
            cors: CorsOrigins::default(),
            pass_token: PassToken::Off,
            shared_key: None,
            metadata_at_issuer: false,
            offers: Offers::default(),
            oauth_enabled: true,
            allowed_users: Some(allowed_users),
            memberships: MembershipLife::default(),
            api_key: None,
            cache: CacheSettings::default(),
        };
        let verifier = Verifier::new(settings, store, clock, &registry)?;
        Ok(Self {
            auth_server: web::Data::new(auth_server),
            verifier: Arc::new(verifier),
        })
    }

    /// Mounts everything beside the application's own routes.
    pub(crate) fn configure(&self, routes: &mut web::ServiceConfig) {
        routes
            .configure(mcp_gateway_auth_server::routes::configure(
                self.auth_server.clone(),
            ))
            .configure(configure_resource_metadata(&self.verifier))
            .configure(configure_verify(&self.verifier))
            // last, because it is the default service: preflights of browsers, and 404
            .configure(configure_preflight(&self.verifier));
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let required = |name: &str| {
        let value = std::env::var_os(name).and_then(|value| value.into_string().ok());
        value.ok_or_else(|| format!("{name} is not set"))
    };
    let github = GithubSettings {
        client_id: required("GITHUB_CLIENT_ID")?,
        client_secret: Secret::presented(required("GITHUB_CLIENT_SECRET")?),
        web_url: "https://github.com".parse()?,
        api_url: "https://api.github.com".parse()?,
    };
    let gateway = Gateway::new(github).await?;
    let server = HttpServer::new(move || {
        let hello = || async { HttpResponse::Ok().body("an application of its own") };
        App::new()
            .route("/", web::get().to(hello))
            .configure(|routes| gateway.configure(routes))
    });
    server.bind(("127.0.0.1", 8000))?.run().await?;
    Ok(())
}
