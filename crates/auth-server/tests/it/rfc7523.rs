//! Clients that prove who they are by a signed assertion, and what it has to say:
//! <https://www.rfc-editor.org/rfc/rfc7523>.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_store::EmbeddedStore;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    assertions::{ISSUER, TYPE, claims, client_of, redeem, redeem_code, redeem_saying},
    desk::Desk,
    fragile::Fragile,
    set::settings,
    signer::Signer,
};

#[actix_web::test]
async fn every_algorithm_that_is_offered_proves_a_client() {
    let desk = Desk::start().await;
    let metadata = desk.get("/.well-known/oauth-authorization-server").await.json();
    let mut offered = Vec::new();
    for signer in Signer::all() {
        offered.push(signer.alg());
        let client = client_of(&desk, &signer).await;
        assert_eq!(client.secret, None);
        assert_eq!(client.body["client_secret_expires_at"], 0);
        let answer = redeem_saying(&desk, &client, &signer, &json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}: {}", signer.alg(), answer.text);
        let refresh = answer.member("refresh_token");
        let assertion = signer.assertion("one", &claims(&desk, &client, &json!({})));
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
            ("client_id", &client.id),
            ("client_assertion_type", TYPE),
            ("client_assertion", &assertion),
        ];
        let answer = desk.form("/token", &form).await;
        assert_eq!(answer.status, StatusCode::OK, "{}: {}", signer.alg(), answer.text);
    }
    for endpoint in ["token", "revocation", "introspection"] {
        let algorithms = &metadata[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
        assert_eq!(algorithms, &json!(offered), "{endpoint}");
        let methods = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
        assert!(
            methods.as_array().unwrap().contains(&json!("private_key_jwt")),
            "{endpoint}"
        );
    }
}

#[actix_web::test]
async fn an_assertion_is_for_the_issuer_or_its_token_endpoint_alone() {
    let (desk, signer) = (Desk::start().await, Signer::eddsa());
    let client = client_of(&desk, &signer).await;
    for good in [
        json!(ISSUER),
        json!("https://auth.example.com/token"),
        json!("https://auth.example.com/oauth/token"),
    ] {
        let answer = redeem_saying(&desk, &client, &signer, &json!({ "aud": good })).await;
        assert_eq!(answer.status, StatusCode::OK, "{good}: {}", answer.text);
    }
    for bad in [
        json!([ISSUER]),
        json!([ISSUER, "https://evil.example.net"]),
        json!("https://auth.example.com/"),
        json!("https://AUTH.example.com"),
        json!("https://auth.example.com/introspect"),
        json!("https://echo.example.com/mcp"),
        json!("https://evil.example.net"),
        json!(""),
        json!(1),
        json!({}),
    ] {
        let answer = redeem_saying(&desk, &client, &signer, &json!({ "aud": bad })).await;
        assert_eq!(answer.error(), "401 invalid_client", "{bad}");
    }
    let answer = redeem_saying(&desk, &client, &signer, &json!({ "aud": null })).await;
    assert_eq!(answer.error(), "401 invalid_client");
}

#[actix_web::test]
async fn an_assertion_lives_five_minutes_at_most_and_ends_on_time() {
    let (desk, signer) = (Desk::start().await, Signer::es256());
    let client = client_of(&desk, &signer).await;
    let now = desk.now().secs();
    for (changes, status) in [
        (json!({ "exp": now + 300 }), 200),
        (json!({ "exp": now + 301 }), 401),
        (json!({ "exp": now + 86_400 }), 401),
        (json!({ "exp": now + 1 }), 200),
        (json!({ "exp": now }), 401),
        (json!({ "exp": now - 1 }), 401),
        (json!({ "exp": null }), 401),
        (json!({ "exp": "soon" }), 401),
        (json!({ "exp": -1 }), 401),
        (json!({ "exp": 1e300 }), 401),
        (json!({ "exp": 1_800_000_060.5 }), 200),
        (json!({ "iat": null }), 200),
        (json!({ "iat": now + 60, "nbf": now + 60 }), 200),
        (json!({ "iat": now + 61 }), 401),
        (json!({ "nbf": now + 61 }), 401),
        (json!({ "nbf": "now" }), 401),
    ] {
        let answer = redeem_saying(&desk, &client, &signer, &changes).await;
        assert_eq!(answer.status.as_u16(), status, "{changes}: {}", answer.text);
    }
}

#[actix_web::test]
async fn an_assertion_is_about_the_client_that_sends_it() {
    let (desk, signer) = (Desk::start().await, Signer::eddsa());
    let (client, other) = (client_of(&desk, &signer).await, client_of(&desk, &signer).await);
    for changes in [
        json!({ "iss": other.id }),
        json!({ "sub": other.id }),
        json!({ "iss": null }),
        json!({ "sub": null }),
        json!({ "iss": ISSUER }),
        json!({ "sub": "583231" }),
    ] {
        let answer = redeem_saying(&desk, &client, &signer, &changes).await;
        assert_eq!(answer.error(), "401 invalid_client", "{changes}");
    }
    let assertion = signer.assertion("one", &claims(&desk, &client, &json!({})));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", "mcp_ac_x"),
        ("client_id", &other.id),
        ("client_assertion_type", TYPE),
        ("client_assertion", &assertion),
    ];
    let answer = desk.form("/token", &form).await;
    assert_eq!(answer.error(), "401 invalid_client");
    // and what one client proved redeems nothing of another
    let code = desk.code(&other).await;
    let assertion = signer.assertion("one", &claims(&desk, &client, &json!({})));
    let answer = redeem_code(&desk, &code, &assertion).await;
    assert_eq!(answer.error(), "400 invalid_grant");
}

#[actix_web::test]
async fn an_assertion_is_used_once_and_only_a_good_one_is_used_up() {
    let (desk, signer) = (Desk::start().await, Signer::eddsa());
    let (client, other) = (client_of(&desk, &signer).await, client_of(&desk, &signer).await);
    let good = claims(&desk, &client, &json!({ "jti": "once" }));
    let assertion = signer.assertion("one", &good);
    let forged = Signer::eddsa().assertion("one", &good);
    let elsewhere = claims(
        &desk,
        &client,
        &json!({ "jti": "once", "aud": "https://evil.example.net" }),
    );
    for bad in [forged, signer.assertion("one", &elsewhere)] {
        assert_eq!(redeem(&desk, &client, &bad).await.error(), "401 invalid_client");
    }
    assert_eq!(redeem(&desk, &client, &assertion).await.status, StatusCode::OK);
    assert_eq!(
        redeem(&desk, &client, &assertion).await.error(),
        "401 invalid_client"
    );
    // another assertion with the same name is a replay too, but not one of another client
    let renamed = json!({ "jti": "once", "exp": desk.now().secs() + 200 });
    let answer = redeem_saying(&desk, &client, &signer, &renamed).await;
    assert_eq!(answer.error(), "401 invalid_client");
    let answer = redeem_saying(&desk, &other, &signer, &renamed).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    desk.advance(60);
    assert_eq!(
        redeem(&desk, &client, &assertion).await.error(),
        "401 invalid_client"
    );
}

#[actix_web::test]
async fn an_assertion_needs_a_name_of_reasonable_length() {
    let (desk, signer) = (Desk::start().await, Signer::eddsa());
    let client = client_of(&desk, &signer).await;
    for (jti, status) in [
        (json!(null), 401),
        (json!(""), 401),
        (json!(7), 401),
        (json!("j".repeat(257)), 401),
        (json!("j".repeat(256)), 200),
    ] {
        let answer = redeem_saying(&desk, &client, &signer, &json!({ "jti": jti })).await;
        assert_eq!(answer.status.as_u16(), status, "{jti}: {}", answer.text);
    }
}

#[actix_web::test]
async fn an_assertion_that_one_replica_took_is_a_replay_at_another() {
    let store = Arc::new(Fragile::new(EmbeddedStore::in_memory().unwrap()));
    let one = Desk::start_on(Arc::clone(&store), settings()).await;
    let two = Desk::start_on(store, settings()).await;
    let signer = Signer::eddsa();
    let client = client_of(&one, &signer).await;
    let assertion = signer.assertion("one", &claims(&one, &client, &json!({})));
    assert_eq!(redeem(&one, &client, &assertion).await.status, StatusCode::OK);
    assert_eq!(
        redeem(&two, &client, &assertion).await.error(),
        "401 invalid_client"
    );
}

#[actix_web::test]
async fn of_16_uses_of_an_assertion_at_once_one_succeeds() {
    let (desk, signer) = (Desk::start().await, Signer::eddsa());
    let client = client_of(&desk, &signer).await;
    let assertion = signer.assertion("one", &claims(&desk, &client, &json!({})));
    let answers = (0..16).map(|_| redeem(&desk, &client, &assertion));
    let answers = futures_util::future::join_all(answers).await;
    let good = answers.iter().filter(|answer| answer.status == StatusCode::OK);
    assert_eq!(good.count(), 1);
}

#[actix_web::test]
async fn a_client_that_signs_cannot_do_without_and_others_cannot_sign() {
    let (desk, signer) = (Desk::start().await, Signer::eddsa());
    let client = client_of(&desk, &signer).await;
    let others = [desk.public_client().await, desk.confidential_client().await];
    for form in [
        vec![("client_id", client.id.as_str())],
        vec![("client_id", client.id.as_str()), ("client_secret", "x")],
    ] {
        for path in ["/token", "/revoke", "/introspect"] {
            let mut form = form.clone();
            form.extend([
                ("grant_type", "authorization_code"),
                ("code", "mcp_ac_x"),
                ("token", "x"),
            ]);
            let answer = desk.form(path, &form).await;
            assert_eq!(answer.error(), "401 invalid_client", "{path} {form:?}");
        }
    }
    for other in &others {
        let assertion = signer.assertion("one", &claims(&desk, other, &json!({})));
        assert_eq!(
            redeem(&desk, other, &assertion).await.error(),
            "401 invalid_client"
        );
    }
    let assertion = signer.assertion("one", &claims(&desk, &client, &json!({})));
    let both = [
        ("grant_type", "authorization_code"),
        ("client_id", &client.id),
        ("client_secret", "x"),
        ("client_assertion_type", TYPE),
        ("client_assertion", &assertion),
    ];
    assert_eq!(desk.form("/token", &both).await.error(), "400 invalid_request");
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:x", client.id)));
    let answer = desk
        .form_with("/token", &[("authorization", &basic)], &both[3..])
        .await;
    assert_eq!(answer.error(), "400 invalid_request");
    for half in [&both[3..4], &both[4..]] {
        assert_eq!(desk.form("/token", half).await.error(), "400 invalid_request");
    }
    let other_kind = [
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
        ),
        ("client_assertion", assertion.as_str()),
    ];
    assert_eq!(
        desk.form("/token", &other_kind).await.error(),
        "401 invalid_client"
    );
}

#[actix_web::test]
async fn a_client_that_signs_revokes_and_introspects_its_own_tokens() {
    let (desk, signer) = (Desk::start().await, Signer::es256());
    let client = client_of(&desk, &signer).await;
    let token = redeem_saying(&desk, &client, &signer, &json!({}))
        .await
        .member("access_token");
    let call = async |path: &str| {
        let assertion = signer.assertion("one", &claims(&desk, &client, &json!({})));
        let form = [
            ("token", token.as_str()),
            ("client_assertion_type", TYPE),
            ("client_assertion", &assertion),
        ];
        desk.form(path, &form).await
    };
    assert_eq!(call("/introspect").await.json()["active"], true);
    assert_eq!(call("/revoke").await.status, StatusCode::OK);
    assert_eq!(call("/introspect").await.json()["active"], false);
}
