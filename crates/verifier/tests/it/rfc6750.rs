//! Bearer tokens and challenges (RFC 6750, MCP authorization).

use actix_web::http::StatusCode;
use insta::assert_snapshot;
use serde_json::json;

use crate::{
    signer::Signer,
    stand::{ECHO, NOW, Stand, about, asking, configured, settings},
};

#[actix_web::test]
async fn a_request_without_a_token_gets_a_challenge_without_an_error() {
    let answer = Stand::new().ask(about(ECHO)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_snapshot!(answer.challenge(), @r#"Bearer resource_metadata="https://echo.example.com/.well-known/oauth-protected-resource/mcp", scope="read""#);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_snapshot!(answer.body, @r#"{"error":"invalid_token","error_description":"an access token is required"}"#);
}

#[actix_web::test]
async fn a_bad_token_gets_a_challenge_that_tells_the_rule_and_not_the_reason() {
    let stand = Stand::new();
    let answer = stand.verify("a.b.c").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_snapshot!(answer.challenge(), @r#"Bearer error="invalid_token", error_description="an access token that was issued for this server and has not ended is required", resource_metadata="https://echo.example.com/.well-known/oauth-protected-resource/mcp", scope="read""#);
    let mut others = vec![
        stand.token_where("iss", json!("https://evil.example")),
        stand.token_where("aud", json!("https://other.example.com")),
        stand.token_where("client_id", json!("other")),
        stand.token_headed("kid", json!("A".repeat(43))),
    ];
    others.push(stand.token() + "x");
    for token in others {
        let other = stand.verify(&token).await;
        assert_eq!(
            (other.status, other.challenge(), &other.body),
            (answer.status, answer.challenge(), &answer.body)
        );
    }
}

#[actix_web::test]
async fn an_expired_token_is_said_to_have_expired() {
    let stand = Stand::new();
    let answer = stand.verify(&stand.token_where("exp", json!(NOW))).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(
        answer
            .challenge()
            .contains(r#"error_description="the access token has expired""#)
    );
}

#[actix_web::test]
async fn the_scheme_is_read_in_any_case() {
    let stand = Stand::new();
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let value = format!("{scheme} {}", stand.token());
        let answer = stand
            .ask(about(ECHO).insert_header(("authorization", value)))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{scheme}");
    }
}

#[actix_web::test]
async fn another_scheme_counts_as_no_token() {
    let stand = Stand::new();
    for value in ["Basic b2N0b2NhdDpwdw==", "DPoP a.b.c", "Token x", ""] {
        let answer = stand
            .ask(about(ECHO).insert_header(("authorization", value)))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value}");
        assert!(!answer.challenge().contains("error"), "{value}");
    }
}

#[actix_web::test]
async fn hostile_authorization_values_open_nothing() {
    let stand = Stand::new();
    let token = stand.token();
    for value in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer null".to_owned(),
        "Bearer undefined".to_owned(),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer {token} {token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer\t{token}"),
        format!("Bearer{token}"),
        format!("Bearer: {token}"),
        format!("Bearer token={token}"),
        format!("Bearer Bearer {token}"),
        format!("Bearer {token}="),
        format!("Bearer {token}."),
        format!("Bearer .{token}"),
        format!("Bearer {token}{}", "A".repeat(9000)),
        token.clone(),
    ] {
        let answer = stand
            .ask(about(ECHO).insert_header(("authorization", value.as_str())))
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value}");
        assert!(answer.challenge().starts_with("Bearer "), "{value}");
    }
}

#[actix_web::test]
async fn two_authorization_headers_are_a_bad_request_even_if_both_are_good() {
    let stand = Stand::new();
    let good = format!("Bearer {}", stand.token());
    for second in [good.as_str(), "Basic x", ""] {
        let request = about(ECHO)
            .append_header(("authorization", good.as_str()))
            .append_header(("authorization", second));
        let answer = stand.ask(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.challenge().contains(r#"error="invalid_request""#));
    }
}

#[actix_web::test]
async fn a_token_in_the_query_or_the_body_is_not_looked_at() {
    let stand = Stand::new();
    let token = stand.token();
    let in_url = format!("{ECHO}?access_token={token}");
    assert_eq!(stand.ask(about(&in_url)).await.status, StatusCode::UNAUTHORIZED);

    let own_query = about(ECHO).uri(&format!("/verify?access_token={token}"));
    assert_eq!(stand.ask(own_query).await.status, StatusCode::UNAUTHORIZED);

    let form = about(ECHO)
        .method(actix_web::http::Method::POST)
        .set_form([("access_token", &token)]);
    assert_eq!(stand.ask(form).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_refresh_token_as_bearer_opens_nothing_and_asks_nobody() {
    let stand = Stand::new();
    let refresh = format!("mcp_rt_{}.1.{}", stand.grant.id, "A".repeat(43));
    let answer = stand.verify(&refresh).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.challenge().contains(r#"error="invalid_token""#));
    assert_eq!(stand.store.key_reads.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[actix_web::test]
async fn what_mcp_name_and_mcp_method_claim_decides_nothing() {
    let stand = Stand::new();
    let bearer = format!("Bearer {}", stand.token());
    let plain = stand.ask(about(ECHO)).await;
    for (method, name) in [
        ("tools/call", "delete_everything"),
        ("ping", ""),
        ("initialize", "read"),
    ] {
        let claiming = || {
            about(ECHO)
                .insert_header(("mcp-method", method))
                .insert_header(("mcp-name", name))
                .insert_header(("mcp-protocol-version", "2026-07-28"))
        };
        let refused = stand.ask(claiming()).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert_eq!(refused.challenge(), plain.challenge(), "{method} {name}");
        let good = claiming().insert_header(("authorization", bearer.as_str()));
        let good = stand.ask(good).await;
        assert_eq!(good.status, StatusCode::OK, "{method} {name}");
        assert_eq!(good.header("x-auth-scope"), Some("read"));
    }
}

#[actix_web::test]
async fn every_method_is_judged_alike() {
    let stand = Stand::new();
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "MCP",
    ] {
        let method = actix_web::http::Method::from_bytes(method.as_bytes()).unwrap();
        let preflight = about(ECHO)
            .method(method.clone())
            .insert_header(("origin", "https://app.example"))
            .insert_header(("access-control-request-method", "POST"));
        assert_eq!(
            stand.ask(preflight).await.status,
            StatusCode::UNAUTHORIZED,
            "{method}"
        );
        let good = about(ECHO)
            .method(method.clone())
            .insert_header(("authorization", format!("Bearer {}", stand.token())));
        assert_eq!(stand.ask(good).await.status, StatusCode::OK, "{method}");
    }
}

#[actix_web::test]
async fn a_path_below_verify_is_not_verify() {
    let stand = Stand::new();
    let answer = stand.ask(asking("/verify/x", "10.0.0.1:1")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn a_token_without_the_resources_scope_is_told_all_that_is_needed_at_once() {
    let stand = Stand::new();
    for scope in ["", "openid profile email", "offline_access"] {
        let answer = stand.verify(&stand.token_where("scope", scope.into())).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{scope}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
        assert!(
            challenge.contains(r#"scope="read""#) && challenge.contains("resource_metadata="),
            "{challenge}"
        );
        assert_eq!(answer.json()["error"], "insufficient_scope");
    }
}

#[actix_web::test]
async fn without_an_authorization_server_no_token_is_good() {
    let mut settings = settings(configured());
    settings.oauth_enabled = false;
    let stand = Stand::with(settings, Signer::ed25519());
    let answer = stand.verify(&stand.token()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}
