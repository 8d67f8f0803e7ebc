//! Codes at the token endpoint: <https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3>.

use mcp_gateway_auth_server::Limits;
use mcp_gateway_model::{
    id::{ClientId, GrantId},
    scope::ScopeSet,
};
use mcp_gateway_store::Store;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    desk::{Answer, Desk, REDIRECT, VERIFIER},
    set::FILES,
};

#[actix_web::test]
async fn a_code_becomes_tokens() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let code = desk.code(&client).await;
    let answer = desk.redeem(&client, &code, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.member("refresh_token").starts_with("mcp_rt_"));
    insta::assert_json_snapshot!(answer.json(), {
        ".access_token" => "[jwt]",
        ".refresh_token" => "[refresh]",
    }, @r#"
    {
      "access_token": "[jwt]",
      "expires_in": 1800,
      "refresh_token": "[refresh]",
      "scope": "read write",
      "token_type": "Bearer"
    }
    "#);
    let issued = desk.counted("mcp_gateway_tokens_issued_total", "authorization_code");
    assert!((issued - 1.0).abs() < f64::EPSILON);
}

#[actix_web::test]
async fn the_old_path_issues_tokens_too() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let code = desk.code(&client).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", &client.id),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(desk.form("/oauth/token", &form).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_code_is_of_no_use_to_another_client_and_not_used_up_by_it() {
    let desk = Desk::start().await;
    let (owner, other) = (desk.public_client().await, desk.public_client().await);
    let code = desk.code(&owner).await;
    assert_eq!(desk.redeem(&other, &code, &[]).await.error(), "400 invalid_grant");
    assert_eq!(desk.redeem(&owner, &code, &[]).await.status, StatusCode::OK);
    // A spent one neither: a stranger who finds it ends nobody's grant.
    assert_eq!(desk.redeem(&other, &code, &[]).await.error(), "400 invalid_grant");
    let owner = ClientId::parse(&owner.id).unwrap();
    assert_eq!(
        desk.store
            .grants_of_client(&owner, desk.now())
            .await
            .unwrap()
            .len(),
        1
    );
}

#[actix_web::test]
async fn a_wrong_redirect_verifier_or_resource_does_not_use_the_code_up() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let code = desk.code(&client).await;
    let other_verifier = "a".repeat(43);
    for (member, value, error) in [
        ("redirect_uri", None, "400 invalid_grant"),
        (
            "redirect_uri",
            Some("https://client.example.com/cb/"),
            "400 invalid_grant",
        ),
        ("redirect_uri", Some("https://evil.com/cb"), "400 invalid_grant"),
        ("code_verifier", None, "400 invalid_grant"),
        ("code_verifier", Some("short"), "400 invalid_grant"),
        ("code_verifier", Some(&other_verifier), "400 invalid_grant"),
        ("resource", Some(FILES), "400 invalid_target"),
        (
            "resource",
            Some("https://elsewhere.example.net/mcp"),
            "400 invalid_target",
        ),
        ("resource", Some("nonsense"), "400 invalid_target"),
    ] {
        let answer = desk.redeem(&client, &code, &[(member, value)]).await;
        assert_eq!(answer.error(), error, "{member} {value:?}");
    }
    assert_eq!(desk.redeem(&client, &code, &[]).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_resource_may_be_left_out_or_written_with_a_slash_or_a_query() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    for resource in [
        None,
        Some("https://echo.example.com/mcp/"),
        Some("HTTPS://Echo.example.com/mcp?session=1"),
        Some("https://echo.example.com"),
    ] {
        let code = desk.code(&client).await;
        let answer = desk.redeem(&client, &code, &[("resource", resource)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{resource:?} {}", answer.text);
    }
}

#[actix_web::test]
async fn a_redirect_that_the_authorization_request_left_out_may_be_left_out_here() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    for redirect in [None, Some(REDIRECT)] {
        let code = desk
            .code_with(&client, |_, code| code.redirect_uri_was_sent = false)
            .await;
        let answer = desk.redeem(&client, &code, &[("redirect_uri", redirect)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{redirect:?}");
    }
}

#[actix_web::test]
async fn a_code_ends_after_a_minute() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let code = desk.code(&client).await;
    desk.advance(60);
    assert_eq!(
        desk.redeem(&client, &code, &[]).await.error(),
        "400 invalid_grant"
    );
}

#[actix_web::test]
async fn a_replayed_code_ends_the_grant() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let code = desk.code(&client).await;
    let first = desk.redeem(&client, &code, &[]).await;
    let (access, refresh) = (first.member("access_token"), first.member("refresh_token"));
    assert_eq!(desk.introspect(&client, &access).await["active"], true);
    // Long after the code would have ended: spent ones are remembered.
    desk.advance(600);
    assert_eq!(
        desk.redeem(&client, &code, &[]).await.error(),
        "400 invalid_grant"
    );
    assert_eq!(
        desk.introspect(&client, &access).await,
        json!({ "active": false })
    );
    assert_eq!(
        desk.refresh(&client, &refresh, &[]).await.error(),
        "400 invalid_grant"
    );
    let ended = desk.counted("mcp_gateway_grants_ended_total", "replayed");
    assert!((ended - 1.0).abs() < f64::EPSILON);
}

#[actix_web::test]
async fn of_32_redemptions_at_once_at_most_one_gets_tokens_and_they_end_with_the_replay() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let code = desk.code(&client).await;
    let calls = (0..32).map(|_| desk.redeem(&client, &code, &[]));
    let answers = futures_util::future::join_all(calls).await;
    let winners: Vec<&Answer> = answers.iter().filter(|a| a.status == StatusCode::OK).collect();
    assert!(winners.len() <= 1, "{} winners", winners.len());
    let losers = answers
        .iter()
        .filter(|a| a.error() == "400 invalid_grant")
        .count();
    assert_eq!(winners.len() + losers, 32);
    for winner in winners {
        let access = winner.member("access_token");
        assert_eq!(desk.introspect(&client, &access).await["active"], false);
    }
}

#[actix_web::test]
async fn a_client_without_the_refresh_grant_gets_no_refresh_token() {
    let desk = Desk::start().await;
    let metadata = json!({
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"],
    });
    let client = desk.register(&metadata).await;
    let code = desk.code(&client).await;
    let answer = desk.redeem(&client, &code, &[]).await;
    assert_eq!(answer.json().get("refresh_token"), None);
    assert_eq!(
        desk.refresh(&client, "mcp_rt_x", &[]).await.error(),
        "400 unauthorized_client"
    );
}

#[actix_web::test]
async fn a_code_for_scopes_that_open_nothing_says_so() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let code = desk
        .code_with(&client, |grant, _| {
            grant.scopes = ScopeSet::parse("read offline_access").unwrap();
        })
        .await;
    let answer = desk.redeem(&client, &code, &[]).await;
    assert_eq!(answer.member("scope"), "offline_access read");
}

#[actix_web::test]
async fn every_error_is_json() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let id = client.id.as_str();
    let form = ("content-type", "application/x-www-form-urlencoded");
    for (headers, body, error) in [
        (vec![form], String::new(), "401 invalid_client"),
        (vec![form], format!("client_id={id}"), "400 invalid_request"),
        (
            vec![form],
            format!("client_id={id}&grant_type=password"),
            "400 unsupported_grant_type",
        ),
        (
            vec![form],
            format!("client_id={id}&grant_type=authorization_code"),
            "400 invalid_request",
        ),
        (
            vec![form],
            format!("client_id={id}&client_id={id}&grant_type=refresh_token"),
            "400 invalid_request",
        ),
        (
            vec![form],
            format!("client_id={id}&grant_type=refresh_token"),
            "400 invalid_request",
        ),
        (
            vec![form],
            format!("client_id={id}&grant_type=refresh_token&refresh_token=mcp_at_x"),
            "400 invalid_grant",
        ),
        (
            vec![("content-type", "application/json")],
            "{}".into(),
            "400 invalid_request",
        ),
        (
            vec![form],
            "a=".to_owned() + &"b".repeat(17_000),
            "413 invalid_request",
        ),
    ] {
        let answer = desk.send_body("/token", &headers, body.clone()).await;
        assert_eq!(answer.error(), error, "{body}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_ne!(answer.member("error_description"), "");
    }
    let answer = desk.get("/token").await;
    assert_eq!(answer.error(), "405 invalid_request");
    assert_eq!(answer.header("allow"), "POST");
}

#[actix_web::test]
async fn token_requests_are_limited_by_address() {
    let desk = Desk::start_with(|settings| settings.limits.token = Limits::default().token).await;
    let client = desk.public_client().await;
    let mut last = desk.refresh(&client, "x", &[]).await;
    for _ in 0..100 {
        last = desk.refresh(&client, "x", &[]).await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(last.member("error"), "temporarily_unavailable");
}

#[actix_web::test]
async fn a_grant_that_ended_between_consent_and_redemption_gives_nothing() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let code = desk.code(&client).await;
    let grant = code.trim_start_matches("mcp_ac_").split('.').next().unwrap();
    let grant = GrantId::parse(grant).unwrap();
    desk.store.end_grant(&grant, desk.now()).await.unwrap();
    assert_eq!(
        desk.redeem(&client, &code, &[]).await.error(),
        "400 invalid_grant"
    );
}
