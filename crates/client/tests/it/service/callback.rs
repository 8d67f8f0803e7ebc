//! Logins: single use, ten minutes, the server that was asked, and where the browser goes.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::{
    authority::Authority,
    stage::{Stage, told},
    steps::{begin, come_back, register},
};

/// A login that was allowed: the address that the browser comes back to.
async fn allowed(stage: &Stage, authority: &Authority) -> url::Url {
    let client = register(stage, authority, "1").await;
    let (status, begun) = begin(stage, authority, "1", &client).await;
    assert_eq!(status, 200, "{begun}");
    authority
        .allow(begun["authorization_url"].as_str().unwrap())
        .await
}

#[actix_web::test]
async fn a_state_is_good_once() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let back = allowed(&stage, &authority).await;
    assert_eq!(come_back(&stage, "1", &back).await.0, 200);
    let (status, fault) = come_back(&stage, "1", &back).await;
    assert_eq!((status, &fault["error"]), (400, &json!("invalid_request")));
    assert_eq!(authority.asked_for("authorization_code"), 1);
}

#[actix_web::test]
async fn a_state_is_good_for_ten_minutes() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let back = allowed(&stage, &authority).await;
    stage.clock.advance(Duration::from_secs(599));
    assert_eq!(come_back(&stage, "1", &back).await.0, 200);
    let back = allowed(&stage, &authority).await;
    stage.clock.advance(Duration::from_secs(600));
    let (status, fault) = come_back(&stage, "1", &back).await;
    assert_eq!(status, 400);
    assert!(
        fault["error_description"].as_str().unwrap().contains("too long"),
        "{fault}"
    );
    assert_eq!(authority.asked_for("authorization_code"), 1);
}

#[actix_web::test]
async fn a_made_up_state_is_refused() {
    let stage = Stage::start();
    let made_up = stage
        .get("1", "/callback", &[("state", "made up"), ("code", "x")])
        .await;
    assert_eq!(made_up.0, 400);
}

#[actix_web::test]
async fn an_answer_of_another_server_is_refused_before_its_code_is_sent_anywhere() {
    let (stage, authority) = (Stage::start(), Authority::start());
    for (promised, iss) in [
        (true, None),
        (true, Some("https://evil.com")),
        (false, Some("https://evil.com")),
    ] {
        authority.behave(|manner| {
            manner.metadata = json!({ "authorization_response_iss_parameter_supported": promised });
        });
        let mut back = allowed(&stage, &authority).await;
        let kept: Vec<_> = back
            .query_pairs()
            .into_owned()
            .filter(|(name, _)| name != "iss")
            .collect();
        back.query_pairs_mut().clear().extend_pairs(kept);
        if let Some(iss) = iss {
            back.query_pairs_mut().append_pair("iss", iss);
        }
        let (status, fault) = come_back(&stage, "1", &back).await;
        assert_eq!(status, 400, "{fault}");
        assert!(
            fault["error_description"]
                .as_str()
                .unwrap()
                .contains("is not from"),
            "{fault}"
        );
    }
    assert_eq!(authority.asked_for("authorization_code"), 0);
    authority
        .behave(|manner| manner.metadata = json!({ "authorization_response_iss_parameter_supported": true }));
    let back = allowed(&stage, &authority).await;
    assert_eq!(come_back(&stage, "1", &back).await.0, 200);
}

#[actix_web::test]
async fn what_the_authorization_server_says_no_with_is_passed_on_plainly() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let mut back = allowed(&stage, &authority).await;
    let state = back
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    back.query_pairs_mut()
        .clear()
        .append_pair("state", &state)
        .append_pair("error", "access_denied")
        .append_pair("error_description", "The user\r\nsaid no");
    let (status, fault) = come_back(&stage, "1", &back).await;
    let expected = json!({ "error": "access_denied", "error_description": "The usersaid no" });
    assert_eq!((status, fault), (400, expected));
}

#[actix_web::test]
async fn a_code_that_is_not_good_is_the_callers_fault_and_a_broken_server_the_servers() {
    let (stage, authority) = (Stage::start(), Authority::start());
    for (answer, expected) in [
        ((400, json!({ "error": "invalid_grant" })), (400, "invalid_grant")),
        (
            (200, json!({ "error": "bad_verification_code" })),
            (400, "bad_verification_code"),
        ),
        (
            (200, json!({ "access_token": "x", "token_type": "mac" })),
            (502, "bad_gateway"),
        ),
        (
            (200, json!({ "access_token": "", "token_type": "Bearer" })),
            (502, "bad_gateway"),
        ),
        ((200, json!(["x"])), (502, "bad_gateway")),
        ((500, json!({ "error": "server_error" })), (502, "bad_gateway")),
        ((302, json!({})), (502, "bad_gateway")),
    ] {
        authority.behave(|manner| manner.token_answer = Some(answer.clone()));
        let back = allowed(&stage, &authority).await;
        let (status, fault) = come_back(&stage, "1", &back).await;
        assert_eq!((status, fault["error"].as_str().unwrap()), expected, "{answer:?}");
    }
}

#[actix_web::test]
async fn a_browser_goes_on_to_allowed_addresses_alone_and_without_tokens() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let client = register(&stage, &authority, "1").await;
    let asked = |return_to: &'static str| {
        [
            ("auth_server_url", authority.server.url.clone()),
            ("client_id", client.clone()),
            ("resource", authority.resource.url.clone()),
            ("return_to", return_to.to_owned()),
        ]
    };
    for return_to in [
        "https://evil.com/",
        "https://app.example.com/",
        "//app.example.com/done",
        "javascript:alert(1)",
    ] {
        let parameters = asked(return_to);
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (status, fault) = stage.get("1", "/start-authorization", &parameters).await;
        assert_eq!(status, 400, "{return_to} {fault}");
    }
    for (token_answer, expected) in [
        (None, "https://app.example.com/done?job=7".to_owned()),
        (
            Some((400, json!({ "error": "invalid_grant" }))),
            "https://app.example.com/done?job=7&error=invalid_grant&error_description=\
             the+token+endpoint+says+no%3A+invalid_grant."
                .to_owned(),
        ),
    ] {
        authority.behave(|manner| manner.token_answer = token_answer);
        let parameters = asked("https://app.example.com/done?job=7");
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let (_, begun) = stage.get("1", "/start-authorization", &parameters).await;
        let back = authority
            .allow(begun["authorization_url"].as_str().unwrap())
            .await;
        let parameters: Vec<_> = back.query_pairs().into_owned().collect();
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let response = stage
            .request("1", Method::GET, "/callback", &parameters)
            .send()
            .await
            .unwrap();
        assert_eq!(
            (
                response.status().as_u16(),
                response.headers()["location"].to_str().unwrap()
            ),
            (303, expected.as_str())
        );
    }
}

#[actix_web::test]
async fn no_login_begins_without_pkce_or_with_an_endpoint_that_is_no_web_page() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let client = register(&stage, &authority, "1").await;
    for (metadata, says) in [
        (json!({ "code_challenge_methods_supported": null }), "PKCE"),
        (json!({ "code_challenge_methods_supported": ["plain"] }), "PKCE"),
        (
            json!({ "authorization_endpoint": "javascript:alert(1)" }),
            "authorization endpoint",
        ),
        (
            json!({ "authorization_endpoint": null }),
            "authorization endpoint",
        ),
        (json!({ "token_endpoint": null }), "token_endpoint"),
        (json!({ "issuer": "https://evil.com" }), "https://evil.com"),
    ] {
        authority.behave(|manner| manner.metadata = metadata.clone());
        let (status, fault) = begin(&stage, &authority, "1", &client).await;
        assert_eq!(
            (status, &fault["error"]),
            (502, &json!("bad_gateway")),
            "{metadata}"
        );
        assert!(
            fault["error_description"].as_str().unwrap().contains(says),
            "{fault}"
        );
    }
}

#[actix_web::test]
async fn parameters_that_are_there_twice_are_refused() {
    let stage = Stage::start();
    let request = stage
        .bare(Method::GET, "/api/mcp/oauth/callback?state=a&state=b")
        .header("X-User-Id", "1");
    let (status, fault) = told(request.send().await.unwrap()).await;
    assert_eq!(
        (status, fault["error_description"].as_str().unwrap()),
        (400, "state must be there once.")
    );
}
