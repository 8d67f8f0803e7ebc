//! Whose tokens these are.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_client::service::settings::Written;
use mcp_gateway_model::clock::{Clock, ManualClock, SystemClock};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    authority::Authority,
    stage::{PUBLIC, Stage, memory, shared, told, written},
    steps::{begin, come_back, log_in, register},
};
use crate::support::site::{Site, empty, json as answer};

#[actix_web::test]
async fn one_user_sees_nothing_of_another() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let (client, _) = log_in(&stage, &authority, "1").await;
    let mcp = format!("{}/mcp", authority.resource.url);
    let access = [("resource_url", mcp.as_str())];
    assert_eq!(stage.get("1", "/access-resource", &access).await.0, 200);

    // the stored token
    let (status, fault) = stage.get("2", "/access-resource", &access).await;
    assert_eq!((status, &fault["error"]), (401, &json!("no_token")));

    // the login
    let (_, begun) = begin(&stage, &authority, "1", &client).await;
    let back = authority
        .allow(begun["authorization_url"].as_str().unwrap())
        .await;
    let (status, fault) = come_back(&stage, "2", &back).await;
    assert_eq!((status, &fault["error"]), (401, &json!("access_denied")));
    assert_eq!(
        come_back(&stage, "1", &back).await.0,
        200,
        "it is still its owner's"
    );

    // the client secret
    let request = [("registration_url", format!("{}/register", authority.server.url))];
    let request = [(request[0].0, request[0].1.as_str())];
    let mut seen = Vec::new();
    for user in ["1", "2"] {
        let sent = stage
            .request(user, Method::POST, "/register-client", &request)
            .json(&json!({}))
            .send();
        seen.push(told(sent.await.unwrap()).await.1);
    }
    assert_eq!(seen[0]["client_id"], seen[1]["client_id"]);
    assert!(seen[0].get("client_secret").is_some() && seen[1].get("client_secret").is_none());

    // two users have a token each
    log_in(&stage, &authority, "2").await;
    let tokens = authority.resource.asked();
    assert_eq!(stage.get("2", "/access-resource", &access).await.0, 200);
    let last = authority.resource.asked().pop().unwrap();
    let before = tokens.iter().filter_map(|asked| asked.header("authorization"));
    assert!(
        before
            .into_iter()
            .all(|one| Some(one) != last.header("authorization")),
        "a token of its own"
    );
}

#[actix_web::test]
async fn the_refresh_token_of_another_user_leads_to_nothing_that_is_kept() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let (client, tokens) = log_in(&stage, &authority, "1").await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let parameters = [
        ("refresh_token", refresh),
        ("auth_server_url", authority.server.url.as_str()),
        ("client_id", &client),
    ];
    // whoever holds a refresh token may use it, but what is kept for its owner is not what comes back
    let (status, stolen) = stage.post("2", "/refresh-token", &parameters).await;
    assert_eq!((status, &stolen["access_token"]), (200, &json!("access-2")));
    let mcp = format!("{}/mcp", authority.resource.url);
    let access = [("resource_url", mcp.as_str())];
    assert_eq!(stage.get("2", "/access-resource", &access).await.0, 401);
    stage.get("1", "/access-resource", &access).await;
    let last = authority.resource.asked().pop().unwrap();
    assert_eq!(last.header("authorization"), Some("Bearer access-1"));
}

#[actix_web::test]
async fn a_request_that_names_nobody_is_refused_at_every_endpoint() {
    let stage = Stage::start();
    for (method, path) in [
        (Method::GET, "discover-resource"),
        (Method::GET, "discover-auth-server"),
        (Method::POST, "register-client"),
        (Method::GET, "start-authorization"),
        (Method::GET, "callback"),
        (Method::POST, "refresh-token"),
        (Method::GET, "access-resource"),
        (Method::POST, "access-resource"),
    ] {
        let path = format!("/api/mcp/oauth/{path}");
        let nobody = [None, Some(""), Some(" "), Some("a b"), Some("\u{e4}")];
        for user in nobody {
            stage.clock.advance(std::time::Duration::from_secs(1));
            let mut request = stage.bare(method.clone(), &path);
            if let Some(user) = user {
                request = request.header("X-User-Id", user.as_bytes());
            }
            let (status, fault) = told(request.send().await.unwrap()).await;
            assert_eq!(
                (status, &fault["error"]),
                (401, &json!("unauthorized")),
                "{path} {user:?}"
            );
        }
    }
    let several = stage
        .bare(Method::GET, "/api/mcp/oauth/callback")
        .header("X-User-Id", "1")
        .header("X-User-Id", "2");
    assert_eq!(several.send().await.unwrap().status(), 401);
}

#[actix_web::test]
async fn an_identity_header_counts_only_from_a_trusted_proxy() {
    let untrusting = Written {
        trusted_proxies: "192.0.2.1".into(),
        ..written()
    };
    let stage = Stage::with(untrusting, memory());
    assert_eq!(stage.get("1", "/callback", &[("state", "x")]).await.0, 401);
}

#[actix_web::test]
async fn another_sites_page_cannot_ask_in_a_users_name() {
    let stage = Stage::start();
    for (site, path, expected) in [
        ("cross-site", "/access-resource", "Another site"),
        ("same-origin", "/access-resource", "resource_url"),
        ("none", "/access-resource", "resource_url"),
        ("cross-site", "/callback", "state"),
    ] {
        let request = stage
            .request("1", Method::GET, path, &[])
            .header("Sec-Fetch-Site", site);
        let (status, fault) = told(request.send().await.unwrap()).await;
        assert_eq!(status, 400);
        assert!(
            fault["error_description"].as_str().unwrap().contains(expected),
            "{site} {path}: {fault}"
        );
    }
}

#[actix_web::test]
async fn a_user_who_asks_too_often_waits_and_keeps_nobody_else_waiting() {
    let busy = Written {
        requests_per_minute: 3,
        ..written()
    };
    let stage = Stage::with(busy, memory());
    assert_eq!(stage.get("1", "/callback", &[]).await.0, 400);
    let response = stage
        .request("1", Method::GET, "/callback", &[])
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"20".parse().unwrap())
    );
    assert_eq!(stage.get("2", "/callback", &[]).await.0, 400);
    stage.clock.advance(std::time::Duration::from_secs(20));
    assert_eq!(stage.get("1", "/callback", &[]).await.0, 400);
}

/// A gateway that publishes one key, and what it signs.
struct Gateway {
    site: Site,
    key: Arc<EcdsaKeyPair>,
}

impl Gateway {
    fn start() -> Self {
        let key = Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());
        let public = key.public_key().as_ref().to_vec();
        let jwk = json!({
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "kid": "key-1",
            "x": URL_SAFE_NO_PAD.encode(&public[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&public[33..65]),
        });
        let strange = json!({ "kty": "something new", "kid": "key-2" });
        let site = Site::start(move |base, asked| match asked.path.as_str() {
            "/.well-known/oauth-authorization-server" => answer(
                200,
                &json!({ "issuer": base, "jwks_uri": format!("{base}/jwks") }),
            ),
            "/jwks" => answer(200, &json!({ "keys": [strange, jwk] })),
            _ => empty(404),
        });
        Self { site, key }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let random = aws_lc_rs::rand::SystemRandom::new();
        let signature = self.key.sign(&random, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn usual_header() -> Value {
    json!({ "alg": "ES256", "typ": "at+jwt", "kid": "key-1" })
}

fn with_tokens(gateway: &Gateway) -> Stage {
    let settings = Written {
        trusted_proxies: String::new(),
        gateway_issuer: Some(gateway.site.url.clone()),
        ..written()
    };
    Stage::with(settings, memory())
}

async fn status_with(stage: &Stage, token: &str) -> u16 {
    let request = stage
        .bare(Method::GET, "/api/mcp/oauth/callback")
        .header("X-User-Id", "7");
    let response = request
        .header("Authorization", format!("Bearer {token}"))
        .send()
        .await
        .unwrap();
    response.status().as_u16()
}

#[actix_web::test]
async fn an_access_token_of_the_gateway_says_who_asks() {
    let (gateway, authority) = (Gateway::start(), Authority::start());
    let stage = with_tokens(&gateway);
    let now = stage.clock.now().secs();
    let token = |sub: &str| {
        let claims =
            json!({ "iss": gateway.site.url, "aud": PUBLIC, "sub": sub, "iat": now, "exp": now + 60 });
        gateway.sign(&usual_header(), &claims)
    };
    let endpoint = format!(
        "/api/mcp/oauth/register-client?registration_url={}/register",
        authority.server.url
    );
    let mut secrets = Vec::new();
    for sub in ["1", "2"] {
        let request = stage
            .bare(Method::POST, &endpoint)
            .bearer_auth(token(sub))
            .json(&json!({}));
        secrets.push(told(request.send().await.unwrap()).await.1["client_secret"].is_string());
    }
    assert_eq!(secrets, [true, false], "the two are not the same user");
    assert_eq!(
        status_with(&stage, &token("1")).await,
        400,
        "admitted, without a state"
    );
}

#[actix_web::test]
async fn a_token_that_is_not_the_gateways_or_not_for_this_service_says_nothing() {
    let gateway = Gateway::start();
    let stage = with_tokens(&gateway);
    let now = stage.clock.now().secs();
    let usual = json!({ "iss": gateway.site.url, "aud": PUBLIC, "sub": "1", "iat": now, "exp": now + 60 });
    assert_eq!(
        status_with(&stage, &gateway.sign(&usual_header(), &usual)).await,
        400,
        "this one is good"
    );
    for (name, value) in [
        ("iss", json!("https://evil.com")),
        ("iss", json!(format!("{}/", gateway.site.url))),
        ("aud", json!("https://other.example.com")),
        ("aud", json!(["https://other.example.com"])),
        ("sub", json!("")),
        ("exp", json!(now)),
        ("iat", json!(now + 61)),
        ("nbf", json!(now + 61)),
    ] {
        let mut claims = usual.clone();
        claims[name] = value.clone();
        let token = gateway.sign(&usual_header(), &claims);
        assert_eq!(status_with(&stage, &token).await, 401, "{name} {value}");
    }
    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", json!(null)),
        ("kid", json!("key-3")),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
    ] {
        let mut header = usual_header();
        header[name] = value.clone();
        assert_eq!(
            status_with(&stage, &gateway.sign(&header, &usual)).await,
            401,
            "{name} {value}"
        );
    }
    let good = gateway.sign(&usual_header(), &usual);
    let (message, _) = good.rsplit_once('.').unwrap();
    let other = Gateway::start().sign(&usual_header(), &usual);
    let (_, signature) = other.rsplit_once('.').unwrap();
    for token in [
        format!("{message}."),
        format!("{message}.{signature}"),
        "x".into(),
        "mcp_pat_x".into(),
    ] {
        assert_eq!(status_with(&stage, &token).await, 401, "{token}");
    }
}

#[actix_web::test]
async fn unknown_keys_do_not_make_the_gateway_be_asked_again_and_again() {
    let gateway = Gateway::start();
    let stage = with_tokens(&gateway);
    let now = stage.clock.now().secs();
    let claims = json!({ "iss": gateway.site.url, "aud": PUBLIC, "sub": "1", "exp": now + 6000 });
    let mut header = usual_header();
    header["kid"] = json!("key-3");
    for _ in 0..5 {
        status_with(&stage, &gateway.sign(&header, &claims)).await;
    }
    let asked = || {
        gateway
            .site
            .lines()
            .iter()
            .filter(|line| *line == "GET /jwks")
            .count()
    };
    assert_eq!(asked(), 1);
    stage.clock.advance(std::time::Duration::from_secs(10));
    status_with(&stage, &gateway.sign(&header, &claims)).await;
    assert_eq!(asked(), 2);
}

#[actix_web::test]
async fn two_processes_with_one_store_know_the_same_users() {
    let server = mcp_gateway_store::testing::RedisServer::start();
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let one = Stage::at(written(), shared(&server), Arc::clone(&clock));
    let two = Stage::at(written(), shared(&server), Arc::clone(&clock));
    let authority = Authority::start();
    let client = register(&one, &authority, "1").await;
    let (_, begun) = begin(&two, &authority, "1", &client).await;
    let back = authority
        .allow(begun["authorization_url"].as_str().unwrap())
        .await;
    let answers = futures_util::future::join(come_back(&one, "1", &back), come_back(&two, "1", &back)).await;
    let mut statuses = [answers.0.0, answers.1.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "a state is good once, whoever is asked");
    let mcp = format!("{}/mcp", authority.resource.url);
    for stage in [&one, &two] {
        assert_eq!(
            stage
                .get("1", "/access-resource", &[("resource_url", &mcp)])
                .await
                .0,
            200
        );
    }
}
