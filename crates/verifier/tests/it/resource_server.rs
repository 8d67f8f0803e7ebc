//! A server that checks tokens itself, as its clients and its issuer see it.

use actix_web::{http::StatusCode, test::TestRequest};
use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_model::{
    id::{GrantId, KeyId},
    token::PersonalAccessToken,
};
use serde_json::{Value, json};

use crate::{
    issuer::{Alone, SAMPLE, SECRET},
    signer::{Signer, encode},
    stand::changed,
};

const METADATA: &str = "https://sample.example.com/.well-known/oauth-protected-resource";

#[actix_web::test]
async fn whoever_holds_a_good_token_is_let_in_by_name() {
    let alone = Alone::start();
    let answer = alone.get(&alone.token()).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let who = json!({ "subject": "583231", "username": "octocat", "client": "mcp_client_one", "scopes": "read write" });
    assert_eq!(answer.json(), who);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

#[actix_web::test]
async fn the_issuer_is_asked_about_every_token_with_the_servers_own_credentials() {
    let alone = Alone::start();
    let token = alone.token();
    for _ in 0..2 {
        assert_eq!(alone.get(&token).await.status, StatusCode::OK);
    }
    let said = alone.said();
    assert_eq!(
        (said.metadata_read, said.keys_read, said.questions.len()),
        (1, 1, 2)
    );
    let (authorization, asked) = &said.questions[0];
    assert_eq!(*asked, token);
    let credentials = STANDARD
        .decode(authorization.strip_prefix("Basic ").unwrap())
        .unwrap();
    let credentials = String::from_utf8(credentials).unwrap();
    let (name, secret) = credentials.split_once(':').unwrap();
    let decoded = |text| percent_encoding::percent_decode_str(text).decode_utf8().unwrap();
    assert_eq!(
        (decoded(name).as_ref(), decoded(secret).as_ref()),
        (SAMPLE, SECRET)
    );
}

#[actix_web::test]
async fn without_a_token_the_challenge_names_no_error() {
    let alone = Alone::start();
    let answer = alone.ask(TestRequest::get().uri("/mcp/v1")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let challenge = format!(r#"Bearer resource_metadata="{METADATA}/mcp/v1", scope="read""#);
    assert_eq!(answer.challenge(), challenge);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("WWW-Authenticate"), "{exposed}");
    assert!(alone.said().questions.is_empty());
}

#[actix_web::test]
async fn what_is_no_good_token_is_401_invalid_token_and_the_issuer_is_not_asked_about_it() {
    let alone = Alone::start();
    let stranger = Signer::ed25519();
    let past = json!(crate::stand::NOW - 1);
    let later = json!(crate::stand::NOW + 61);
    for (what, token) in [
        (
            "another audience",
            alone.token_where("aud", json!("https://other.example.com")),
        ),
        (
            "an audience below another host",
            alone.token_where("aud", json!("https://sample.example.com.evil.example")),
        ),
        (
            "another issuer",
            alone.token_where("iss", json!("https://auth.example.com")),
        ),
        ("an expired token", alone.token_where("exp", past)),
        ("a token from the future", alone.token_where("iat", later)),
        ("a token without a grant", alone.token_where("grant", Value::Null)),
        (
            "a stranger's key",
            stranger.sign(&alone.signer.header(), &alone.claims()),
        ),
        (
            "an unknown key",
            stranger.sign(&stranger.header(), &alone.claims()),
        ),
        (
            "a refresh token",
            "mcp_rt_AAAAAAAAAAAAAAAAAAAAAA.1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into(),
        ),
        ("nonsense", "nonsense".into()),
    ] {
        let answer = alone.get(&token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
        assert_eq!(answer.json()["error"], "invalid_token", "{what}");
        let challenge = answer.challenge();
        assert!(
            challenge.starts_with(r#"Bearer error="invalid_token", "#),
            "{what}: {challenge}"
        );
        assert!(
            challenge.contains(&format!(r#"resource_metadata="{METADATA}/mcp/v1""#)),
            "{challenge}"
        );
        assert!(challenge.ends_with(r#"scope="read""#), "{challenge}");
    }
    assert!(alone.said().questions.is_empty());
}

#[actix_web::test]
async fn a_token_without_a_signature_or_with_the_public_key_as_secret_opens_nothing() {
    let alone = Alone::signed_by(Signer::rsa());
    let claims = alone.claims();
    let unsigned = format!(
        "{}.{}.",
        encode(&changed(alone.signer.header(), "alg", json!("none"))),
        encode(&claims)
    );
    let public = serde_json::to_vec(&alone.signer.public().unwrap()).unwrap();
    let modulus = alone.said().keys[0]["n"].as_str().unwrap().as_bytes().to_vec();
    let mut forged = vec![unsigned];
    for secret in [public, modulus] {
        let forger = Signer::Secret(secret, KeyId::parse(&alone.signer.kid()).unwrap());
        for algorithm in ["HS256", "RS256"] {
            let header = changed(alone.signer.header(), "alg", json!(algorithm));
            forged.push(forger.sign(&header, &claims));
        }
    }
    for token in forged {
        let answer = alone.get(&token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token}");
    }
    assert!(alone.said().questions.is_empty());
    assert_eq!(alone.get(&alone.token()).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_token_whose_grant_has_ended_is_refused_on_the_next_request() {
    let alone = Alone::start();
    let token = alone.token();
    assert_eq!(alone.get(&token).await.status, StatusCode::OK);
    alone.said().introspected = Some(json!({ "active": false }));
    let answer = alone.get(&token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["error"], "invalid_token");
}

#[actix_web::test]
async fn what_the_issuer_says_of_another_token_is_not_believed_of_this_one() {
    let alone = Alone::start();
    let token = alone.token();
    for (member, value) in [
        ("active", json!(false)),
        ("iss", json!("https://auth.example.com")),
        ("iss", Value::Null),
        ("aud", json!("https://other.example.com")),
        ("aud", json!(["https://other.example.com"])),
        ("aud", Value::Null),
        ("token_type", json!("refresh_token")),
        ("exp", json!(crate::stand::NOW)),
        ("exp", Value::Null),
        ("sub", json!("480938")),
        ("client_id", json!("mcp_client_two")),
        ("scope", json!("re\"ad")),
    ] {
        alone.says(member, value.clone());
        let answer = alone.get(&token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{member}: {value}");
    }
    alone.says("aud", json!(["https://other.example.com", SAMPLE]));
    assert_eq!(alone.get(&token).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_token_that_does_not_allow_the_request_is_403_with_the_scopes_that_do() {
    let alone = Alone::start();
    alone.says("scope", json!("read"));
    let bearer = ("authorization", format!("Bearer {}", alone.token()));
    let write = || TestRequest::post().uri("/mcp/v1").insert_header(bearer.clone());
    let answer = alone.ask(write()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["error"], "insufficient_scope");
    let challenge = answer.challenge();
    assert!(
        challenge.starts_with(r#"Bearer error="insufficient_scope", "#),
        "{challenge}"
    );
    assert!(challenge.ends_with(r#"scope="write""#), "{challenge}");
    // a broad scope is enough where a narrow one is needed
    alone.says("scope", json!("write"));
    assert_eq!(alone.ask(write()).await.status, StatusCode::OK);
    assert_eq!(alone.get(&alone.token()).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_personal_access_token_is_what_the_issuer_says_it_is() {
    let alone = Alone::start();
    let token = PersonalAccessToken::generate(&GrantId::generate());
    let token = token.reveal();
    assert_eq!(alone.get(token).await.status, StatusCode::OK);
    assert_eq!(alone.said().keys_read, 0);
    alone.said().introspected = Some(json!({ "active": false }));
    assert_eq!(alone.get(token).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn several_credentials_are_a_bad_request() {
    let alone = Alone::start();
    let bearer = ("authorization", format!("Bearer {}", alone.token()));
    let request = TestRequest::get().uri("/mcp/v1");
    let answer = alone
        .ask(request.append_header(bearer.clone()).append_header(bearer))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.challenge(), "");
}

#[actix_web::test]
async fn the_metadata_name_the_server_as_its_clients_know_it() {
    let alone = Alone::start();
    for (path, resource) in [
        ("", SAMPLE),
        ("/mcp/v1", "https://sample.example.com/mcp/v1"),
        ("/mcp/v1/", "https://sample.example.com/mcp/v1/"),
        ("/api/data", "https://sample.example.com/api/data"),
    ] {
        let address = format!("/.well-known/oauth-protected-resource{path}");
        // whatever the Host header says
        let request = TestRequest::get()
            .uri(&address)
            .insert_header(("host", "evil.example"));
        let answer = alone.ask(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let document = answer.json();
        assert_eq!(document["resource"], resource);
        assert_eq!(document["authorization_servers"], json!([alone.issuer.url]));
        assert_eq!(document["scopes_supported"], json!(["admin", "read", "write"]));
        assert_eq!(document["resource_name"], "Sample");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    for path in ["/a/../b", "//evil.example", "/a%2fb", "/a;b"] {
        let address = format!("/.well-known/oauth-protected-resource{path}");
        let answer = alone.ask(TestRequest::get().uri(&address)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[actix_web::test]
async fn clients_that_look_here_for_the_authorization_server_are_sent_to_the_issuer() {
    let alone = Alone::start();
    for place in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        for below in ["", "/mcp/v1"] {
            let answer = alone
                .ask(TestRequest::get().uri(&format!("{place}{below}")))
                .await;
            assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
            assert_eq!(
                answer.header("location"),
                Some(format!("{}{place}", alone.issuer.url).as_str())
            );
        }
    }
}

#[actix_web::test]
async fn preflights_need_no_token_and_other_options_do() {
    let alone = Alone::start();
    let options = |path| TestRequest::with_uri(path).method(actix_web::http::Method::OPTIONS);
    for path in ["/mcp/v1", "/.well-known/oauth-protected-resource"] {
        let request = options(path)
            .insert_header(("origin", "http://localhost:6274"))
            .insert_header(("access-control-request-method", "POST"))
            .insert_header(("access-control-request-headers", "authorization"));
        let answer = alone.ask(request).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{path}");
        let allowed = answer.header("access-control-allow-headers").unwrap();
        assert!(
            allowed.to_ascii_lowercase().contains("authorization"),
            "{allowed}"
        );
    }
    assert_eq!(
        alone.ask(options("/mcp/v1")).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[actix_web::test]
async fn what_a_request_needs_is_decided_by_the_path_that_it_is_routed_by() {
    let alone = Alone::start();
    for (path, status) in [
        ("/mcp/v1", StatusCode::OK),
        ("/mcp/admin", StatusCode::FORBIDDEN),
        ("/mcp/%61dmin", StatusCode::FORBIDDEN),
        ("/mcp/a%64%6Din", StatusCode::FORBIDDEN),
    ] {
        let token = format!("Bearer {}", alone.token());
        let request = TestRequest::get().uri(path);
        let answer = alone.ask(request.insert_header(("authorization", token))).await;
        assert_eq!(answer.status, status, "{path}");
    }
}
