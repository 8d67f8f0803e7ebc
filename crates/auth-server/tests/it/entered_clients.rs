//! What the operator says of a client that was entered binds it, at every endpoint.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use mcp_gateway_auth_server::Settings;
use mcp_gateway_model::{
    client::{AuthMethod, Client, ClientOrigin, GrantType},
    redirect::RedirectUri,
    resource::{Resource, ResourceUri, Resources},
    scope::{Hierarchy, ScopeSet},
    secret::Secret,
};
use reqwest::StatusCode;

use crate::support::{
    device::{Stand, client},
    login::{Browser, ECHO, REDIRECT},
    set::FILES,
};

const SECRET: &str = "the secret that the operator chose for the robot";

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

/// Adds a file server that has scopes of its own, and no other.
fn with_files(settings: &mut Settings) {
    let files = Resource::new(ResourceUri::parse(FILES).unwrap(), None).governed(
        scopes("query deploy"),
        Some(scopes("query")),
        Vec::new(),
        &Hierarchy::default(),
    );
    let mut resources: Vec<_> = settings.resources.iter().map(|r| (**r).clone()).collect();
    resources.push(files);
    settings.resources = Resources::new(resources, Vec::new(), settings.issuer.authority());
}

/// A client that may come to every endpoint, entered with these scopes.
fn robot(entered: &str) -> Client {
    let mut robot = client("robot", ClientOrigin::PreRegistered);
    robot.secret = Some(Secret::presented(SECRET.into()).digest());
    let metadata = &mut robot.metadata;
    metadata.token_endpoint_auth_method = AuthMethod::ClientSecretPost;
    metadata.redirect_uris = vec![RedirectUri::parse(REDIRECT).unwrap()];
    metadata.response_types = vec!["code".into()];
    metadata.scope = scopes(entered);
    metadata
        .grant_types
        .extend([GrantType::AuthorizationCode, GrantType::ClientCredentials]);
    robot
}

/// What the robot gets when it asks in each of the three ways: an error, or nothing.
async fn refusals(stand: &Stand, resource: &str, scope: &str) -> [String; 3] {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", SECRET),
        ("resource", resource),
        ("scope", scope),
    ];
    let for_itself = stand.post("/token", &form).await;
    let by_device = stand.post("/device_authorization", &form[1..]).await;
    let id = client("robot", ClientOrigin::PreRegistered).id;
    let changes = [("resource", Some(resource)), ("scope", Some(scope))];
    let page = Browser::new(&stand.site)
        .get(&stand.site.request(&id, &changes))
        .await;
    let by_browser = match page.status {
        StatusCode::OK => String::new(),
        _ => page.parameter("error").unwrap(),
    };
    [for_itself.text("error"), by_device.text("error"), by_browser]
}

#[actix_web::test]
async fn a_client_entered_with_scopes_gets_nothing_from_a_resource_that_has_none_of_them() {
    let stand = Stand::start_with(with_files).await;
    stand.add(robot("read")).await;
    for scope in ["deploy", "query deploy", "read", "nonsense", ""] {
        let told = refusals(&stand, FILES, scope).await;
        assert_eq!(told, ["invalid_scope"; 3], "{scope}");
        assert_eq!(refusals(&stand, ECHO, scope).await, [""; 3], "{scope}");
    }
}

#[actix_web::test]
async fn a_client_entered_without_scopes_may_ask_every_resource_for_all_that_it_has() {
    let stand = Stand::start_with(with_files).await;
    stand.add(robot("")).await;
    assert_eq!(refusals(&stand, FILES, "deploy").await, [""; 3]);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "robot"),
        ("client_secret", SECRET),
        ("resource", FILES),
        ("scope", "deploy"),
    ];
    assert_eq!(stand.post("/token", &form).await.text("scope"), "deploy");
}
