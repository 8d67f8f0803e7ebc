//! Clients that sign, and whose keys are at an address: <https://www.rfc-editor.org/rfc/rfc7591#section-2>, `jwks_uri`.

use mcp_gateway_auth_server::Settings;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    assertions::{TYPE, claims, redeem, redeem_saying},
    desk::{Answer, Desk, REDIRECT, Registered},
    publisher::{Body, Published, Publisher},
    signer::Signer,
};

const KEYS: &str = "/jwks.json";

fn reading(publisher: &Publisher) -> impl FnOnce(&mut Settings) {
    let fetch = publisher.settings();
    move |settings| {
        settings.fetch = fetch;
        settings.offers.metadata_documents = true;
    }
}

fn publish(publisher: &Publisher, keys: &Value) {
    publisher.put(KEYS, Published::json(&json!({ "keys": keys })));
}

/// A client that registered, and says where its keys are.
async fn client(desk: &Desk, publisher: &Publisher) -> Registered {
    let metadata = json!({
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": publisher.url(KEYS),
    });
    let client = desk.register(&metadata).await;
    assert_eq!(client.body["jwks_uri"], publisher.url(KEYS));
    client
}

async fn redeem_with(desk: &Desk, client: &Registered, signer: &Signer, kid: &str) -> Answer {
    let assertion = signer.assertion(kid, &claims(desk, client, &json!({})));
    redeem(desk, client, &assertion).await
}

#[actix_web::test]
async fn a_client_that_is_described_at_an_address_signs_with_rs256_as_chatgpt_does() {
    let (publisher, signer) = (Publisher::start(), Signer::rs256());
    let mut key = signer.jwk("one");
    key["alg"] = json!("RS256");
    key["use"] = json!("sig");
    publish(&publisher, &json!([key]));
    let id = publisher.client("/oauth/abc/client.json", |document| {
        document["redirect_uris"] = json!([REDIRECT]);
        document["token_endpoint_auth_method"] = json!("private_key_jwt");
        document["token_endpoint_auth_signing_alg"] = json!("RS256");
        document["jwks_uri"] = json!(publisher.url(KEYS));
    });
    let desk = Desk::start_with(reading(&publisher)).await;
    let client = Registered {
        id,
        secret: None,
        token: String::new(),
        body: Value::Null,
    };
    let answer = redeem_saying(&desk, &client, &signer, &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let (token, refresh) = (answer.member("access_token"), answer.member("refresh_token"));
    let assertion = || signer.assertion("one", &claims(&desk, &client, &json!({})));
    let refreshed = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
        ("client_assertion_type", TYPE),
        ("client_assertion", &assertion()),
    ];
    let answer = desk.form("/token", &refreshed).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let revoked = [
        ("token", token.as_str()),
        ("client_id", &client.id),
        ("client_assertion_type", TYPE),
        ("client_assertion", &assertion()),
    ];
    assert_eq!(desk.form("/revoke", &revoked).await.status, StatusCode::OK);
    // and it cannot do without
    let unsigned = [("token", token.as_str()), ("client_id", &client.id)];
    assert_eq!(
        desk.form("/revoke", &unsigned).await.error(),
        "401 invalid_client"
    );
    assert_eq!(publisher.asked(KEYS), 1);
}

#[actix_web::test]
async fn a_new_key_is_noticed_and_an_unknown_one_makes_nobody_ask_more_than_once_a_minute() {
    let (publisher, old, new) = (Publisher::start(), Signer::eddsa(), Signer::es256());
    publish(&publisher, &json!([old.jwk("old")]));
    let desk = Desk::start_with(reading(&publisher)).await;
    let client = client(&desk, &publisher).await;
    assert_eq!(
        redeem_with(&desk, &client, &old, "old").await.status,
        StatusCode::OK
    );
    publish(&publisher, &json!([new.jwk("new")]));
    desk.advance(61);
    assert_eq!(
        redeem_with(&desk, &client, &new, "new").await.status,
        StatusCode::OK
    );
    assert_eq!(publisher.asked(KEYS), 2);
    for _ in 0..3 {
        let answer = redeem_with(&desk, &client, &old, "old").await;
        assert_eq!(answer.error(), "401 invalid_client");
    }
    assert_eq!(publisher.asked(KEYS), 2);
}

#[actix_web::test]
async fn keys_that_cannot_be_read_now_are_503_and_never_invalid_client() {
    let (publisher, signer) = (Publisher::start(), Signer::eddsa());
    let desk = Desk::start_with(reading(&publisher)).await;
    let client = client(&desk, &publisher).await;
    publish(&publisher, &json!([signer.jwk("one")]));
    let slow = |body| {
        let keys = Published::json(&json!({ "keys": [signer.jwk("one")] }));
        publisher.put(KEYS, keys.body(body));
    };
    let refused = async |what: &str| {
        let answer = redeem_with(&desk, &client, &signer, "one").await;
        assert_eq!(
            answer.error(),
            "503 temporarily_unavailable",
            "{what}: {}",
            answer.text
        );
        assert_eq!(answer.header("retry-after"), "60", "{what}");
        desk.advance(61);
    };
    publisher.set_down(true);
    refused("down").await;
    publisher.set_down(false);
    for (what, body) in [("silent", Body::Silence), ("a trickle", Body::Trickle)] {
        slow(body);
        refused(what).await;
    }
    publish(&publisher, &json!([signer.jwk("one")]));
    let answer = redeem_with(&desk, &client, &signer, "one").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[actix_web::test]
async fn what_is_too_large_or_no_set_of_public_keys_proves_nobody() {
    let (publisher, signer) = (Publisher::start(), Signer::eddsa());
    let desk = Desk::start_with(reading(&publisher)).await;
    let client = client(&desk, &publisher).await;
    let keys = Published::json(&json!({ "keys": [signer.jwk("one")] }));
    let mut private = signer.jwk("one");
    private["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let ten_megabytes = json!({ "keys": [signer.jwk("one")], "more": "x".repeat(10 << 20) });
    for (what, published) in [
        ("10 MB", Published::json(&ten_megabytes)),
        ("10 MB of nothing", keys.clone().body(Body::Endless)),
        ("no JSON", keys.clone().body(Body::Text("keys".into()))),
        ("a page", keys.clone().header("content-type", "text/html")),
        ("no keys", Published::json(&json!({ "keys": [] }))),
        ("a private key", Published::json(&json!({ "keys": [private] }))),
        (
            "a redirect",
            keys.clone()
                .status(302)
                .header("location", &publisher.url("/elsewhere")),
        ),
        ("nothing there", keys.clone().status(404)),
    ] {
        publisher.put(KEYS, published);
        let answer = redeem_with(&desk, &client, &signer, "one").await;
        assert_eq!(answer.error(), "401 invalid_client", "{what}: {}", answer.text);
        desk.advance(61);
    }
    assert_eq!(publisher.asked("/elsewhere"), 0);
    publisher.put(KEYS, keys);
    let answer = redeem_with(&desk, &client, &signer, "one").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[actix_web::test]
async fn an_address_that_is_not_public_is_not_asked_for_keys() {
    let (publisher, signer) = (Publisher::start(), Signer::eddsa());
    publish(&publisher, &json!([signer.jwk("one")]));
    let trusted = publisher.trusted();
    let desk = Desk::start_with(|settings| settings.fetch = trusted).await;
    let client = client(&desk, &publisher).await;
    let answer = redeem_with(&desk, &client, &signer, "one").await;
    assert_ne!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(publisher.asked_at_all(), 0);
}

#[actix_web::test]
async fn an_address_of_keys_is_https_and_beside_no_keys() {
    let desk = Desk::start().await;
    let key = Signer::eddsa().jwk("one");
    for (members, named) in [
        (
            json!({ "jwks_uri": "http://client.example.com/jwks" }),
            "jwks_uri must be an https URL",
        ),
        (
            json!({ "jwks_uri": "https://user@client.example.com/jwks" }),
            "jwks_uri must be",
        ),
        (
            json!({ "jwks_uri": "https://client.example.com/jwks#a" }),
            "jwks_uri must be",
        ),
        (json!({ "jwks_uri": "x" }), "jwks_uri must be"),
        (
            json!({ "jwks_uri": "https://client.example.com/jwks", "jwks": { "keys": [key] } }),
            "must not be sent both",
        ),
    ] {
        let mut metadata =
            json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "private_key_jwt" });
        metadata
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        let answer = desk.send_json(Method::POST, "/register", &[], &metadata).await;
        assert_eq!(answer.error(), "400 invalid_client_metadata", "{members}");
        assert!(
            answer.member("error_description").contains(named),
            "{}",
            answer.text
        );
    }
}
