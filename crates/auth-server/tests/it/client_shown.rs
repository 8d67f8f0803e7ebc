//! `GET /oauth/clients/{client_id}`: what a client is registered as, for the client itself and for admins.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use mcp_gateway_auth_server::{
    Limits, Settings,
    personal_tokens::{self, Wanted},
    preregister::Entry,
};
use mcp_gateway_model::{
    access::{AllowedUsers, Person},
    id::UserId,
    resource::{Resource, ResourceUri, Resources},
    scope::{Hierarchy, ScopeSet},
};
use mcp_gateway_store::Store;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    desk::{Answer, Desk, REDIRECT, Registered},
    set::{ECHO, settings},
};

/// Octocat's number.
const OCTOCAT: u64 = 583_231;

fn with_admin_scope(settings: &mut Settings) {
    let scopes = |text| ScopeSet::parse(text).unwrap();
    let resource = Resource::new(ResourceUri::parse(ECHO).unwrap(), None).governed(
        scopes("read write admin"),
        Some(scopes("read")),
        vec![],
        &Hierarchy::default(),
    );
    settings.resources = Resources::new(vec![resource], Vec::new(), settings.issuer.authority());
}

/// A desk whose admins are listed so.
async fn desk(admins: &str) -> Desk {
    let admins = AllowedUsers::parse(admins).unwrap();
    Desk::start_with(|settings| {
        with_admin_scope(settings);
        settings.admins = admins;
    })
    .await
}

async fn show(desk: &Desk, client: &str, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let path = format!("/oauth/clients/{client}");
    desk.send(Method::GET, &path, &[("authorization", &bearer)]).await
}

/// An access token of octocat's with these scopes.
async fn access(desk: &Desk, client: &Registered, scopes: &str) -> String {
    let scopes = ScopeSet::parse(scopes).unwrap();
    let code = desk.code_with(client, |grant, _| grant.scopes = scopes).await;
    let answer = desk.redeem(client, &code, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.member("access_token")
}

/// A personal access token of octocat's with these scopes.
async fn personal(desk: &Desk, scopes: &str) -> String {
    let mut settings = settings();
    with_admin_scope(&mut settings);
    let wanted = Wanted {
        login: "OctoCat".into(),
        user_id: Some(UserId(OCTOCAT)),
        name: "ops".into(),
        resources: vec![ECHO.into()],
        scopes: ScopeSet::parse(scopes).unwrap(),
        lifetime: Duration::from_secs(3600),
    };
    let made = personal_tokens::create(desk.store.as_ref(), &settings, &wanted, desk.now()).await;
    made.unwrap().token.reveal().to_owned()
}

/// The registration, without what is secret and what only its holder needs.
fn description(client: &Registered) -> Value {
    let mut described = client.body.clone();
    let members = described.as_object_mut().unwrap();
    for name in [
        "client_secret",
        "registration_access_token",
        "registration_client_uri",
    ] {
        members.remove(name);
    }
    described
}

/// That an answer is the one which everybody else gets.
fn is_the_refusal(answer: &Answer, reference: &Answer) {
    assert_eq!(answer.error(), "401 invalid_token");
    assert_eq!(answer.text, reference.text);
    let names = |answer: &Answer| {
        let names = answer.headers.iter().filter(|(name, _)| *name != "date");
        names
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(answer), names(reference));
}

#[actix_web::test]
async fn a_client_is_shown_its_registration_without_any_secret() {
    let desk = desk("").await;
    for client in [desk.confidential_client().await, desk.public_client().await] {
        let answer = show(&desk, &client.id, &client.token).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.json(), description(&client));
        for secret in client.secret.iter().chain([&client.token]) {
            assert!(!answer.text.contains(secret.as_str()));
        }
        assert!(!answer.text.contains("mcp_rat_") && !answer.text.contains("mcp_cs_"));
    }
}

#[actix_web::test]
async fn an_admin_is_shown_any_client_however_it_came() {
    let entered = Entry {
        id: "the-entered-one".into(),
        name: None,
        redirect_uris: vec![REDIRECT.into()],
        auth_method: None,
        secret: None,
        jwks: None,
        jwks_uri: None,
        grant_types: Vec::new(),
        scopes: Vec::new(),
        resources: None,
    };
    let desk = Desk::start_with(|settings| {
        with_admin_scope(settings);
        settings.admins = AllowedUsers::parse("octocat").unwrap();
        let now = mcp_gateway_model::clock::Timestamp::from_secs(crate::support::desk::START);
        let client = entered
            .client(&settings.issuer, &settings.resources, now)
            .unwrap();
        settings.clients = vec![client];
    })
    .await;
    let (own, other) = (desk.public_client().await, desk.confidential_client().await);
    for token in [
        access(&desk, &own, "read admin").await,
        personal(&desk, "admin").await,
    ] {
        let answer = show(&desk, &other.id, &token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.json(), description(&other));
        let answer = show(&desk, "the-entered-one", &token).await;
        assert_eq!(answer.member("client_id"), "the-entered-one");
        for nobody in ["mcp_client_nobody", "%00", "a%20b"] {
            let answer = show(&desk, nobody, &token).await;
            assert_eq!(answer.error(), "404 invalid_request", "{nobody}");
        }
    }
}

#[actix_web::test]
async fn everybody_else_gets_the_same_401_for_clients_that_are_there_and_that_are_not() {
    let desk = desk("octocat").await;
    let (client, other) = (desk.confidential_client().await, desk.public_client().await);
    let gone = desk.public_client().await;
    let bearer = format!("Bearer {}", gone.token);
    let path = format!("/register/{}", gone.id);
    desk.send(Method::DELETE, &path, &[("authorization", &bearer)])
        .await;
    let (without, refresh) = desk.tokens(&other).await;
    let reference = show(&desk, "mcp_client_nobody", "x").await;
    assert_eq!(
        reference.header("www-authenticate"),
        "Bearer realm=\"registrations\", error=\"invalid_token\""
    );
    let personal = personal(&desk, "read").await;
    for token in [
        "x",
        other.token.as_str(),
        client.secret.as_deref().unwrap(),
        &gone.token,
        &without,
        &refresh,
        &personal,
        "mcp_rat_",
        "eyJhbGciOiJub25lIn0.eyJzY29wZSI6ImFkbWluIn0.",
    ] {
        for id in [&*client.id, &gone.id, "mcp_client_nobody", "%00"] {
            is_the_refusal(&show(&desk, id, token).await, &reference);
        }
    }
    let unauthorized = desk.get("/oauth/clients/mcp_client_nobody").await;
    let known = desk.get(&format!("/oauth/clients/{}", client.id)).await;
    assert_eq!(known.error(), "401 invalid_token");
    assert_eq!(known.text, unauthorized.text);
    assert_eq!(known.header("www-authenticate"), "Bearer realm=\"registrations\"");
}

#[actix_web::test]
async fn a_client_that_is_not_there_takes_as_many_looks_at_the_store() {
    let desk = desk("octocat").await;
    let (client, other) = (desk.public_client().await, desk.public_client().await);
    let (access, _) = desk.tokens(&other).await;
    let personal = personal(&desk, "read").await;
    for token in [other.token, access, personal, "x".to_owned()] {
        let mut looks = Vec::new();
        for id in [client.id.as_str(), "mcp_client_nobody"] {
            desk.store.asked();
            assert_eq!(show(&desk, id, &token).await.status, StatusCode::UNAUTHORIZED);
            looks.push(desk.store.asked());
        }
        assert_eq!(looks[0], looks[1], "{token}");
    }
}

#[actix_web::test]
async fn the_scope_alone_makes_nobody_an_admin_nor_does_the_list() {
    for (admins, scopes, expected) in [
        ("", "admin", StatusCode::UNAUTHORIZED),
        ("hubot,1", "admin", StatusCode::UNAUTHORIZED),
        ("octocat", "read write", StatusCode::UNAUTHORIZED),
        ("OctoCat", "admin", StatusCode::OK),
        ("583231", "admin", StatusCode::OK),
    ] {
        let desk = desk(admins).await;
        let client = desk.public_client().await;
        let tokens = [
            access(&desk, &client, scopes).await,
            personal(&desk, scopes).await,
        ];
        let other = desk.public_client().await;
        for token in tokens {
            let answer = show(&desk, &other.id, &token).await;
            assert_eq!(answer.status, expected, "{admins} {scopes}");
        }
    }
}

#[actix_web::test]
async fn an_admins_token_ends_with_its_grant_its_time_and_its_person() {
    let client_of = async |desk: &Desk| desk.public_client().await;
    for end in ["time", "block", "revoke"] {
        let desk = desk("octocat").await;
        let client = client_of(&desk).await;
        let token = access(&desk, &client, "admin").await;
        assert_eq!(show(&desk, &client.id, &token).await.status, StatusCode::OK);
        match end {
            "time" => desk.advance(1801),
            "block" => {
                let person = Person::Id(UserId(OCTOCAT));
                desk.store.block(&person, desk.now()).await.unwrap();
            }
            _ => {
                let form = [("token", token.as_str()), ("client_id", &client.id)];
                assert_eq!(desk.form("/revoke", &form).await.status, StatusCode::OK);
            }
        }
        let answer = show(&desk, &client.id, &token).await;
        assert_eq!(answer.error(), "401 invalid_token", "{end}");
    }
}

#[actix_web::test]
async fn a_login_that_somebody_else_took_over_makes_no_admin() {
    let desk = desk("octocat").await;
    let login = mcp_gateway_model::id::Login::parse("octocat").unwrap();
    desk.store.pin(&login, UserId(1)).await.unwrap();
    let client = desk.public_client().await;
    let scopes = ScopeSet::parse("admin").unwrap();
    let code = desk.code_with(&client, |grant, _| grant.scopes = scopes).await;
    let answer = desk.redeem(&client, &code, &[]).await;
    // whether or not there are tokens, they are no admin's
    let token = answer.member("access_token");
    let answer = show(&desk, &client.id, &token).await;
    assert_eq!(answer.error(), "401 invalid_token");
}

#[actix_web::test]
async fn looking_settles_which_token_is_the_clients_and_changes_nothing_else() {
    let desk = desk("").await;
    let client = desk.public_client().await;
    let body = json!({
        "client_id": client.id,
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "none",
    });
    let bearer = format!("Bearer {}", client.token);
    let path = format!("/register/{}", client.id);
    let replaced = desk
        .send_json(Method::PUT, &path, &[("authorization", &bearer)], &body)
        .await;
    let new = replaced.member("registration_access_token");
    let before = show(&desk, &client.id, &client.token).await;
    assert_eq!(
        before.status,
        StatusCode::OK,
        "the answer to PUT may have got lost"
    );
    let after = show(&desk, &client.id, &new).await;
    assert_eq!(after.json(), before.json());
    let old = show(&desk, &client.id, &client.token).await;
    assert_eq!(old.error(), "401 invalid_token", "the new one has arrived");
}

#[actix_web::test]
async fn it_is_only_for_looking_and_not_too_often() {
    let desk = Desk::start_with(|settings| settings.limits.manage = Limits::default().manage).await;
    let client = desk.public_client().await;
    let path = format!("/oauth/clients/{}", client.id);
    for method in [Method::PUT, Method::DELETE, Method::POST] {
        let bearer = format!("Bearer {}", client.token);
        let answer = desk.send(method, &path, &[("authorization", &bearer)]).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), "GET");
    }
    let mut last = show(&desk, "x", "y").await;
    for _ in 0..20 {
        last = show(&desk, "x", "y").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
}
