//! Clients that act for themselves: <https://www.rfc-editor.org/rfc/rfc6749#section-4.4>.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use mcp_gateway_auth_server::Settings;
use mcp_gateway_model::{
    access::{Allow, AllowedUsers},
    client::{AuthMethod, Client, ClientMetadata, ClientOrigin, GrantType},
    clock::Timestamp,
    id::ClientId,
    resource::{ResourceUri, Resources},
    scope::ScopeSet,
    secret::Secret,
};
use mcp_gateway_store::Store;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    assertions::{TYPE, claims},
    desk::{Answer, Desk, REDIRECT, Registered, START},
    set::{ECHO, FILES},
    signer::Signer,
};

const TOKEN: &str = "an-initial-access-token-of-enough-characters";
const SECRET: &str = "the secret that the operator chose for the robot";

fn with_token(settings: &mut Settings) {
    settings.registration.tokens = vec![Secret::presented(TOKEN.into())];
}

/// A client that the operator entered.
fn robot(resources: Option<&[&str]>) -> Client {
    let uris = |named: &[&str]| named.iter().map(|uri| ResourceUri::parse(uri).unwrap()).collect();
    Client {
        id: ClientId::parse("robot").unwrap(),
        metadata: ClientMetadata {
            redirect_uris: Vec::new(),
            token_endpoint_auth_method: AuthMethod::ClientSecretBasic,
            grant_types: vec![GrantType::ClientCredentials],
            response_types: Vec::new(),
            client_name: Some("Robot".into()),
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
        origin: ClientOrigin::PreRegistered,
        secret: Some(Secret::presented(SECRET.into()).digest()),
        registration_token: None,
        previous_registration_token: None,
        revision: 0,
        issued_at: Timestamp::from_secs(START),
        expires_at: None,
        seen: false,
        resources: resources.map(uris),
    }
}

async fn register(desk: &Desk, token: Option<&str>, metadata: &Value) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer
        .iter()
        .map(|bearer| ("authorization", bearer.as_str()))
        .collect();
    desk.send_json(Method::POST, "/register", &headers, metadata)
        .await
}

/// A client that registered with the token to act for itself, and nothing else.
async fn registered(desk: &Desk) -> Registered {
    let metadata = json!({ "grant_types": ["client_credentials"], "client_name": "Job" });
    let answer = register(desk, Some(TOKEN), &metadata).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["grant_types"], json!(["client_credentials"]));
    assert_eq!(
        (&body["redirect_uris"], &body["response_types"]),
        (&json!([]), &json!([]))
    );
    Registered {
        id: answer.member("client_id"),
        secret: Some(answer.member("client_secret")),
        token: answer.member("registration_access_token"),
        body,
    }
}

async fn act(desk: &Desk, id: &str, secret: &str, more: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
    ];
    form.extend(more);
    desk.form("/token", &form).await
}

async fn act_as(desk: &Desk, client: &Registered, more: &[(&str, &str)]) -> Answer {
    act(desk, &client.id, client.secret.as_deref().unwrap(), more).await
}

/// A desk where only octocat may use the file server.
fn files_are_for_octocat(settings: &mut Settings) {
    let only = Allow::users(AllowedUsers::parse("octocat").unwrap());
    let all: Vec<_> = settings.resources.iter().map(|r| (**r).clone()).collect();
    let governed = all.into_iter().map(|mut resource| {
        if resource.uri.as_str() == FILES {
            resource.allow = Some(only.clone());
        }
        resource
    });
    settings.resources = Resources::new(governed.collect(), Vec::new(), settings.issuer.authority());
}

#[actix_web::test]
async fn a_client_with_an_initial_access_token_acts_for_itself() {
    let desk = Desk::start_with(with_token).await;
    let client = registered(&desk).await;
    let answer = act_as(
        &desk,
        &client,
        &[("resource", ECHO), ("scope", "read write nonsense")],
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(answer.header("cache-control").contains("no-store"));
    let body = answer.json();
    assert_eq!(
        (&body["token_type"], &body["scope"]),
        (&json!("Bearer"), &json!("read write"))
    );
    assert_eq!((body.get("refresh_token"), body.get("id_token")), (None, None));
    let told = desk.introspect(&client, &answer.member("access_token")).await;
    assert_eq!(told["active"], true);
    assert_eq!(
        (&told["sub"], &told["client_id"]),
        (&json!(client.id), &json!(client.id))
    );
    assert_eq!((&told["username"], &told["aud"]), (&json!(""), &json!(ECHO)));
    assert_eq!(
        told["exp"].as_u64().unwrap() - told["iat"].as_u64().unwrap(),
        1800
    );
    desk.advance(1800);
    let told = desk.introspect(&client, &answer.member("access_token")).await;
    assert_eq!(told["active"], false);
}

#[actix_web::test]
async fn who_asks_for_nothing_gets_the_default_and_never_anybodys_identity() {
    let desk = Desk::start_with(with_token).await;
    let client = registered(&desk).await;
    for (scope, granted) in [
        ("", "read"),
        ("openid profile offline_access", "read"),
        ("write openid", "write"),
    ] {
        let answer = act_as(&desk, &client, &[("resource", ECHO), ("scope", scope)]).await;
        assert_eq!(answer.member("scope"), granted, "{scope}: {}", answer.text);
        assert_eq!(answer.json().get("id_token"), None);
    }
    let answer = act_as(&desk, &client, &[]).await;
    assert_eq!(answer.error(), "400 invalid_target");
    let answer = act_as(&desk, &client, &[("resource", "https://evil.example.net/mcp")]).await;
    assert_eq!(answer.error(), "400 invalid_target");
}

#[actix_web::test]
async fn ending_the_token_or_the_client_ends_what_it_did_for_itself() {
    let desk = Desk::start_with(with_token).await;
    let (client, asking) = (registered(&desk).await, registered(&desk).await);
    let token = async |client| {
        act_as(&desk, client, &[("resource", ECHO)])
            .await
            .member("access_token")
    };
    let (one, two) = (token(&client).await, token(&client).await);
    let form = [
        ("token", one.as_str()),
        ("client_id", &client.id),
        ("client_secret", client.secret.as_deref().unwrap()),
    ];
    assert_eq!(desk.form("/revoke", &form).await.status, StatusCode::OK);
    assert_eq!(desk.introspect(&client, &one).await["active"], false);
    assert_eq!(desk.introspect(&client, &two).await["active"], true);
    assert_eq!(desk.introspect(&asking, &two).await, json!({ "active": false }));
    let bearer = format!("Bearer {}", client.token);
    let path = format!("/register/{}", client.id);
    let answer = desk
        .send(Method::DELETE, &path, &[("authorization", &bearer)])
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let id = ClientId::parse(&client.id).unwrap();
    assert_eq!(desk.store.grants_of_client(&id, desk.now()).await.unwrap(), []);
    let answer = act_as(&desk, &client, &[("resource", ECHO)]).await;
    assert_eq!(answer.error(), "401 invalid_client");
}

#[actix_web::test]
async fn nobody_acts_for_itself_without_being_vouched_for() {
    let desk = Desk::start_with(with_token).await;
    for grant_types in [
        json!(["client_credentials"]),
        json!(["authorization_code", "client_credentials"]),
    ] {
        let metadata = json!({ "redirect_uris": [REDIRECT], "grant_types": grant_types });
        let answer = register(&desk, None, &metadata).await;
        assert_eq!(answer.error(), "400 invalid_client_metadata");
        assert!(
            answer.member("error_description").contains("client_credentials"),
            "{}",
            answer.text
        );
    }
    let public = json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none" });
    let answer = register(&desk, Some(TOKEN), &public).await;
    assert_eq!(answer.error(), "400 invalid_client_metadata");
    let client = desk.confidential_client().await;
    let answer = act_as(&desk, &client, &[("resource", ECHO)]).await;
    assert_eq!(answer.error(), "400 unauthorized_client");
    // not by changing the registration either
    let bearer = format!("Bearer {}", client.token);
    let metadata = json!({
        "client_id": client.id,
        "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_method": "client_secret_post",
    });
    let path = format!("/register/{}", client.id);
    let answer = desk
        .send_json(Method::PUT, &path, &[("authorization", &bearer)], &metadata)
        .await;
    assert_eq!(answer.error(), "400 invalid_client_metadata");
}

#[actix_web::test]
async fn every_client_that_registers_may_act_where_the_operator_says_so_and_no_longer() {
    let open = Desk::start_with(|settings| settings.registration.client_credentials = true).await;
    let metadata = json!({ "grant_types": ["client_credentials"] });
    let client = open.register(&metadata).await;
    let answer = act_as(&open, &client, &[("resource", ECHO)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    // nobody vouched for it, so that it lives no longer than a client that is never used
    open.advance(2 * 86_400);
    let answer = act_as(&open, &client, &[("resource", ECHO)]).await;
    assert_eq!(answer.error(), "401 invalid_client");
    let client = open.register(&metadata).await;
    let closed = Desk::start_on(open.store.clone(), crate::support::set::settings()).await;
    closed.advance(2 * 86_400);
    let answer = act_as(&closed, &client, &[("resource", ECHO)]).await;
    assert_eq!(answer.error(), "400 unauthorized_client");
}

#[actix_web::test]
async fn a_resource_for_listed_people_is_for_no_client_that_is_not_named_for_it() {
    for (resources, echo, files) in [
        (None, 200, 400),
        (Some(&[FILES][..]), 400, 200),
        (Some(&[ECHO, FILES][..]), 200, 200),
        (Some(&[][..]), 400, 400),
    ] {
        let desk = Desk::start_with(|settings| {
            files_are_for_octocat(settings);
            settings.clients = vec![robot(resources)];
        })
        .await;
        for (resource, status) in [(ECHO, echo), (FILES, files)] {
            let answer = act(&desk, "robot", SECRET, &[("resource", resource)]).await;
            assert_eq!(
                answer.status.as_u16(),
                status,
                "{resources:?} {resource}: {}",
                answer.text
            );
            if status == 400 {
                assert_eq!(answer.member("error"), "invalid_target");
            }
        }
    }
    let desk = Desk::start_with(|settings| {
        files_are_for_octocat(settings);
        with_token(settings);
    })
    .await;
    let client = registered(&desk).await;
    let answer = act_as(&desk, &client, &[("resource", FILES)]).await;
    assert_eq!(answer.error(), "400 invalid_target");
}

#[actix_web::test]
async fn a_client_that_the_operator_entered_has_its_own_scopes_and_nobody_else_manages_it() {
    let desk = Desk::start_with(|settings| {
        let mut client = robot(None);
        client.metadata.scope = ScopeSet::parse("write").unwrap();
        settings.clients = vec![client];
    })
    .await;
    let answer = act(
        &desk,
        "robot",
        SECRET,
        &[("resource", ECHO), ("scope", "read write")],
    )
    .await;
    assert_eq!(answer.member("scope"), "write", "{}", answer.text);
    assert_eq!(
        act(&desk, "robot", "wrong", &[("resource", ECHO)]).await.error(),
        "401 invalid_client"
    );
    for method in [Method::GET, Method::DELETE] {
        let answer = desk
            .send(method, "/register/robot", &[("authorization", "Bearer x")])
            .await;
        assert_eq!(answer.error(), "401 invalid_token");
    }
    desk.advance(10 * 365 * 86_400);
    let answer = act(&desk, "robot", SECRET, &[("resource", ECHO)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[actix_web::test]
async fn a_client_that_signs_acts_for_itself_too() {
    let desk = Desk::start_with(with_token).await;
    let signer = Signer::es256();
    let metadata = json!({
        "grant_types": ["client_credentials"],
        "client_name": "Job",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [signer.jwk("one")] },
    });
    let answer = register(&desk, Some(TOKEN), &metadata).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let client = Registered {
        id: answer.member("client_id"),
        secret: None,
        token: answer.member("registration_access_token"),
        body: answer.json(),
    };
    let assertion = signer.assertion("one", &claims(&desk, &client, &json!({})));
    let form = [
        ("grant_type", "client_credentials"),
        ("resource", ECHO),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion.as_str()),
    ];
    let answer = desk.form("/token", &form).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["refresh_token"], Value::Null);
    let again = desk.form("/token", &form).await;
    assert_eq!(again.error(), "401 invalid_client", "an assertion is used once");
}
