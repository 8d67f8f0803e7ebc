//! What signs an assertion, and which keys count: <https://www.rfc-editor.org/rfc/rfc7523#section-3>.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{
    assertions::{claims, client_of, client_with, redeem, redeem_saying},
    desk::{Desk, REDIRECT},
    signer::{Signer, message},
};

#[actix_web::test]
async fn a_signature_by_another_key_or_of_another_text_proves_nothing() {
    let desk = Desk::start_with(|settings| settings.limits.client_failures.burst = 100).await;
    for signer in Signer::all() {
        let client = client_of(&desk, &signer).await;
        let good = claims(&desk, &client, &json!({}));
        let header = json!({ "alg": signer.alg(), "kid": "one" });
        for stranger in Signer::all() {
            let answer = redeem(&desk, &client, &stranger.sign(&header, &good)).await;
            assert_eq!(
                answer.error(),
                "401 invalid_client",
                "{} by {}",
                signer.alg(),
                stranger.alg()
            );
        }
        let signed = signer.sign(&header, &good);
        let (_, signature) = signed.rsplit_once('.').unwrap();
        let later = claims(&desk, &client, &json!({ "jti": "changed" }));
        let text = message(&header, &later);
        for assertion in [
            format!("{text}.{signature}"),
            format!("{text}."),
            format!("{text}.{}", "A".repeat(signature.len())),
            text.clone(),
            format!("{signed}.{signature}"),
            format!(".{signature}"),
            "x".to_owned(),
            "a.b.c".to_owned(),
        ] {
            let answer = redeem(&desk, &client, &assertion).await;
            assert_eq!(answer.error(), "401 invalid_client", "{assertion}");
        }
        assert_eq!(redeem(&desk, &client, &signed).await.status, StatusCode::OK);
    }
}

#[actix_web::test]
async fn the_algorithm_is_the_keys_own_whatever_the_assertion_says() {
    let desk = Desk::start_with(|settings| settings.limits.client_failures.burst = 100).await;
    for signer in Signer::all() {
        let mut jwk = signer.jwk("one");
        jwk["alg"] = json!(signer.alg());
        let client = client_with(&desk, &json!([jwk])).await;
        let good = claims(&desk, &client, &json!({}));
        for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
            if alg == signer.alg() {
                continue;
            }
            let assertion = signer.sign(&json!({ "alg": alg, "kid": "one" }), &good);
            let answer = redeem(&desk, &client, &assertion).await;
            assert_eq!(
                answer.error(),
                "401 invalid_client",
                "{alg} under a key for {}",
                signer.alg()
            );
        }
        let secrets = [
            signer.public_der(),
            signer.jwk("one").to_string().into_bytes(),
            Vec::new(),
        ];
        for secret in secrets {
            let text = message(&json!({ "alg": "HS256", "kid": "one" }), &good);
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), text.as_bytes());
            let assertion = format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag));
            assert_eq!(
                redeem(&desk, &client, &assertion).await.error(),
                "401 invalid_client"
            );
        }
        for alg in ["none", "None", "RS384", "RS512", "ES384", "HS512", "rs256", ""] {
            let header = json!({ "alg": alg, "kid": "one" });
            let unsigned = format!("{}.", message(&header, &good));
            for assertion in [unsigned, signer.sign(&header, &good)] {
                assert_eq!(
                    redeem(&desk, &client, &assertion).await.error(),
                    "401 invalid_client",
                    "{alg}"
                );
            }
        }
    }
}

#[actix_web::test]
async fn a_header_that_asks_for_more_than_is_understood_is_refused() {
    let (desk, signer) = (Desk::start().await, Signer::eddsa());
    let client = client_of(&desk, &signer).await;
    for (header, status) in [
        (json!({ "alg": "EdDSA" }), 200),
        (
            json!({ "alg": "EdDSA", "kid": "one", "typ": "client-authentication+jwt" }),
            200,
        ),
        (json!({ "alg": "EdDSA", "kid": "one", "typ": "at+jwt" }), 401),
        (
            json!({ "alg": "EdDSA", "kid": "one", "crit": ["b64"], "b64": false }),
            401,
        ),
        (json!({ "alg": "EdDSA", "kid": "two" }), 401),
        (json!({ "alg": "EdDSA", "jwk": Signer::eddsa().jwk("two") }), 200),
        (json!({ "kid": "one" }), 401),
    ] {
        let assertion = signer.sign(&header, &claims(&desk, &client, &json!({})));
        let answer = redeem(&desk, &client, &assertion).await;
        assert_eq!(answer.status.as_u16(), status, "{header}: {}", answer.text);
    }
    // a key that the assertion brings along is not one of the client's
    let stranger = Signer::eddsa();
    let header = json!({ "alg": "EdDSA", "jwk": stranger.jwk("one") });
    let assertion = stranger.sign(&header, &claims(&desk, &client, &json!({})));
    assert_eq!(
        redeem(&desk, &client, &assertion).await.error(),
        "401 invalid_client"
    );
}

#[actix_web::test]
async fn keys_are_changed_by_a_client_that_manages_its_registration() {
    let desk = Desk::start().await;
    let (old, new) = (Signer::eddsa(), Signer::es256());
    let client = client_of(&desk, &old).await;
    let bearer = format!("Bearer {}", client.token);
    let metadata = json!({
        "client_id": client.id,
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [new.jwk("one")] },
    });
    let path = format!("/register/{}", client.id);
    let answer = desk
        .send_json(Method::PUT, &path, &[("authorization", &bearer)], &metadata)
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["jwks"], metadata["jwks"]);
    assert_eq!(answer.json().get("client_secret"), None);
    let answer = redeem_saying(&desk, &client, &old, &json!({})).await;
    assert_eq!(answer.error(), "401 invalid_client");
    let answer = redeem_saying(&desk, &client, &new, &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[actix_web::test]
async fn whoever_guesses_signatures_is_slowed_down_and_the_client_is_not() {
    let (desk, signer) = (Desk::start().await, Signer::eddsa());
    let client = client_of(&desk, &signer).await;
    let mut answers = Vec::new();
    for _ in 0..12 {
        let forged = Signer::eddsa().assertion("one", &claims(&desk, &client, &json!({})));
        answers.push(redeem(&desk, &client, &forged).await.status.as_u16());
    }
    assert_eq!((answers[0], answers[11]), (401, 429));
    let answer = redeem_saying(&desk, &client, &signer, &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[actix_web::test]
async fn keys_are_looked_at_when_they_are_registered() {
    let desk = Desk::start().await;
    let signer = Signer::eddsa();
    let mut private = signer.jwk("one");
    private["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    for (changes, named) in [
        (json!({}), "jwks or jwks_uri must be sent"),
        (json!({ "jwks": [] }), "jwks must be an object"),
        (
            json!({ "jwks": { "keys": [] } }),
            "jwks must have a key for signatures",
        ),
        (
            json!({ "jwks": { "keys": [private] } }),
            "jwks must have public keys only",
        ),
        (
            json!({ "jwks": { "keys": vec![signer.jwk("one"); 21] } }),
            "at most 20 keys",
        ),
        (
            json!({ "jwks": { "keys": [signer.jwk("one")] }, "token_endpoint_auth_signing_alg": "HS256" }),
            "token_endpoint_auth_signing_alg must be",
        ),
        (
            json!({ "jwks": { "keys": [signer.jwk("one")], "more": "x".repeat(9000) } }),
            "at most 8192 bytes",
        ),
    ] {
        let mut metadata =
            json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "private_key_jwt" });
        metadata
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        let answer = desk.send_json(Method::POST, "/register", &[], &metadata).await;
        assert_eq!(answer.error(), "400 invalid_client_metadata", "{changes}");
        assert!(
            answer.member("error_description").contains(named),
            "{}",
            answer.text
        );
    }
}
