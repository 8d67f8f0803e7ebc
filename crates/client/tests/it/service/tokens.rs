//! Access tokens of the gateway that say who asks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix_web::{HttpResponse, web::Bytes};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::{
    future::{Either, select},
    stream,
};
use mcp_gateway_client::service::settings::Written;
use mcp_gateway_model::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    authority::Authority,
    stage::{PUBLIC, Stage, memory, told, written},
};
use crate::support::site::{Site, empty, json as answer};

/// A gateway that publishes one key, and what it signs.
struct Gateway {
    site: Site,
    key: Arc<EcdsaKeyPair>,
    /// Whether it says nothing for the time being.
    hangs: Arc<AtomicBool>,
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
        let hangs = Arc::new(AtomicBool::new(false));
        let is_hanging = Arc::clone(&hangs);
        let site = Site::start(move |base, asked| match asked.path.as_str() {
            _ if is_hanging.load(Ordering::SeqCst) => {
                HttpResponse::Ok().streaming(stream::pending::<Result<Bytes, std::io::Error>>())
            }
            "/.well-known/oauth-authorization-server" => answer(
                200,
                &json!({ "issuer": base, "jwks_uri": format!("{base}/jwks") }),
            ),
            "/jwks" => answer(200, &json!({ "keys": [strange, jwk] })),
            _ => empty(404),
        });
        Self { site, key, hangs }
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
async fn nobody_whose_key_is_known_waits_for_a_gateway_that_hangs() {
    let gateway = Gateway::start();
    let stage = with_tokens(&gateway);
    let now = stage.clock.now().secs();
    let claims = json!({ "iss": gateway.site.url, "aud": PUBLIC, "sub": "1", "exp": now + 6000 });
    let known = gateway.sign(&usual_header(), &claims);
    let mut header = usual_header();
    header["kid"] = json!("key-3");
    let unknown = gateway.sign(&header, &claims);
    assert_eq!(status_with(&stage, &known).await, 400, "its keys are read");
    gateway.hangs.store(true, Ordering::SeqCst);
    // by now it is time to read them again
    stage.clock.advance(std::time::Duration::from_secs(600));
    let stranger = std::pin::pin!(status_with(&stage, &unknown));
    let user = async {
        while gateway.site.lines().len() < 3 {
            tokio::task::yield_now().await;
        }
        status_with(&stage, &known).await
    };
    match select(stranger, std::pin::pin!(user)).await {
        Either::Right((status, _)) => assert_eq!(status, 400),
        Either::Left((status, _)) => panic!("the stranger was first, with {status}"),
    }
}
