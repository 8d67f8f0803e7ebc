//! Client configuration: <https://www.rfc-editor.org/rfc/rfc7592>.

use mcp_gateway_auth_server::Limits;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::desk::{Answer, Desk, REDIRECT, Registered};

async fn call(desk: &Desk, method: Method, client: &str, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let path = format!("/register/{client}");
    desk.send(method, &path, &[("authorization", &bearer)]).await
}

async fn put(desk: &Desk, client: &str, token: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let path = format!("/register/{client}");
    desk.send_json(Method::PUT, &path, &[("authorization", &bearer)], body)
        .await
}

fn replacement(client: &Registered) -> Value {
    json!({
        "client_id": client.id,
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": client.body["token_endpoint_auth_method"],
    })
}

#[actix_web::test]
async fn a_client_reads_its_registration_with_its_token() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let answer = call(&desk, Method::GET, &client.id, &client.token).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut expected = client.body.clone();
    // It is kept as a digest: nobody can be told it again.
    expected.as_object_mut().unwrap().remove("client_secret");
    assert_eq!(answer.json(), expected);
}

#[actix_web::test]
async fn an_unknown_client_and_a_wrong_token_cannot_be_told_apart() {
    let desk = Desk::start().await;
    let (client, other) = (desk.public_client().await, desk.public_client().await);
    let gone = desk.public_client().await;
    call(&desk, Method::DELETE, &gone.id, &gone.token).await;
    let reference = call(&desk, Method::GET, "mcp_client_nobody", "x").await;
    assert_eq!(reference.error(), "401 invalid_token");
    assert!(reference.header("www-authenticate").starts_with("Bearer"));
    for method in [Method::GET, Method::DELETE] {
        for (id, token) in [
            (&client.id, &other.token),
            (&client.id, &"x".to_owned()),
            (&gone.id, &gone.token),
        ] {
            let answer = call(&desk, method.clone(), id, token).await;
            assert_eq!((answer.status, &answer.text), (reference.status, &reference.text));
            assert_eq!(
                answer.header("www-authenticate"),
                reference.header("www-authenticate")
            );
        }
    }
    let answer = put(&desk, &client.id, &other.token, &replacement(&client)).await;
    assert_eq!((answer.status, &answer.text), (reference.status, &reference.text));
}

#[actix_web::test]
async fn a_call_without_a_token_gets_a_challenge_without_an_error_whichever_client_it_names() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    for id in [client.id.as_str(), "mcp_client_nobody"] {
        let answer = desk.get(&format!("/register/{id}")).await;
        assert_eq!(answer.error(), "401 invalid_token");
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"registrations\""
        );
    }
}

#[actix_web::test]
async fn put_replaces_the_whole_record() {
    let desk = Desk::start().await;
    let metadata = json!({
        "redirect_uris": [REDIRECT, "https://client.example.com/old"],
        "client_name": "Before",
        "logo_uri": "https://client.example.com/logo.png",
        "scope": "read",
        "token_endpoint_auth_method": "none",
    });
    let client = desk.register(&metadata).await;
    let mut body = replacement(&client);
    body["client_name"] = json!("After");
    let answer = put(&desk, &client.id, &client.token, &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let told = answer.json();
    assert_eq!(told["client_name"], "After");
    assert_eq!(told["redirect_uris"], json!([REDIRECT]));
    assert_eq!((told.get("logo_uri"), told.get("scope")), (None, None));
    let token = answer.member("registration_access_token");
    let read = call(&desk, Method::GET, &client.id, &token).await;
    assert_eq!(read.json(), told);
}

#[actix_web::test]
async fn put_refuses_another_client_id_a_wrong_secret_and_what_is_the_servers_to_say() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    for (member, value) in [
        ("client_id", json!("mcp_client_other")),
        ("client_id", Value::Null),
        ("client_secret", json!("mcp_cs_wrong")),
        ("client_secret", json!(7)),
        ("registration_access_token", json!(client.token)),
        (
            "registration_client_uri",
            client.body["registration_client_uri"].clone(),
        ),
        ("client_secret_expires_at", json!(0)),
        ("client_id_issued_at", json!(1)),
        ("client_name", json!(7)),
    ] {
        let mut body = replacement(&client);
        body[member] = value;
        let answer = put(&desk, &client.id, &client.token, &body).await;
        assert_eq!(answer.error(), "400 invalid_client_metadata", "{member}");
        let description = answer.member("error_description");
        assert!(description.starts_with(member), "{description}");
    }
    let mut body = replacement(&client);
    body["redirect_uris"] = json!(["javascript:alert(1)"]);
    let answer = put(&desk, &client.id, &client.token, &body).await;
    assert_eq!(answer.error(), "400 invalid_redirect_uri");
    let unchanged = call(&desk, Method::GET, &client.id, &client.token).await;
    assert_eq!(unchanged.json()["redirect_uris"], json!([REDIRECT]));
}

#[actix_web::test]
async fn put_turns_the_token_and_the_old_one_works_until_the_new_one_is_used() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let body = replacement(&client);
    let lost = put(&desk, &client.id, &client.token, &body).await;
    let again = put(&desk, &client.id, &client.token, &body).await;
    assert_eq!(again.status, StatusCode::OK, "the answer before got lost");
    let old = call(&desk, Method::GET, &client.id, &client.token).await;
    assert_eq!(old.member("registration_access_token"), client.token);
    let new = again.member("registration_access_token");
    assert_ne!(new, client.token);
    assert_eq!(
        call(&desk, Method::GET, &client.id, &new).await.status,
        StatusCode::OK
    );
    for ended in [client.token, lost.member("registration_access_token")] {
        let answer = call(&desk, Method::GET, &client.id, &ended).await;
        assert_eq!(answer.error(), "401 invalid_token");
    }
}

#[actix_web::test]
async fn put_keeps_the_secret_and_tells_it_again_to_who_sent_it() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let mut body = replacement(&client);
    body["client_secret"] = json!(client.secret);
    let answer = put(&desk, &client.id, &client.token, &body).await;
    assert_eq!(Some(answer.member("client_secret")), client.secret);
    desk.tokens(&client).await;
}

#[actix_web::test]
async fn a_client_that_becomes_public_loses_its_secret_and_gets_one_when_it_turns_back() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let mut body = replacement(&client);
    body["token_endpoint_auth_method"] = json!("none");
    let public = put(&desk, &client.id, &client.token, &body).await;
    assert_eq!(public.json().get("client_secret"), None);
    let without = Registered {
        secret: None,
        ..client.clone()
    };
    desk.tokens(&without).await;
    body["token_endpoint_auth_method"] = json!("client_secret_basic");
    let token = public.member("registration_access_token");
    let confidential = put(&desk, &client.id, &token, &body).await;
    let secret = confidential.member("client_secret");
    assert!(secret.starts_with("mcp_cs_"));
    assert_ne!(Some(&secret), client.secret.as_ref());
    let code = desk.code(&without).await;
    assert_eq!(
        desk.redeem(&without, &code, &[]).await.error(),
        "401 invalid_client"
    );
}

#[actix_web::test]
async fn of_many_replacements_at_once_none_is_half_done() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let bodies: Vec<_> = (0..4)
        .map(|i| {
            let mut body = replacement(&client);
            body["client_name"] = json!(format!("name {i}"));
            body["software_id"] = json!(format!("name {i}"));
            body
        })
        .collect();
    let puts = bodies
        .iter()
        .map(|body| put(&desk, &client.id, &client.token, body));
    for answer in futures_util::future::join_all(puts).await {
        assert!([200, 409].contains(&answer.status.as_u16()), "{}", answer.text);
    }
    let read = call(&desk, Method::GET, &client.id, &client.token).await.json();
    assert_eq!(read["client_name"], read["software_id"]);
}

#[actix_web::test]
async fn deleting_a_client_ends_its_tokens_at_once_refresh_tokens_too() {
    let desk = Desk::start().await;
    let (client, witness) = (desk.confidential_client().await, desk.confidential_client().await);
    let (access, refresh) = desk.tokens(&client).await;
    let (kept, _) = desk.tokens(&witness).await;
    let answer = call(&desk, Method::DELETE, &client.id, &client.token).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.text, "");
    let bearer = format!("Bearer {access}");
    let form = [("token", refresh.as_str())];
    let answer = desk
        .form_with("/introspect", &[("authorization", &bearer)], &form)
        .await;
    assert_eq!(answer.error(), "401 invalid_token");
    assert_eq!(
        desk.refresh(&client, &refresh, &[]).await.error(),
        "401 invalid_client"
    );
    assert_eq!(desk.introspect(&witness, &kept).await["active"], true);
    let (ended, cause) = ("mcp_gateway_grants_ended_total", "client_removed");
    assert!((desk.counted(ended, cause) - 1.0).abs() < f64::EPSILON);
}

#[actix_web::test]
async fn management_calls_are_limited_by_address() {
    let desk = Desk::start_with(|settings| settings.limits.manage = Limits::default().manage).await;
    let mut last = call(&desk, Method::GET, "x", "y").await;
    for _ in 0..20 {
        last = call(&desk, Method::GET, "x", "y").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert_ne!(last.header("retry-after"), "");
}
