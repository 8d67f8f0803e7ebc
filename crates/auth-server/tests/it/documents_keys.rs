//! Clients whose id is the address of their description, and whose keys are at another.

use mcp_gateway_model::secret::Digest;
use mcp_gateway_store::Store;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    assertions::{TYPE, claims, redeem},
    desk::{Answer, Desk, REDIRECT, Registered},
    publisher::{Published, Publisher},
    signer::Signer,
};

const DAY: u64 = 86_400;

async fn desk_reading(publisher: &Publisher) -> Desk {
    Desk::start_with(|settings| {
        settings.fetch = publisher.settings();
        settings.limits.fetch.burst = 100;
    })
    .await
}

/// A client that describes itself as `ChatGPT` does, with its keys at `keys`.
fn chatgpt(publisher: &Publisher, keys: &str) -> Registered {
    let id = publisher.client("/oauth/Ab-1_x/client.json", |document| {
        document["redirect_uris"] = json!([REDIRECT]);
        document["grant_types"] = json!(["authorization_code", "refresh_token"]);
        document["token_endpoint_auth_method"] = json!("private_key_jwt");
        document["token_endpoint_auth_signing_alg"] = json!("RS256");
        document["jwks_uri"] = json!(keys);
    });
    Registered {
        id,
        secret: None,
        token: String::new(),
        body: Value::Null,
    }
}

fn publish_keys(publisher: &Publisher, keys: &[Value]) {
    publisher.put("/jwks.json", Published::json(&json!({ "keys": keys })));
}

async fn refresh(desk: &Desk, token: &str, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    desk.form("/token", &form).await
}

#[actix_web::test]
async fn chatgpts_way_works_and_without_its_key_nobody_is_it() {
    let (publisher, signer) = (Publisher::start(), Signer::rs256());
    let desk = desk_reading(&publisher).await;
    let client = chatgpt(&publisher, &publisher.url("/jwks.json"));
    publish_keys(&publisher, &[signer.jwk("one")]);
    let good = signer.assertion("one", &claims(&desk, &client, &json!({})));
    let answer = redeem(&desk, &client, &good).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let token = answer.member("refresh_token");
    let again = signer.assertion("one", &claims(&desk, &client, &json!({})));
    assert_eq!(refresh(&desk, &token, &again).await.status, StatusCode::OK);
    let forged = Signer::rs256().assertion("one", &claims(&desk, &client, &json!({})));
    assert_eq!(
        redeem(&desk, &client, &forged).await.error(),
        "401 invalid_client"
    );
    let code = desk.code(&client).await;
    assert_eq!(
        desk.redeem(&client, &code, &[]).await.error(),
        "401 invalid_client"
    );
    assert_eq!(
        (
            publisher.asked("/jwks.json"),
            publisher.asked("/oauth/Ab-1_x/client.json")
        ),
        (1, 1)
    );
}

#[actix_web::test]
async fn a_key_that_is_not_known_yet_is_asked_for_at_most_once_a_minute() {
    let (publisher, old, new) = (Publisher::start(), Signer::rs256(), Signer::rs256());
    let desk = desk_reading(&publisher).await;
    let client = chatgpt(&publisher, &publisher.url("/jwks.json"));
    publish_keys(&publisher, &[old.jwk("old")]);
    let by = |signer: &Signer, kid: &str| signer.assertion(kid, &claims(&desk, &client, &json!({})));
    assert_eq!(
        redeem(&desk, &client, &by(&old, "old")).await.status,
        StatusCode::OK
    );
    publish_keys(&publisher, &[old.jwk("old"), new.jwk("new")]);
    for _ in 0..5 {
        assert_eq!(
            redeem(&desk, &client, &by(&new, "new")).await.error(),
            "401 invalid_client"
        );
    }
    assert_eq!(publisher.asked("/jwks.json"), 1);
    desk.advance(60);
    assert_eq!(
        redeem(&desk, &client, &by(&new, "new")).await.status,
        StatusCode::OK
    );
    for number in 0..5 {
        let unknown = by(&new, &format!("made up {number}"));
        assert_eq!(
            redeem(&desk, &client, &unknown).await.error(),
            "401 invalid_client"
        );
    }
    assert_eq!(publisher.asked("/jwks.json"), 2);
}

#[actix_web::test]
async fn keys_and_description_that_a_grant_needs_outlive_their_host_for_seven_days() {
    let (publisher, signer) = (Publisher::start(), Signer::rs256());
    let desk = desk_reading(&publisher).await;
    let client = chatgpt(&publisher, &publisher.url("/jwks.json"));
    publish_keys(&publisher, &[signer.jwk("one")]);
    let good = signer.assertion("one", &claims(&desk, &client, &json!({})));
    let token = redeem(&desk, &client, &good).await.member("refresh_token");
    publisher.set_down(true);
    desk.advance(6 * DAY);
    let late = signer.assertion("one", &claims(&desk, &client, &json!({})));
    let answer = refresh(&desk, &token, &late).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let kept = Digest::of(format!("keys {}", publisher.url("/jwks.json")).as_bytes());
    assert!(desk.store.document(&kept, desk.now()).await.unwrap().is_some());
    desk.advance(DAY);
    assert_eq!(desk.store.document(&kept, desk.now()).await.unwrap(), None);
    let late = signer.assertion("one", &claims(&desk, &client, &json!({})));
    let answer = refresh(&desk, &answer.member("refresh_token"), &late).await;
    assert_eq!(answer.error(), "503 temporarily_unavailable", "{}", answer.text);
}

#[actix_web::test]
async fn keys_at_an_address_that_is_not_public_are_not_asked_for() {
    let (publisher, trap, signer) = (Publisher::start(), Publisher::start(), Signer::rs256());
    let desk = Desk::start_with(|settings| {
        settings.fetch = publisher.settings();
        settings.limits.fetch.burst = 100;
    })
    .await;
    publisher.put(
        "/moved",
        Published::json(&json!({}))
            .status(302)
            .header("location", &trap.url("/x")),
    );
    for address in [
        format!("https://127.0.0.2:{}/jwks.json", trap.port),
        format!("https://0x7f.0.0.2:{}/jwks.json", trap.port),
        format!("https://[::ffff:127.0.0.2]:{}/jwks.json", trap.port),
        format!("https://127.0.0.1@127.0.0.2:{}/jwks.json", trap.port),
        format!("http://127.0.0.1:{}/jwks.json", trap.port),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        publisher.url("/moved"),
    ] {
        let client = chatgpt(&publisher, &address);
        let assertion = signer.assertion("one", &claims(&desk, &client, &json!({})));
        let answer = redeem(&desk, &client, &assertion).await;
        assert_eq!(answer.error(), "401 invalid_client", "{address} {}", answer.text);
        desk.advance(DAY);
    }
    assert_eq!(trap.asked_at_all(), 0);
}
