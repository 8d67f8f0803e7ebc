//! How long copies of descriptions are kept, how often they are read, and how many there can be.

use mcp_gateway_model::secret::Digest;
use mcp_gateway_store::Store;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    desk::{Desk, Registered},
    publisher::{Body, Published, Publisher},
};

const DAY: u64 = 86_400;

async fn desk_reading(publisher: &Publisher) -> Desk {
    Desk::start_with(|settings| {
        settings.fetch = publisher.settings();
        settings.limits.fetch.burst = 100;
    })
    .await
}

fn described(id: String) -> Registered {
    Registered {
        id,
        secret: None,
        token: String::new(),
        body: json!(null),
    }
}

/// A call that needs the description, and fails afterwards.
async fn ask(desk: &Desk, client: &Registered) -> String {
    desk.refresh(client, "mcp_rt_x", &[]).await.error()
}

#[actix_web::test]
async fn a_copy_is_used_for_as_long_as_its_server_says_from_a_minute_to_a_day() {
    let publisher = Publisher::start();
    let desk = desk_reading(&publisher).await;
    for (path, control, seconds) in [
        ("/short", "max-age=1", 60),
        ("/none", "no-store", 60),
        ("/hour", "max-age=3600", 3600),
        ("/year", "max-age=31536000", DAY),
    ] {
        let id = publisher.client(path, |_| {});
        let document = json!({ "client_id": id, "client_name": "X", "redirect_uris": ["https://client.example.com/cb"] });
        publisher.put(path, Published::json(&document).header("cache-control", control));
        let client = described(id);
        assert_eq!(ask(&desk, &client).await, "400 invalid_grant", "{path}");
        desk.advance(seconds - 1);
        ask(&desk, &client).await;
        assert_eq!(publisher.asked(path), 1, "{path}");
        desk.advance(1);
        ask(&desk, &client).await;
        assert_eq!(publisher.asked(path), 2, "{path}");
    }
}

#[actix_web::test]
async fn of_many_requests_at_once_one_reads_the_description() {
    let publisher = Publisher::start();
    let desk = desk_reading(&publisher).await;
    let client = described(publisher.client("/client.json", |_| {}));
    let calls = (0..32).map(|_| ask(&desk, &client));
    for error in futures_util::future::join_all(calls).await {
        assert_eq!(error, "400 invalid_grant");
    }
    assert_eq!(publisher.asked("/client.json"), 1);
}

#[actix_web::test]
async fn an_address_that_failed_is_not_asked_again_for_half_a_minute() {
    let publisher = Publisher::start();
    let desk = desk_reading(&publisher).await;
    for (path, published) in [
        ("/gone", Published::json(&json!({})).status(404)),
        ("/down", Published::json(&json!({})).status(503)),
        (
            "/not-json",
            Published::json(&json!({})).body(Body::Text("<html>".into())),
        ),
        ("/bad", Published::json(&json!({ "client_id": "x" }))),
    ] {
        publisher.put(path, published);
        let client = described(publisher.url(path));
        let calls = (0..8).map(|_| ask(&desk, &client));
        futures_util::future::join_all(calls).await;
        desk.advance(29);
        ask(&desk, &client).await;
        assert_eq!(publisher.asked(path), 1, "{path}");
        desk.advance(1);
        ask(&desk, &client).await;
        assert_eq!(publisher.asked(path), 2, "{path}");
    }
}

#[actix_web::test]
async fn an_address_that_names_ever_new_descriptions_has_to_wait() {
    let publisher = Publisher::start();
    let desk = Desk::start_with(|settings| {
        settings.fetch = publisher.settings();
        settings.limits.fetch.burst = 3;
    })
    .await;
    let mut last = String::new();
    for number in 0..4 {
        let client = described(publisher.client(&format!("/{number}"), |_| {}));
        last = ask(&desk, &client).await;
    }
    assert_eq!(last, "429 temporarily_unavailable");
    assert_eq!(publisher.asked_at_all(), 3);
    let known = described(publisher.url("/0"));
    assert_eq!(ask(&desk, &known).await, "400 invalid_grant");
}

#[actix_web::test]
async fn descriptions_that_nobody_needed_are_gone_when_they_are_no_longer_fresh() {
    let publisher = Publisher::start();
    let desk = desk_reading(&publisher).await;
    let (used, unused) = (
        publisher.client("/used", |_| {}),
        publisher.client("/unused", |_| {}),
    );
    let (used, unused) = (described(used), described(unused));
    desk.tokens(&used).await;
    ask(&desk, &unused).await;
    let there = async |client: &Registered| {
        let key = Digest::of(format!("client {}", client.id).as_bytes());
        desk.store.document(&key, desk.now()).await.unwrap().is_some()
    };
    assert!(there(&used).await && there(&unused).await);
    desk.advance(DAY);
    assert!(there(&used).await && !there(&unused).await);
    desk.advance(6 * DAY);
    assert!(!there(&used).await);
}

#[actix_web::test]
async fn copies_that_nobody_needed_make_room_for_each_other_and_for_nobody_else() {
    let publisher = Publisher::start();
    let desk = Desk::start_with(|settings| {
        settings.fetch = publisher.settings();
        settings.fetch.unused_copies = 3;
        settings.limits.fetch.burst = 100;
    })
    .await;
    let used = described(publisher.client("/used", |_| {}));
    desk.tokens(&used).await;
    let mut left = Vec::new();
    for number in 0..8 {
        desk.advance(1);
        ask(&desk, &described(publisher.client(&format!("/{number}"), |_| {}))).await;
    }
    for path in ["/used".to_owned()]
        .into_iter()
        .chain((0..8).map(|n| format!("/{n}")))
    {
        let key = Digest::of(format!("client {}", publisher.url(&path)).as_bytes());
        if desk.store.document(&key, desk.now()).await.unwrap().is_some() {
            left.push(path);
        }
    }
    assert_eq!(left, ["/used", "/5", "/6", "/7"]);
}

#[actix_web::test]
async fn what_is_no_document_is_refused_before_it_is_read_whole() {
    let publisher = Publisher::start();
    let desk = desk_reading(&publisher).await;
    let good = |path: &str| json!({ "client_id": publisher.url(path), "client_name": "X", "redirect_uris": ["https://a.example.com/cb"] });
    let padded = |path: &str, length: usize| {
        let text = good(path).to_string();
        Body::Text(format!("{text}{}", " ".repeat(length - text.len())))
    };
    for (path, published, told) in [
        (
            "/large",
            Published::json(&good("/large")).body(padded("/large", 5121)),
            "more than 5120 bytes",
        ),
        (
            "/endless",
            Published::json(&json!({})).body(Body::Endless),
            "more than 5120 bytes",
        ),
        (
            "/html",
            Published::json(&good("/html")).header("content-type", "text/html"),
            "Content-Type",
        ),
        (
            "/plain",
            Published::json(&good("/plain")).header("content-type", "text/plain; x=application/json"),
            "Content-Type",
        ),
        (
            "/gzip",
            Published::json(&good("/gzip")).header("content-encoding", "gzip"),
            "compresses",
        ),
        (
            "/other",
            Published::json(&good("/other")).status(201),
            "status 201",
        ),
        (
            "/moved",
            Published::json(&good("/moved"))
                .status(302)
                .header("location", "/large"),
            "redirects",
        ),
        (
            "/kept",
            Published::json(&good("/kept"))
                .status(307)
                .header("location", "/large"),
            "redirects",
        ),
        (
            "/forbidden",
            Published::json(&good("/forbidden")).status(403),
            "status 403",
        ),
    ] {
        publisher.put(path, published);
        let answer = desk.refresh(&described(publisher.url(path)), "x", &[]).await;
        assert_eq!(answer.error(), "401 invalid_client", "{path} {}", answer.text);
        assert!(answer.text.contains(told), "{path} {}", answer.text);
        assert_eq!(publisher.asked(path), 1, "{path}");
    }
    let exact = Published::json(&json!({})).body(padded("/exact", 5120));
    publisher.put(
        "/exact",
        exact.header("content-type", "application/client+json; charset=utf-8"),
    );
    assert_eq!(
        ask(&desk, &described(publisher.url("/exact"))).await,
        "400 invalid_grant"
    );
    let status = desk
        .refresh(&described(publisher.url("/nowhere")), "x", &[])
        .await;
    assert_eq!(status.status, StatusCode::UNAUTHORIZED, "{}", status.text);
}
