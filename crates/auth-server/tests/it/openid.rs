//! OpenID Connect Core: <https://openid.net/specs/openid-connect-core-1_0.html>, ID tokens and the userinfo endpoint.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use mcp_gateway_auth_server::Settings;
use mcp_gateway_model::{key::Algorithm, scope::ScopeSet, secret::Secret};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::desk::{Answer, Desk, Registered, START};

const ISSUER: &str = "https://auth.example.com";

/// Settings that offer ID tokens signed with `algorithm`.
fn offering(algorithm: Algorithm) -> impl FnOnce(&mut Settings) {
    move |settings| {
        settings.signing.algorithm = algorithm;
        settings.offers.openid = Some(algorithm);
    }
}

/// The answer to a code of a consent to `scopes`, with this nonce.
async fn exchanged(desk: &Desk, client: &Registered, scopes: &str, nonce: Option<&str>) -> Answer {
    let code = desk
        .code_with(client, |grant, code| {
            grant.scopes = ScopeSet::parse(scopes).unwrap();
            let user = grant.user.as_mut().unwrap();
            user.email = Some("octocat@github.com".into());
            code.nonce = nonce.map(ToOwned::to_owned);
        })
        .await;
    desk.advance(5);
    let answer = desk.redeem(client, &code, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer
}

/// The claims of an ID token, verified as a client does with nothing but the published keys.
async fn verified(desk: &Desk, token: &str, client: &Registered) -> Value {
    let keys: JwkSet = serde_json::from_value(desk.get("/jwks").await.json()).unwrap();
    let header = decode_header(token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("JWT"));
    let key = keys.find(&header.kid.unwrap()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[&client.id]);
    validation.validate_exp = false;
    let key = DecodingKey::from_jwk(key).unwrap();
    decode::<Value>(token, &key, &validation).unwrap().claims
}

fn half_hash(algorithm: Algorithm, token: &str) -> String {
    let hash = if algorithm == Algorithm::EdDsa {
        digest(&SHA512, token.as_bytes())
    } else {
        digest(&SHA256, token.as_bytes())
    };
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

async fn userinfo(desk: &Desk, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    desk.send(Method::GET, "/userinfo", &[("authorization", &bearer)])
        .await
}

#[actix_web::test]
async fn an_id_token_says_who_logged_in_when_and_for_which_client() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let desk = Desk::start_with(offering(algorithm)).await;
        let client = desk.public_client().await;
        let answer = exchanged(&desk, &client, "openid read", Some("n-0S6_WzA2Mj")).await;
        assert_eq!(answer.member("scope"), "openid read");
        let claims = verified(&desk, &answer.member("id_token"), &client).await;
        assert_eq!(
            claims,
            json!({
                "iss": ISSUER,
                "sub": "583231",
                "aud": client.id,
                "exp": START + 5 + 1800,
                "iat": START + 5,
                "auth_time": START,
                "nonce": "n-0S6_WzA2Mj",
                "at_hash": half_hash(algorithm, &answer.member("access_token")),
            }),
            "{algorithm}"
        );
    }
}

#[actix_web::test]
async fn profile_and_email_tell_what_they_say_and_nothing_else_does() {
    let desk = Desk::start_with(offering(Algorithm::EdDsa)).await;
    let client = desk.public_client().await;
    let profile = json!({
        "name": "The Octocat",
        "preferred_username": "OctoCat",
        "profile": "https://github.com/OctoCat",
    });
    let email = json!({ "email": "octocat@github.com" });
    for (scopes, told) in [
        ("openid read", vec![]),
        ("openid profile read", vec![&profile]),
        ("email openid read", vec![&email]),
        ("email openid profile read", vec![&profile, &email]),
    ] {
        let answer = exchanged(&desk, &client, scopes, None).await;
        let claims = verified(&desk, &answer.member("id_token"), &client).await;
        let info = userinfo(&desk, &answer.member("access_token")).await.json();
        let mut expected = json!({ "sub": "583231" });
        for part in told {
            let members = expected.as_object_mut().unwrap();
            members.extend(part.as_object().unwrap().clone());
        }
        assert_eq!(info, expected, "{scopes}");
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&claims[name], value, "{scopes}");
        }
        for name in ["name", "preferred_username", "profile", "email", "nonce"] {
            assert_eq!(
                claims.get(name).is_some(),
                expected.get(name).is_some(),
                "{scopes}"
            );
        }
        assert_eq!(claims.get("email_verified"), None);
    }
}

#[actix_web::test]
async fn without_openid_there_is_no_id_token_and_no_userinfo() {
    let desk = Desk::start_with(offering(Algorithm::EdDsa)).await;
    let client = desk.public_client().await;
    let answer = exchanged(&desk, &client, "read write", None).await;
    assert_eq!(answer.json().get("id_token"), None);
    let refused = userinfo(&desk, &answer.member("access_token")).await;
    assert_eq!(refused.error(), "403 insufficient_scope");
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer realm=\"userinfo\", error=\"insufficient_scope\", scope=\"openid\""
    );
}

#[actix_web::test]
async fn a_refreshed_id_token_names_the_same_person_and_login_and_no_nonce() {
    let desk = Desk::start_with(offering(Algorithm::Es256)).await;
    let client = desk.public_client().await;
    let first = exchanged(&desk, &client, "openid read", Some("once")).await;
    let before = verified(&desk, &first.member("id_token"), &client).await;
    desk.advance(100);
    let second = desk.refresh(&client, &first.member("refresh_token"), &[]).await;
    let after = verified(&desk, &second.member("id_token"), &client).await;
    for name in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert_eq!(after["iat"], START + 105);
    assert_eq!(after.get("nonce"), None);
    assert_eq!(
        after["at_hash"],
        half_hash(Algorithm::Es256, &second.member("access_token"))
    );
    let narrow = [("scope", Some("read"))];
    let third = desk
        .refresh(&client, &second.member("refresh_token"), &narrow)
        .await;
    assert_eq!(third.member("scope"), "read");
    assert_eq!(third.json().get("id_token"), None);
    let refused = userinfo(&desk, &third.member("access_token")).await;
    assert_eq!(refused.error(), "403 insufficient_scope");
}

#[actix_web::test]
async fn an_id_token_passes_for_no_access_token() {
    let desk = Desk::start_with(offering(Algorithm::EdDsa)).await;
    let client = desk.confidential_client().await;
    let answer = exchanged(&desk, &client, "openid read", None).await;
    let id_token = answer.member("id_token");
    let refused = userinfo(&desk, &id_token).await;
    assert_eq!(refused.error(), "401 invalid_token");
    assert_eq!(
        desk.introspect(&client, &id_token).await,
        json!({ "active": false })
    );
    let bearer = format!("Bearer {id_token}");
    let form = [("token", answer.member("access_token"))];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    let refused = desk
        .form_with("/introspect", &[("authorization", &bearer)], &form)
        .await;
    assert_eq!(refused.error(), "401 invalid_token");
    let kept = desk.introspect(&client, &answer.member("access_token")).await;
    assert_eq!(kept["active"], true);
}

#[actix_web::test]
async fn userinfo_answers_get_and_post_from_any_origin_and_keeps_nothing() {
    let desk = Desk::start_with(offering(Algorithm::EdDsa)).await;
    let client = desk.public_client().await;
    let token = exchanged(&desk, &client, "openid read", None)
        .await
        .member("access_token");
    let bearer = format!("Bearer {token}");
    for method in [Method::GET, Method::POST] {
        let headers = [
            ("authorization", bearer.as_str()),
            ("origin", "https://app.example.com"),
        ];
        let answer = desk.send(method, "/userinfo", &headers).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let preflight = desk.send(Method::OPTIONS, "/userinfo", &[]).await;
    assert_eq!(preflight.header("access-control-allow-methods"), "GET, POST");
}

#[actix_web::test]
async fn userinfo_answers_live_access_tokens_only() {
    let desk = Desk::start_with(offering(Algorithm::EdDsa)).await;
    let client = desk.public_client().await;
    let answer = exchanged(&desk, &client, "openid read", None).await;
    let bare = desk.get("/userinfo").await;
    assert_eq!(bare.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        bare.header("www-authenticate"),
        "Bearer realm=\"userinfo\", scope=\"openid\""
    );
    let token = answer.member("access_token");
    let in_the_form = desk.form("/userinfo", &[("access_token", &token)]).await;
    assert_eq!(in_the_form.status, StatusCode::UNAUTHORIZED);
    for dead in [answer.member("refresh_token"), "x".into(), format!("{token}x")] {
        let refused = userinfo(&desk, &dead).await;
        assert_eq!(refused.error(), "401 invalid_token");
        assert!(refused.header("www-authenticate").contains("invalid_token"));
    }
    assert_eq!(userinfo(&desk, &token).await.status, StatusCode::OK);
    let form = [
        ("token", answer.member("refresh_token")),
        ("client_id", client.id.clone()),
    ];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(desk.form("/revoke", &form).await.status, StatusCode::OK);
    assert_eq!(userinfo(&desk, &token).await.error(), "401 invalid_token");
}

#[actix_web::test]
async fn a_token_that_ended_tells_nobody_anything() {
    let desk = Desk::start_with(offering(Algorithm::EdDsa)).await;
    let client = desk.public_client().await;
    let token = exchanged(&desk, &client, "openid read", None)
        .await
        .member("access_token");
    desk.advance(1800);
    assert_eq!(userinfo(&desk, &token).await.error(), "401 invalid_token");
}

#[actix_web::test]
async fn discovery_says_what_an_openid_provider_must_say() {
    let desk = Desk::start_with(offering(Algorithm::Rs256)).await;
    let metadata = desk.get("/.well-known/openid-configuration").await.json();
    let expected = json!({
        "userinfo_endpoint": "https://auth.example.com/userinfo",
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash",
            "name", "preferred_username", "profile", "email",
        ],
        "scopes_supported": ["read", "write", "openid", "profile", "email", "offline_access"],
        "prompt_values_supported": ["login", "consent", "select_account"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&metadata[name], value, "{name}");
    }
    let same = desk.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata, same);
}

#[actix_web::test]
async fn with_hs256_there_is_no_openid_connect() {
    let desk = Desk::start_with(|settings| {
        settings.signing.algorithm = Algorithm::Hs256;
        settings.signing.shared_secret = Some(Secret::presented("s".repeat(32)));
    })
    .await;
    let metadata = desk.get("/.well-known/openid-configuration").await;
    for word in ["openid", "userinfo", "id_token", "claims"] {
        assert!(!metadata.text.contains(word), "{word}: {}", metadata.text);
    }
    let client = desk.public_client().await;
    // As an older release would have granted it.
    let answer = exchanged(&desk, &client, "openid read", None).await;
    assert_eq!(answer.json().get("id_token"), None);
    let gone = userinfo(&desk, &answer.member("access_token")).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn an_algorithm_that_only_settings_claim_signs_no_id_token() {
    let desk = Desk::start_with(|settings| {
        settings.signing.algorithm = Algorithm::Hs256;
        settings.signing.shared_secret = Some(Secret::presented("s".repeat(32)));
        settings.offers.openid = Some(Algorithm::Rs256);
    })
    .await;
    let client = desk.public_client().await;
    let answer = exchanged(&desk, &client, "openid read", None).await;
    assert_eq!(answer.json().get("id_token"), None);
}
