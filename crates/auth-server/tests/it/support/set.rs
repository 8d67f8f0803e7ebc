//! What the servers of these tests are set to, and who comes to them.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use mcp_gateway_auth_server::{
    DeviceGrant, DocumentPolicy, FetchSettings, GithubSettings, Lifetimes, Limits, RefreshTokens,
    RegistrationSettings, Settings, settings::SigningSettings,
};
use mcp_gateway_model::{
    access::{AllowedUsers, MembershipLife},
    cors::CorsOrigins,
    grant::User,
    id::{Login, UserId},
    issuer::Issuer,
    key::Algorithm,
    metadata::Offers,
    proxy::TrustedProxies,
    resource::{Resource, ResourceUri, Resources},
    scope::{Hierarchy, ScopeSet},
    secret::Secret,
};
use mcp_gateway_store::Rate;
use url::Url;

/// The resource of every consent here.
pub(crate) const ECHO: &str = "https://echo.example.com/mcp";
/// Another resource.
pub(crate) const FILES: &str = "https://files.example.com/mcp";
/// The issuer.
pub(crate) const ISSUER: &str = "https://auth.example.com";

/// Who consents here.
pub(crate) fn octocat() -> User {
    User {
        id: UserId(583_231),
        login: Login::parse("OctoCat").unwrap(),
        shown_login: "OctoCat".into(),
        name: Some("The Octocat".into()),
        email: None,
    }
}

/// Settings with two resources, and limits that only the tests of limits reach.
pub(crate) fn settings() -> Settings {
    let scopes = |text| ScopeSet::parse(text).unwrap();
    let resource = |uri| {
        let hierarchy = Hierarchy::default();
        let (all, default) = (scopes("read write"), Some(scopes("read")));
        Resource::new(ResourceUri::parse(uri).unwrap(), None).governed(all, default, vec![], &hierarchy)
    };
    let issuer = Issuer::parse(ISSUER).unwrap();
    let plenty = Rate {
        count: 10_000,
        period: Duration::from_secs(1),
        burst: 10_000,
    };
    Settings {
        resources: Resources::new(
            vec![resource(ECHO), resource(FILES)],
            Vec::new(),
            issuer.authority(),
        ),
        issuer,
        allowed_users: AllowedUsers::parse("octocat").unwrap(),
        admins: AllowedUsers::nobody(),
        memberships: MembershipLife::default(),
        github: GithubSettings {
            client_id: "id".into(),
            client_secret: Secret::presented("secret".into()),
            web_url: Url::parse("https://github.com").unwrap(),
            api_url: Url::parse("https://api.github.com").unwrap(),
        },
        lifetimes: Lifetimes::default(),
        limits: Limits {
            register: plenty,
            manage: plenty,
            token: plenty,
            introspect: plenty,
            revoke: plenty,
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
