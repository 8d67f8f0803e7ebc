//! The protected REST API, behind a gateway that says who is calling.

use mcp_gateway_model::secret::Digest;
use mcp_gateway_sandbox::mcp::{MOST_ITEMS, Options};
use reqwest::Method;
use serde_json::{Value, json};

use crate::sample::{HUBOT, OCTOCAT, Person, Sample, problem};

const DATA: &str = "/api/data";

#[tokio::test]
async fn the_profile_tells_who_is_calling_and_how_much_they_keep() {
    let sample = Sample::start();
    sample.keep(OCTOCAT, &json!({ "name": "a", "value": 1 })).await;
    let answer = sample.ask_as(OCTOCAT, Method::GET, "/api/user/profile");
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let profile: Value = answer.json().await.unwrap();
    assert_eq!(
        profile,
        json!({
            "user_id": "583231", "login": "somebody", "client_id": "client-1", "scopes": ["read", "write"], "items": 1,
        })
    );
}

#[tokio::test]
async fn data_is_created_listed_shown_changed_and_deleted() {
    let sample = Sample::start();
    let create = sample.ask_as(OCTOCAT, Method::POST, DATA);
    let created = create
        .json(&json!({ "name": "Test", "value": 100 }))
        .send()
        .await
        .unwrap();
    assert_eq!(created.status(), 201);
    let place = created.headers()["location"].to_str().unwrap().to_owned();
    let item: Value = created.json().await.unwrap();
    assert_eq!((&item["name"], &item["value"]), (&json!("Test"), &json!(100)));
    assert_eq!(place, format!("/api/data/{}", item["id"].as_str().unwrap()));
    assert_eq!(sample.kept(OCTOCAT).await, std::slice::from_ref(&item));
    let shown = sample.ask_as(OCTOCAT, Method::GET, &place).send().await.unwrap();
    assert_eq!(shown.json::<Value>().await.unwrap(), item);

    for (sent, name, value) in [
        (
            json!({ "name": "New", "value": { "deep": [true] } }),
            json!("New"),
            json!({ "deep": [true] }),
        ),
        (json!({ "value": null }), json!("New"), json!(null)),
        (
            json!({ "name": "Newer", "id": "another" }),
            json!("Newer"),
            json!(null),
        ),
    ] {
        let change = sample.ask_as(OCTOCAT, Method::PUT, &place).json(&sent);
        let changed: Value = change.send().await.unwrap().json().await.unwrap();
        assert_eq!((&changed["name"], &changed["value"]), (&name, &value), "{sent}");
        assert_eq!(changed["id"], item["id"]);
    }

    let delete = || sample.ask_as(OCTOCAT, Method::DELETE, &place).send();
    assert_eq!(delete().await.unwrap().status(), 204);
    problem(delete().await.unwrap(), 404).await;
    assert_eq!(sample.kept(OCTOCAT).await, Vec::<Value>::new());
}

#[tokio::test]
async fn nobody_sees_or_changes_what_another_keeps() {
    let sample = Sample::start();
    let item = sample.keep(OCTOCAT, &json!({ "name": "mine", "value": 1 })).await;
    let place = format!("{DATA}/{}", item["id"].as_str().unwrap());
    assert_eq!(sample.kept(HUBOT).await, Vec::<Value>::new());
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = sample.ask_as(HUBOT, method, &place).json(&json!({ "value": 2 }));
        problem(answer.send().await.unwrap(), 404).await;
    }
    assert_eq!(sample.kept(OCTOCAT).await, [item]);
}

#[tokio::test]
async fn reading_needs_read_and_changing_needs_write() {
    let sample = Sample::start();
    for (scopes, reads, writes) in [
        ("", 403, 403),
        ("read", 200, 403),
        ("write", 200, 201),
        ("admin", 200, 201),
    ] {
        let person = Person("583231", scopes);
        let read = sample.ask_as(person, Method::GET, DATA).send().await.unwrap();
        assert_eq!(read.status(), reads, "{scopes}");
        let write = sample
            .ask_as(person, Method::POST, DATA)
            .json(&json!({ "name": "a", "value": 1 }));
        let write = write.send().await.unwrap();
        assert_eq!(write.status(), writes, "{scopes}");
        if writes == 403 {
            assert_eq!(
                write.headers()["www-authenticate"],
                "Bearer error=\"insufficient_scope\", scope=\"write\""
            );
            let problem = problem(write, 403).await;
            assert_eq!(problem["scopes"], json!(["write"]));
        }
    }
}

#[tokio::test]
async fn whoever_is_not_named_by_the_gateway_gets_nothing_whatever_they_send() {
    let sample = Sample::start();
    for method in [Method::GET, Method::POST] {
        let ask = || {
            sample
                .ask(method.clone(), DATA)
                .bearer_auth("some.token")
                .header("X-Auth-Scope", "admin")
        };
        for nobody in [
            ask(),
            ask().header("X-User-Id", ""),
            ask().header("X-User-Id", "1").header("X-User-Id", "2"),
        ] {
            let answer = nobody
                .json(&json!({ "name": "a", "value": 1 }))
                .send()
                .await
                .unwrap();
            assert!(
                !answer.headers().contains_key("www-authenticate"),
                "a new token would not help"
            );
            let problem = problem(answer, 403).await;
            assert!(
                problem["detail"].as_str().unwrap().contains("X-User-Id"),
                "{problem}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_named_member_by_member() {
    let sample = Sample::start();
    let create = || sample.ask_as(OCTOCAT, Method::POST, DATA);
    for (sent, pointers) in [
        (json!({}), &["#/name", "#/value"][..]),
        (json!({ "name": 7, "value": 1 }), &["#/name"]),
        (json!({ "name": "", "value": 1 }), &["#/name"]),
        (
            json!({ "name": "x".repeat(101), "value": "x".repeat(4096) }),
            &["#/name", "#/value"],
        ),
        (json!([1]), &["#"]),
        (json!("text"), &["#"]),
    ] {
        let problem = problem(create().json(&sent).send().await.unwrap(), 422).await;
        let errors = problem["errors"].as_array().unwrap();
        let named: Vec<_> = errors
            .iter()
            .map(|error| error["pointer"].as_str().unwrap())
            .collect();
        assert_eq!(named, pointers, "{problem}");
        assert!(
            errors.iter().all(|error| error["detail"].is_string()),
            "{problem}"
        );
    }
    let item = sample.keep(OCTOCAT, &json!({ "name": "a", "value": 1 })).await;
    let place = format!("{DATA}/{}", item["id"].as_str().unwrap());
    let change = sample
        .ask_as(OCTOCAT, Method::PUT, &place)
        .json(&json!({ "other": 1 }));
    assert_eq!(
        problem(change.send().await.unwrap(), 422).await["errors"][0]["pointer"],
        "#"
    );
    assert_eq!(sample.kept(OCTOCAT).await, [item]);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_the_reason() {
    let sample = Sample::start();
    let create = |body: String| {
        let request = sample.ask_as(OCTOCAT, Method::POST, DATA).body(body);
        request.header("content-type", "application/json; charset=utf-8")
    };
    let broken = create("{\"name\": \"a\",\n \"value\": oops}".into())
        .send()
        .await
        .unwrap();
    let detail = problem(broken, 400).await["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("line 2 column"), "{detail}");
    problem(create(String::new()).send().await.unwrap(), 400).await;
    let large = json!({ "name": "a", "value": "x".repeat(17 * 1024) }).to_string();
    problem(create(large).send().await.unwrap(), 413).await;

    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonp"),
    ] {
        let mut request = sample
            .ask_as(OCTOCAT, Method::POST, DATA)
            .body("{\"name\":\"a\",\"value\":1}");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["accept"], "application/json");
        problem(answer, 415).await;
    }
    assert_eq!(sample.kept(OCTOCAT).await, Vec::<Value>::new());
}

#[tokio::test]
async fn other_methods_and_addresses_are_refused_and_told_what_there_is() {
    let sample = Sample::start();
    for (method, path, allowed) in [
        (Method::DELETE, "/api/data", "GET, HEAD, POST"),
        (Method::POST, "/api/data/x", "GET, HEAD, PUT, DELETE"),
        (Method::PUT, "/api/user/profile", "GET, HEAD"),
        (Method::OPTIONS, "/api/data", "GET, HEAD, POST"),
    ] {
        let answer = sample.ask_as(OCTOCAT, method, path).send().await.unwrap();
        assert_eq!(answer.headers()["allow"], allowed, "{path}");
        problem(answer, 405).await;
    }
    for path in [
        "/api",
        "/api/",
        "/api/users",
        "/api/data/x/y",
        "/api/data/unknown",
    ] {
        problem(
            sample.ask_as(OCTOCAT, Method::GET, path).send().await.unwrap(),
            404,
        )
        .await;
    }
    let head = sample.ask_as(OCTOCAT, Method::HEAD, DATA).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.text().await.unwrap(), "");
}

#[tokio::test]
async fn a_user_keeps_a_hundred_items_and_deleting_one_makes_room() {
    let sample = Sample::start();
    let mut last = Value::Null;
    for number in 0..MOST_ITEMS {
        last = sample
            .keep(OCTOCAT, &json!({ "name": "n", "value": number }))
            .await;
    }
    let item = json!({ "name": "n", "value": "one more" });
    let more = || sample.ask_as(OCTOCAT, Method::POST, DATA).json(&item).send();
    let full = problem(more().await.unwrap(), 409).await;
    assert!(full["detail"].as_str().unwrap().contains("delete one"), "{full}");
    sample.keep(HUBOT, &item).await;
    let place = format!("{DATA}/{}", last["id"].as_str().unwrap());
    let deleted = sample
        .ask_as(OCTOCAT, Method::DELETE, &place)
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status(), 204);
    assert_eq!(more().await.unwrap().status(), 201);
}

#[tokio::test]
async fn pages_of_any_origin_may_ask_but_bring_no_credentials_of_the_browser() {
    let sample = Sample::start();
    for path in [
        "/api/data/x",
        "/mcp",
        "/mcp/v1",
        "/mcp/v1/sse",
        "/mcp/v1/tools/call",
    ] {
        let preflight = sample
            .ask(Method::OPTIONS, path)
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "authorization,content-type");
        let answer = preflight.send().await.unwrap();
        assert_eq!(answer.status(), 204, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("access-control-allow-origin"), "*");
        assert!(header("access-control-allow-methods").contains("PUT"));
        assert!(header("access-control-allow-headers").contains("authorization"));
        assert!(!answer.headers().contains_key("access-control-allow-credentials"));
    }
    let answer = sample
        .ask_as(OCTOCAT, Method::GET, DATA)
        .header("origin", "https://app.example.com");
    let answer = answer.send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let exposed = answer.headers()["access-control-expose-headers"]
        .to_str()
        .unwrap();
    assert!(
        exposed.contains("WWW-Authenticate") && exposed.contains("Location"),
        "{exposed}"
    );
    let health = sample.ask(Method::GET, "/health").send().await.unwrap();
    assert_eq!(health.headers()["access-control-allow-origin"], "*");
    let preflight = sample
        .ask(Method::OPTIONS, "/health")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "GET");
    assert_eq!(preflight.send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn health_is_told_to_whoever_watches_with_get_or_head() {
    let sample = Sample::start();
    for method in [Method::GET, Method::HEAD] {
        let answer = sample.ask(method, "/health").send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let answer = sample.ask(Method::POST, "/health").send().await.unwrap();
    assert_eq!(answer.headers()["allow"], "GET, HEAD");
    problem(answer, 405).await;
}

#[tokio::test]
async fn nobody_is_believed_who_does_not_show_what_the_gateway_shows() {
    let sample = Sample::with(Options {
        proof: Some(Digest::of(b"the gateway's own")),
        ..Options::default()
    });
    let ask = || sample.ask_as(OCTOCAT, Method::GET, DATA);
    for forged in [
        ask(),
        ask().header("x-gateway-proof", "made up"),
        ask()
            .header("x-gateway-proof", "made up")
            .header("x-gateway-proof", "the gateway's own"),
    ] {
        problem(forged.send().await.unwrap(), 403).await;
    }
    let shown = ask().header("x-gateway-proof", "the gateway's own");
    assert_eq!(shown.send().await.unwrap().status(), 200);
}
