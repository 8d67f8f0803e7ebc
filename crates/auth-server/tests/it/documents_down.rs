//! A client whose description cannot be read now.

use std::time::Duration;

use mcp_gateway_model::id::ClientId;
use mcp_gateway_store::Rate;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    desk::{Desk, Registered},
    publisher::{Body, Published, Publisher},
};

const DAY: u64 = 86_400;

async fn desk_reading(publisher: &Publisher) -> Desk {
    Desk::start_with(|settings| settings.fetch = publisher.settings()).await
}

/// The client with this id, as the desk's own registrations are.
fn described(id: &str) -> Registered {
    Registered {
        id: id.to_owned(),
        secret: None,
        token: String::new(),
        body: json!(null),
    }
}

fn client(publisher: &Publisher) -> Registered {
    let id = publisher.client("/client.json", |document| {
        document["redirect_uris"] = json!([crate::support::desk::REDIRECT]);
    });
    described(&id)
}

#[actix_web::test]
async fn the_last_good_copy_serves_refreshes_for_seven_days_and_then_the_client_is_told_to_wait() {
    let publisher = Publisher::start();
    let desk = desk_reading(&publisher).await;
    let client = client(&publisher);
    let (_, mut refresh) = desk.tokens(&client).await;
    publisher.set_down(true);
    for _ in 0..6 {
        desk.advance(DAY);
        let answer = desk.refresh(&client, &refresh, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        refresh = answer.member("refresh_token");
    }
    desk.advance(DAY);
    let answer = desk.refresh(&client, &refresh, &[]).await;
    assert_eq!(answer.error(), "503 temporarily_unavailable", "{}", answer.text);
    assert_eq!(answer.header("retry-after"), "60");
    publisher.set_down(false);
    desk.advance(31);
    let answer = desk.refresh(&client, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[actix_web::test]
async fn an_address_that_failed_costs_a_permit_although_it_was_read_before_and_the_copy_does_without() {
    let publisher = Publisher::start();
    let desk = Desk::start_with(|settings| {
        settings.fetch = publisher.settings();
        settings.limits.fetch = Rate {
            count: 1,
            period: Duration::from_secs(10 * DAY),
            burst: 1,
        };
    })
    .await;
    let client = client(&publisher);
    let (_, mut refresh) = desk.tokens(&client).await;
    publisher.set_down(true);
    desk.advance(DAY + 1);
    for _ in 0..3 {
        let answer = desk.refresh(&client, &refresh, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        refresh = answer.member("refresh_token");
        assert_eq!(publisher.asked("/client.json"), 2);
        desk.advance(31);
    }
}

#[actix_web::test]
async fn a_host_that_is_gone_altogether_is_the_same() {
    let publisher = Publisher::start();
    let desk = desk_reading(&publisher).await;
    let client = client(&publisher);
    let (_, refresh) = desk.tokens(&client).await;
    drop(publisher);
    desk.advance(DAY + 1);
    let answer = desk.refresh(&client, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[actix_web::test]
async fn without_a_fresh_copy_nobody_is_asked_for_consent() {
    let publisher = Publisher::start();
    let desk = desk_reading(&publisher).await;
    let client = client(&publisher);
    desk.tokens(&client).await;
    publisher.set_down(true);
    desk.advance(DAY + 1);
    let id = ClientId::parse(&client.id).unwrap();
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", id.as_str())
        .append_pair("response_type", "code")
        .finish();
    let page = desk
        .send(
            reqwest::Method::GET,
            &format!("/authorize?{query}"),
            &[("host", "auth.example.com")],
        )
        .await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.text);
    assert_eq!(page.header("retry-after"), "60");
    assert!(page.text.contains("Not possible right now"), "{}", page.text);
}

#[actix_web::test]
async fn a_client_that_was_never_seen_and_cannot_be_read_is_told_to_wait_and_never_that_it_is_invalid() {
    let publisher = Publisher::start();
    let desk = desk_reading(&publisher).await;
    let client = client(&publisher);
    publisher.set_down(true);
    for _ in 0..3 {
        let answer = desk.refresh(&client, "mcp_rt_x", &[]).await;
        assert_eq!(answer.error(), "503 temporarily_unavailable", "{}", answer.text);
    }
    assert_eq!(publisher.asked("/client.json"), 1);
    publisher.set_down(false);
    desk.advance(31);
    assert_eq!(
        desk.refresh(&client, "mcp_rt_x", &[]).await.error(),
        "400 invalid_grant"
    );
}

#[actix_web::test]
async fn a_description_that_became_invalid_is_not_replaced_by_the_copy() {
    let publisher = Publisher::start();
    let desk = desk_reading(&publisher).await;
    let client = client(&publisher);
    let (_, refresh) = desk.tokens(&client).await;
    publisher.client("/client.json", |document| {
        document["client_id"] = json!("https://evil.example.com/x");
    });
    desk.advance(DAY + 1);
    let answer = desk.refresh(&client, &refresh, &[]).await;
    assert_eq!(answer.error(), "401 invalid_client", "{}", answer.text);
}

#[actix_web::test]
async fn a_server_that_takes_its_time_is_waited_for_three_seconds() {
    let publisher = Publisher::start();
    let desk = desk_reading(&publisher).await;
    for (path, body) in [("/silent", Body::Silence), ("/slow", Body::Trickle)] {
        publisher.put(path, Published::json(&json!({})).body(body));
    }
    let begun = tokio::time::Instant::now();
    let (silent, slow) = (
        described(&publisher.url("/silent")),
        described(&publisher.url("/slow")),
    );
    let answers =
        futures_util::future::join(desk.refresh(&silent, "x", &[]), desk.refresh(&slow, "x", &[])).await;
    for answer in [answers.0, answers.1] {
        assert_eq!(answer.error(), "503 temporarily_unavailable", "{}", answer.text);
        assert!(answer.text.contains("takes too long"), "{}", answer.text);
    }
    let took = begun.elapsed();
    assert!(took.as_millis() >= 2900 && took.as_secs() < 8, "{took:?}");
}
