//! `register-client`: once for each authorization server, for the service's own callback, and a secret that goes nowhere else.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    authority::{Authority, SECRET, field},
    stage::{PUBLIC, Stage, told},
    steps::{begin, come_back, register},
};

async fn ask(stage: &Stage, parameters: &[(&str, &str)], metadata: &Value) -> (u16, Value) {
    let request = stage
        .request("1", Method::POST, "/register-client", parameters)
        .json(metadata);
    told(request.send().await.unwrap()).await
}

#[actix_web::test]
async fn such_a_client_is_registered_once_whatever_its_name() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let endpoint = format!("{}/register", authority.server.url);
    let parameters = [("registration_url", endpoint.as_str())];
    let first = ask(&stage, &parameters, &json!({ "client_name": "x", "scope": "a" })).await;
    assert_eq!(
        first,
        (200, json!({ "client_id": "client-1", "client_secret": SECRET }))
    );
    let same = ask(&stage, &parameters, &json!({ "scope": "a", "client_name": "x" })).await;
    assert_eq!(same, first);
    let renamed = ask(&stage, &parameters, &json!({ "scope": "a", "client_name": "y" })).await;
    assert_eq!(renamed, first);
    let other = ask(&stage, &parameters, &json!({ "client_name": "x", "scope": "b" })).await;
    assert_eq!(other.1["client_id"], "client-2");
    let elsewhere = Authority::start();
    let endpoint = format!("{}/register", elsewhere.server.url);
    ask(
        &stage,
        &[("registration_url", &endpoint)],
        &json!({ "client_name": "x", "scope": "a" }),
    )
    .await;
    assert!(elsewhere.server.lines().contains(&"POST /register".to_owned()));
}

#[actix_web::test]
async fn what_is_sent_has_all_that_has_to_be_there() {
    let (stage, authority) = (Stage::start(), Authority::start());
    register(&stage, &authority, "1").await;
    let asked = authority
        .server
        .asked()
        .into_iter()
        .find(|asked| asked.path == "/register")
        .unwrap();
    let sent: Value = serde_json::from_str(&asked.body).unwrap();
    let expected = json!({
        "application_type": "web",
        "client_name": "mcp-oauth",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [format!("{PUBLIC}/api/mcp/oauth/callback")],
        "response_types": ["code"],
    });
    assert_eq!(sent, expected);
}

#[actix_web::test]
async fn codes_would_never_come_back_to_anybody_else() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let endpoint = format!("{}/register", authority.server.url);
    let metadata = json!({ "redirect_uris": ["https://evil.com/callback"] });
    let (status, fault) = ask(&stage, &[("registration_url", &endpoint)], &metadata).await;
    assert_eq!((status, &fault["error"]), (400, &json!("invalid_redirect_uri")));
    assert!(authority.server.asked().is_empty());
}

#[actix_web::test]
async fn a_secret_goes_to_no_server_that_only_claims_the_registration_endpoint() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let client = register(&stage, &authority, "1").await;
    let evil = Authority::start();
    let claimed = format!("{}/register", authority.server.url);
    evil.behave(|manner| {
        manner.metadata = json!({ "registration_endpoint": claimed });
        manner.public_clients = true;
    });
    let (_, begun) = begin(&stage, &evil, "1", &client).await;
    let back = evil.allow(begun["authorization_url"].as_str().unwrap()).await;
    assert_eq!(come_back(&stage, "1", &back).await.0, 200);
    let asked = evil
        .server
        .asked()
        .into_iter()
        .find(|asked| asked.path == "/token")
        .unwrap();
    assert_eq!(
        (asked.header("authorization"), field(&asked, "client_secret")),
        (None, None)
    );
}

#[actix_web::test]
async fn a_registration_is_bound_to_the_server_that_it_is_said_to_be_for() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let elsewhere = Authority::start();
    let endpoint = format!("{}/register", authority.server.url);
    let server = authority.server.url.as_str();
    let named = [
        ("registration_url", endpoint.as_str()),
        ("auth_server_url", server),
    ];
    assert_eq!(ask(&stage, &named, &json!({})).await.0, 200);
    let wrong = [
        ("registration_url", endpoint.as_str()),
        ("auth_server_url", elsewhere.server.url.as_str()),
    ];
    assert_eq!(ask(&stage, &wrong, &json!({ "client_name": "x" })).await.0, 400);
}

#[actix_web::test]
async fn public_clients_and_posted_secrets_work_too() {
    for method in ["none", "client_secret_post", "client_secret_basic"] {
        let (stage, authority) = (Stage::start(), Authority::start());
        authority.behave(|manner| manner.public_clients = method == "none");
        let endpoint = format!("{}/register", authority.server.url);
        let metadata = json!({ "token_endpoint_auth_method": method });
        let (_, client) = ask(&stage, &[("registration_url", &endpoint)], &metadata).await;
        assert_eq!(client.get("client_secret").is_some(), method != "none");
        let (_, begun) = begin(&stage, &authority, "1", client["client_id"].as_str().unwrap()).await;
        let back = authority
            .allow(begun["authorization_url"].as_str().unwrap())
            .await;
        assert_eq!(come_back(&stage, "1", &back).await.0, 200, "{method}");
        let asked = authority
            .server
            .asked()
            .into_iter()
            .find(|asked| asked.path == "/token")
            .unwrap();
        assert_eq!(
            field(&asked, "client_secret").is_some(),
            method == "client_secret_post"
        );
        assert_eq!(
            asked.header("authorization").is_some(),
            method == "client_secret_basic"
        );
    }
}

#[actix_web::test]
async fn a_client_that_its_server_has_forgotten_is_registered_again() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let client = register(&stage, &authority, "1").await;
    let (_, begun) = begin(&stage, &authority, "1", &client).await;
    let back = authority
        .allow(begun["authorization_url"].as_str().unwrap())
        .await;
    authority.behave(|manner| manner.token_answer = Some((401, json!({ "error": "invalid_client" }))));
    let (status, fault) = come_back(&stage, "1", &back).await;
    assert_eq!((status, &fault["error"]), (400, &json!("invalid_client")));
    assert_eq!(
        (client.as_str(), register(&stage, &authority, "1").await.as_str()),
        ("client-1", "client-2")
    );
}

#[actix_web::test]
async fn a_user_who_registers_too_much_waits() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let endpoint = format!("{}/register", authority.server.url);
    let parameters = [("registration_url", endpoint.as_str())];
    for turn in 0..5 {
        assert_eq!(
            ask(&stage, &parameters, &json!({ "scope": turn.to_string() }))
                .await
                .0,
            200
        );
    }
    assert_eq!(ask(&stage, &parameters, &json!({ "scope": "6" })).await.0, 429);
    assert_eq!(
        ask(&stage, &parameters, &json!({ "scope": "1" })).await.0,
        200,
        "it is there already"
    );
    stage.clock.advance(Duration::from_secs(180));
    assert_eq!(ask(&stage, &parameters, &json!({ "scope": "6" })).await.0, 200);
}

#[actix_web::test]
async fn a_server_that_refuses_a_client_is_quoted() {
    let stage = Stage::start();
    let site = crate::support::site::Site::start(|_, asked| match asked.path.as_str() {
        "/register" => crate::support::site::json(
            400,
            &json!({ "error": "invalid_client_metadata", "error_description": "no such scope" }),
        ),
        "/closed" => crate::support::site::empty(403),
        "/odd" => crate::support::site::json(201, &json!({ "client_secret": "x" })),
        _ => crate::support::site::empty(404),
    });
    for (path, expected) in [
        ("/register", (400, "invalid_client_metadata")),
        ("/closed", (502, "bad_gateway")),
        ("/odd", (502, "bad_gateway")),
    ] {
        let endpoint = format!("{}{path}", site.url);
        let (status, fault) = ask(&stage, &[("registration_url", &endpoint)], &json!({})).await;
        assert_eq!((status, fault["error"].as_str().unwrap()), expected, "{fault}");
    }
}

#[actix_web::test]
async fn requests_at_once_make_one_client() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let endpoint = format!("{}/register", authority.server.url);
    let parameters = [("registration_url", endpoint.as_str())];
    let metadata = json!({ "scope": "a" });
    let answers = join_all((0..5).map(|_| ask(&stage, &parameters, &metadata))).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let lines = authority.server.lines();
    let made = lines.iter().filter(|line| *line == "POST /register").count();
    assert_eq!(made, 1);
}

/// Registers with this metadata, and logs in; answers what the callback does.
async fn log_in_with(stage: &Stage, authority: &Authority, metadata: &Value) -> u16 {
    let endpoint = format!("{}/register", authority.server.url);
    let (_, client) = ask(stage, &[("registration_url", &endpoint)], metadata).await;
    let (_, begun) = begin(stage, authority, "1", client["client_id"].as_str().unwrap()).await;
    let back = authority
        .allow(begun["authorization_url"].as_str().unwrap())
        .await;
    come_back(stage, "1", &back).await.0
}

#[actix_web::test]
async fn a_client_proves_itself_as_it_was_registered_although_the_answer_does_not_say_how() {
    for method in ["client_secret_post", "client_secret_basic"] {
        let (stage, authority) = (Stage::start(), Authority::start());
        authority.behave(|manner| {
            manner.says_little = true;
            manner.only = Some(method);
        });
        let metadata = json!({ "token_endpoint_auth_method": method });
        assert_eq!(log_in_with(&stage, &authority, &metadata).await, 200, "{method}");
    }
}

#[actix_web::test]
async fn a_client_that_was_registered_without_saying_how_proves_itself_as_the_server_lists() {
    let (stage, authority) = (Stage::start(), Authority::start());
    authority.behave(|manner| {
        manner.says_little = true;
        manner.only = Some("client_secret_post");
        manner.metadata = json!({ "token_endpoint_auth_methods_supported": ["none", "client_secret_post"] });
    });
    assert_eq!(log_in_with(&stage, &authority, &json!({})).await, 200);
}

#[actix_web::test]
async fn nobody_replaces_a_client_of_the_same_name_that_others_use() {
    let (stage, authority) = (Stage::start(), Authority::start());
    authority.behave(|manner| manner.client_id = Some("the-client"));
    let client = register(&stage, &authority, "1").await;
    // another user, as a public client
    let endpoint = format!("{}/register", authority.server.url);
    authority.behave(|manner| manner.public_clients = true);
    let metadata = json!({ "token_endpoint_auth_method": "none" });
    let request = stage
        .request(
            "2",
            Method::POST,
            "/register-client",
            &[("registration_url", &endpoint)],
        )
        .json(&metadata);
    assert_eq!(told(request.send().await.unwrap()).await.0, 200);
    authority.behave(|manner| manner.public_clients = false);
    // the one who registered, and one who only names the client
    for user in ["1", "3"] {
        let (_, begun) = begin(&stage, &authority, user, &client).await;
        let back = authority
            .allow(begun["authorization_url"].as_str().unwrap())
            .await;
        assert_eq!(come_back(&stage, user, &back).await.0, 200, "{user}");
    }
}

#[actix_web::test]
async fn a_secret_whose_server_is_not_known_is_for_its_user_alone() {
    let (stage, authority) = (Stage::start(), Authority::start());
    // nothing above the endpoint says that it is its own
    authority.behave(|manner| manner.metadata = json!({ "registration_endpoint": null }));
    let client = register(&stage, &authority, "1").await;
    assert_eq!(register(&stage, &authority, "1").await, client);
    assert_ne!(register(&stage, &authority, "2").await, client);
    authority.behave(|manner| manner.metadata = Value::Null);
    for (user, is_known) in [("1", true), ("2", false)] {
        let (_, begun) = begin(&stage, &authority, user, &client).await;
        let back = authority
            .allow(begun["authorization_url"].as_str().unwrap())
            .await;
        let status = come_back(&stage, user, &back).await.0;
        assert_eq!(status == 200, is_known, "{user}: {status}");
        let mut tokens = authority.server.asked().into_iter().rev();
        let asked = tokens.find(|asked| asked.path == "/token").unwrap();
        assert_eq!(asked.header("authorization").is_some(), is_known, "{user}");
    }
}

#[actix_web::test]
async fn what_is_too_long_to_be_kept_is_refused() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let site = crate::support::site::Site::start(|_, _| {
        crate::support::site::json(201, &json!({ "client_id": "x".repeat(5000) }))
    });
    let endpoint = format!("{}/register", site.url);
    let (status, fault) = ask(&stage, &[("registration_url", &endpoint)], &json!({})).await;
    assert_eq!(status, 502);
    assert!(
        fault["error_description"].as_str().unwrap().contains("client_id"),
        "{fault}"
    );

    let client = register(&stage, &authority, "1").await;
    let (_, begun) = begin(&stage, &authority, "1", &client).await;
    let back = authority
        .allow(begun["authorization_url"].as_str().unwrap())
        .await;
    let answer = json!({ "access_token": "x".repeat(17_000), "token_type": "Bearer" });
    authority.behave(|manner| manner.token_answer = Some((200, answer)));
    let (status, fault) = come_back(&stage, "1", &back).await;
    assert_eq!(status, 502);
    assert!(
        fault["error_description"]
            .as_str()
            .unwrap()
            .contains("access_token"),
        "{fault}"
    );
}
