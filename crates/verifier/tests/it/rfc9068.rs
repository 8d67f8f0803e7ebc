//! What makes an access token good (RFC 9068 §4, RFC 8725).
#![expect(clippy::unwrap_used, reason = "test helpers")]

use actix_web::http::StatusCode;
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_model::{
    id::KeyId,
    key::PublicNumbers,
    resource::{Resource, ResourceUri, Resources},
    secret::Secret,
};
use mcp_gateway_verifier::SharedKey;
use serde_json::{Value, json};

use crate::{
    signer::{Signer, encode},
    stand::{ECHO, NOW, Stand, about, configured, grant, settings, wildcard},
};

async fn assert_refused(stand: &Stand, token: &str, why: &str) {
    let answer = stand.verify(token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{why}");
    assert!(answer.challenge().contains(r#"error="invalid_token""#), "{why}");
}

fn shared(signer: &Signer) -> Option<SharedKey> {
    match signer {
        Signer::Secret(secret, kid) => Some(SharedKey {
            kid: kid.clone(),
            secret: Secret::presented(String::from_utf8(secret.clone()).ok()?),
        }),
        _ => None,
    }
}

fn secret() -> Signer {
    Signer::Secret(
        b"0123456789abcdef0123456789abcdef".to_vec(),
        KeyId::parse(&"k".repeat(43)).unwrap(),
    )
}

#[actix_web::test]
async fn tokens_of_all_four_algorithms_are_good() {
    for signer in [Signer::rsa(), Signer::p256(), Signer::ed25519(), secret()] {
        let mut settings = settings(configured());
        settings.shared_key = shared(&signer);
        let stand = Stand::with(settings, signer);
        let answer = stand.verify(&stand.token()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", stand.signer.header());
    }
}

#[actix_web::test]
async fn the_type_must_be_that_of_an_access_token() {
    let stand = Stand::new();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        let answer = stand.verify(&stand.token_headed("typ", json!(typ))).await;
        assert_eq!(answer.status, StatusCode::OK, "{typ}");
    }
    for typ in [
        json!("JWT"),
        json!(""),
        json!("at+jwt "),
        json!("text/at+jwt"),
        json!(1),
        Value::Null,
    ] {
        assert_refused(&stand, &stand.token_headed("typ", typ.clone()), &typ.to_string()).await;
    }
}

#[actix_web::test]
async fn alg_none_opens_nothing() {
    let stand = Stand::new();
    for alg in ["none", "None", "NONE", ""] {
        let mut header = stand.signer.header();
        header["alg"] = json!(alg);
        let message = format!("{}.{}", encode(&header), encode(&stand.claims()));
        let signed = stand.signer.sign(&header, &stand.claims());
        for token in [
            format!("{message}."),
            message.clone(),
            format!("{message}.AA"),
            signed,
        ] {
            assert_refused(&stand, &token, alg).await;
        }
    }
}

#[actix_web::test]
async fn hs256_with_the_public_key_opens_nothing() {
    let stand = Stand::with(settings(configured()), Signer::rsa());
    let public = stand.signer.public().unwrap();
    let PublicNumbers::Rsa { n, .. } = &public.numbers else {
        unreachable!("it is an RSA key")
    };
    let jwk = serde_json::to_vec(&public).unwrap();
    for material in [n.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(n).unwrap(), jwk] {
        let forger = Signer::Secret(material, public.kid.clone());
        for alg in ["HS256", "RS256", "HS384", "hs256"] {
            let mut header = forger.header();
            header["alg"] = json!(alg);
            assert_refused(&stand, &forger.sign(&header, &stand.claims()), alg).await;
        }
    }
}

#[actix_web::test]
async fn the_algorithm_is_the_keys_own_and_no_other() {
    let stand = Stand::with(settings(configured()), Signer::rsa());
    for alg in ["RS384", "RS512", "PS256", "ES256", "EdDSA", "rs256", "RS256 "] {
        assert_refused(&stand, &stand.token_headed("alg", json!(alg)), alg).await;
    }
    for alg in [json!(["RS256"]), json!(256), Value::Null] {
        assert_refused(&stand, &stand.token_headed("alg", alg.clone()), &alg.to_string()).await;
    }
}

#[actix_web::test]
async fn a_key_that_the_token_brings_along_is_not_trusted() {
    let stand = Stand::new();
    let forger = Signer::ed25519();
    let jwk = serde_json::to_value(forger.public().unwrap()).unwrap();
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["AAAA"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ] {
        let mut header = stand.signer.header();
        header[name] = value;
        assert_refused(&stand, &forger.sign(&header, &stand.claims()), name).await;
        assert_refused(&stand, &stand.signer.sign(&header, &stand.claims()), name).await;
    }
}

#[actix_web::test]
async fn no_address_that_a_token_names_is_fetched() {
    let stand = Stand::new();
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let address = format!("http://{}/jwks", trap.local_addr().unwrap());
    for name in ["jku", "x5u"] {
        let token = stand.token_headed(name, json!(address));
        assert_refused(&stand, &token, name).await;
    }
    assert_refused(&stand, &stand.token_headed("kid", json!(address)), "kid").await;
    assert_refused(&stand, &stand.token_where("iss", json!(address)), "iss").await;
    let came = trap.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(came, Err(std::io::ErrorKind::WouldBlock));
}

#[actix_web::test]
async fn a_kid_that_is_missing_or_odd_opens_nothing() {
    let stand = Stand::new();
    for kid in [
        json!(""),
        json!("../../etc/passwd"),
        json!("*"),
        json!("B".repeat(43)),
        Value::Null,
    ] {
        assert_refused(&stand, &stand.token_headed("kid", kid.clone()), &kid.to_string()).await;
    }
}

#[actix_web::test]
async fn another_keys_signature_opens_nothing() {
    let stand = Stand::new();
    let forger = Signer::ed25519();
    let token = forger.sign(&stand.signer.header(), &stand.claims());
    assert_refused(&stand, &token, "signed by a stranger").await;

    let swapped = stand.token_where("sub", json!("1"));
    let (message, _) = swapped.rsplit_once('.').unwrap();
    let honest = stand.token();
    let (_, signature) = honest.rsplit_once('.').unwrap();
    assert_refused(&stand, &format!("{message}.{signature}"), "changed claims").await;
}

#[actix_web::test]
async fn a_shared_secret_signs_nothing_for_a_verifier_that_was_not_given_it() {
    let stand = Stand::new();
    let token = secret().sign(&secret().header(), &stand.claims());
    assert_refused(&stand, &token, "HS256 without a secret").await;
}

#[actix_web::test]
async fn the_issuer_is_compared_byte_for_byte() {
    let stand = Stand::new();
    for issuer in [
        "https://auth.example.com/",
        "https://AUTH.example.com",
        "http://auth.example.com",
        "https://auth.example.com:443",
        "https://auth.example.com.evil.com",
        "",
    ] {
        assert_refused(&stand, &stand.token_where("iss", json!(issuer)), issuer).await;
    }
}

#[actix_web::test]
async fn a_token_for_one_resource_does_not_open_another() {
    let stand = Stand::new();
    let other = grant("https://other.example.com");
    stand.store.put(&other);
    let mut claims = stand.claims();
    claims["aud"] = json!("https://other.example.com");
    claims["grant"] = json!(other.id.as_str());
    let token = stand.signer.sign(&stand.signer.header(), &claims);
    assert_refused(&stand, &token, "the other's token here").await;

    let there = about("https://other.example.com/any/path")
        .insert_header(("authorization", format!("Bearer {token}")));
    assert_eq!(stand.ask(there).await.status, StatusCode::OK);
    let ours = about("https://other.example.com/any/path")
        .insert_header(("authorization", format!("Bearer {}", stand.token())));
    assert_eq!(stand.ask(ours).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn an_audience_that_is_no_resource_opens_nothing() {
    let stand = Stand::new();
    for audience in [
        json!("https://evil.example/mcp"),
        json!("http://echo.example.com/mcp"),
        json!("https://echo.example.com/mcpx"),
        json!("*"),
        json!(""),
        json!([ECHO]),
        Value::Null,
    ] {
        let token = stand.token_where("aud", audience.clone());
        assert_refused(&stand, &token, &audience.to_string()).await;
    }
}

#[actix_web::test]
async fn of_two_resources_on_one_host_each_takes_its_own_tokens() {
    let resource = |uri| Resource::new(ResourceUri::parse(uri).unwrap(), None);
    let both = vec![resource(ECHO), resource("https://echo.example.com/mcp/admin")];
    let stand = Stand::with(
        settings(Resources::new(both, vec![], "auth.example.com")),
        Signer::ed25519(),
    );
    let bearer = format!("Bearer {}", stand.token());
    for (path, status) in [
        ("/mcp", StatusCode::OK),
        ("/mcp/", StatusCode::OK),
        ("/mcp/tools", StatusCode::OK),
        ("/mcp/admin", StatusCode::UNAUTHORIZED),
        ("/mcp/admin/x?y", StatusCode::UNAUTHORIZED),
        ("/mcp/administration", StatusCode::OK),
        ("/mcp/x/../admin", StatusCode::FORBIDDEN),
        ("/mcp/x/%2e%2e/admin", StatusCode::FORBIDDEN),
        ("/mcp//admin", StatusCode::FORBIDDEN),
    ] {
        let url = format!("https://echo.example.com{path}");
        let answer = stand
            .ask(about(&url).insert_header(("authorization", bearer.as_str())))
            .await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[actix_web::test]
async fn under_a_wildcard_a_token_opens_the_host_it_was_asked_for_and_no_other() {
    let stand = Stand::with(settings(wildcard()), Signer::ed25519());
    let bearer = format!("Bearer {}", stand.token());
    for (url, status) in [
        ("https://echo.example.com/mcp", StatusCode::OK),
        ("https://echo.example.com/else", StatusCode::OK),
        ("https://files.example.com/mcp", StatusCode::UNAUTHORIZED),
        ("https://auth.example.com/mcp", StatusCode::FORBIDDEN),
        ("https://a.b.example.com/mcp", StatusCode::FORBIDDEN),
        ("https://echo.example.com.evil.com/mcp", StatusCode::FORBIDDEN),
    ] {
        let answer = stand
            .ask(about(url).insert_header(("authorization", bearer.as_str())))
            .await;
        assert_eq!(answer.status, status, "{url}");
    }
}

#[actix_web::test]
async fn a_token_ends_with_the_second_it_names() {
    let stand = Stand::new();
    let token = stand.token_where("exp", json!(NOW + 60));
    stand.clock.advance(std::time::Duration::from_millis(59_999));
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    stand.clock.advance(std::time::Duration::from_millis(1));
    assert_refused(&stand, &token, "no leeway").await;
}

#[actix_web::test]
async fn a_token_from_more_than_a_minute_ahead_is_refused() {
    let stand = Stand::new();
    for claim in ["iat", "nbf"] {
        let near = stand.token_where(claim, json!(NOW + 60));
        assert_eq!(stand.verify(&near).await.status, StatusCode::OK, "{claim}");
        let far = stand.token_where(claim, json!(NOW + 61));
        assert_refused(&stand, &far, claim).await;
        let absurd = stand.token_where(claim, json!(u64::MAX));
        assert_refused(&stand, &absurd, claim).await;
    }
}

#[actix_web::test]
async fn a_token_that_lacks_a_claim_or_has_a_wrong_one_opens_nothing() {
    let stand = Stand::new();
    for claim in [
        "iss",
        "sub",
        "aud",
        "client_id",
        "scope",
        "jti",
        "iat",
        "exp",
        "grant",
        "username",
    ] {
        assert_refused(&stand, &stand.token_where(claim, Value::Null), claim).await;
        assert_refused(&stand, &stand.token_where(claim, json!({})), claim).await;
    }
    for exp in [json!(-1), json!(1.9e10), json!("1900000000"), json!(true)] {
        assert_refused(&stand, &stand.token_where("exp", exp.clone()), &exp.to_string()).await;
    }
    assert_refused(&stand, &stand.token_where("grant", json!("mcpgw:*")), "grant").await;
    assert_refused(&stand, &stand.token_where("scope", json!("a\"b")), "scope").await;
}

#[actix_web::test]
async fn repeated_members_and_trailing_bytes_are_refused() {
    let Signer::Secret(bytes, kid) = secret() else {
        unreachable!("it is a secret")
    };
    let mut settings = settings(configured());
    settings.shared_key = shared(&secret());
    let stand = Stand::with(settings, secret());
    let header = stand.signer.header().to_string();
    let claims = stand.claims().to_string();
    let sign = |header: &str, claims: &str| {
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac))
    };
    assert_eq!(stand.verify(&sign(&header, &claims)).await.status, StatusCode::OK);
    let twice = |json: &str, member: &str| json.replacen('{', &format!("{{{member},"), 1);
    for (header, claims) in [
        (twice(&header, r#""alg":"HS256""#), claims.clone()),
        (twice(&header, &format!(r#""kid":"{kid}""#)), claims.clone()),
        (
            header.clone(),
            twice(&claims, r#""aud":"https://echo.example.com/mcp""#),
        ),
        (header.clone(), twice(&claims, r#""exp":9999999999"#)),
        (header.clone(), format!("{claims}{claims}")),
        (format!("{header} x"), claims.clone()),
    ] {
        assert_refused(&stand, &sign(&header, &claims), &format!("{header} {claims}")).await;
    }
}

#[actix_web::test]
async fn what_has_not_three_parts_is_no_token() {
    let stand = Stand::new();
    let token = stand.token();
    for text in [
        token.replace('.', ""),
        token.replacen('.', "", 1),
        format!("{token}.x"),
        format!("x.{token}"),
        format!("{token}.x.y"),
        "..".to_owned(),
        "...".to_owned(),
    ] {
        assert_refused(&stand, &text, &text).await;
    }
}
