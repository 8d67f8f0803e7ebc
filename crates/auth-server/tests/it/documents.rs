//! Clients whose id is the address of their description:
//! <https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/>.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use mcp_gateway_auth_server::DocumentPolicy;
use mcp_gateway_model::{id::ClientId, secret::Digest};
use mcp_gateway_store::{Document, Store};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    desk::VERIFIER,
    login::{Browser, Got, REDIRECT, Site},
    names::NameServer,
    publisher::{Published, Publisher},
};

/// A site that can read what is published there.
async fn site_reading(publisher: &Publisher) -> Site {
    Site::start_with(|settings| {
        settings.fetch = publisher.settings();
        settings.offers.metadata_documents = true;
    })
    .await
}

fn id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

/// Sends a form to an endpoint of the site.
async fn post(site: &Site, path: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http
        .post(format!("{}{path}", site.base))
        .form(form)
        .send()
        .await
        .unwrap();
    let (status, body) = (answer.status(), answer.bytes().await.unwrap());
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// The tokens for a code.
async fn redeem(site: &Site, client: &str, got: &Got, redirect: &str) -> Value {
    let code = got.parameter("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect),
        ("code_verifier", VERIFIER),
        ("client_id", client),
    ];
    let (status, tokens) = post(site, "/token", &form).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    tokens
}

#[actix_web::test]
async fn a_client_that_never_registered_goes_all_the_way() {
    let publisher = Publisher::start();
    let site = site_reading(&publisher).await;
    let client = publisher.client("/client.json", |_| {});
    let got = Browser::new(&site).log_in(&site.request(&id(&client), &[])).await;
    let tokens = redeem(&site, &client, &got, REDIRECT).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
        ("client_id", &client),
    ];
    let (status, tokens) = post(&site, "/token", &form).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    let access = tokens["access_token"].as_str().unwrap();
    let (status, _) = post(&site, "/revoke", &[("token", access), ("client_id", &client)]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(publisher.asked("/client.json"), 1);
}

#[actix_web::test]
async fn claude_and_claude_code_and_chatgpt_are_understood_as_they_describe_themselves() {
    let publisher = Publisher::start();
    let site = site_reading(&publisher).await;
    let claude_code = ["http://localhost/callback", "http://127.0.0.1/callback"];
    let web = [
        "https://claude.ai/api/mcp/auth_callback",
        "https://claude.com/api/mcp/auth_callback",
    ];
    let chatgpt = ["https://chatgpt.com/connector/oauth/Ab-1_x"];
    for (path, redirects, redirect) in [
        ("/oauth/mcp-oauth-client-metadata", &web[..], web[1]),
        (
            "/oauth/claude-code-client-metadata",
            &claude_code[..],
            "http://localhost:53412/callback",
        ),
        (
            "/oauth/claude-code-client-metadata",
            &claude_code[..],
            "http://127.0.0.1:41999/callback",
        ),
        ("/oauth/Ab-1_x/client.json", &chatgpt[..], chatgpt[0]),
    ] {
        let client = publisher.client(path, |document| {
            document["redirect_uris"] = json!(redirects);
            document["grant_types"] = json!(["authorization_code", "refresh_token"]);
            document["response_types"] = json!(["code"]);
            document["token_endpoint_auth_method"] = json!("none");
        });
        let request = site.request(&id(&client), &[("redirect_uri", Some(redirect))]);
        let got = Browser::new(&site).log_in(&request).await;
        assert!(got.location().starts_with(redirect), "{}", got.location());
        redeem(&site, &client, &got, redirect).await;
    }
}

#[actix_web::test]
async fn the_consent_page_names_the_host_that_vouches_for_the_client() {
    let publisher = Publisher::start();
    let site = site_reading(&publisher).await;
    let client = publisher.client("/client.json", |_| {});
    let browser = Browser::new(&site);
    let page = browser.get(&site.request(&id(&client), &[])).await;
    assert!(
        page.body.contains("Verified: the application is described at"),
        "{}",
        page.body
    );
    let host = format!("<strong>127.0.0.1:{}</strong>", publisher.port);
    assert!(page.body.contains(&host), "{}", page.body);
    assert!(!page.body.contains("registered itself"), "{}", page.body);
    assert!(
        page.body.contains("<strong>client.example.com</strong>"),
        "{}",
        page.body
    );
    let registered = site.client(&[REDIRECT]).await;
    let page = browser.get(&site.request(&registered, &[])).await;
    assert!(
        page.body.contains("registered itself") && !page.body.contains("Verified"),
        "{}",
        page.body
    );
}

#[actix_web::test]
async fn the_consent_page_shows_the_end_of_the_longest_host() {
    let site = site_reading(&Publisher::start()).await;
    let [a, b, c] = ["a", "b", "c"].map(|letter| letter.repeat(63));
    let host = format!("claude.ai.{a}.{b}.{c}.evil.example.com");
    let client = format!("https://{host}/client.json");
    let body = json!({ "client_id": client, "client_name": "Claude", "redirect_uris": [REDIRECT] });
    let copy = Document {
        url: client.clone(),
        body: body.to_string(),
        read_at: site.now(),
        fresh_until: site.now().plus(Duration::from_secs(600)),
        used: false,
    };
    let key = Digest::of(format!("client {client}").as_bytes());
    site.store.put_document(&key, &copy, 1, site.now()).await.unwrap();
    let page = Browser::new(&site).get(&site.request(&id(&client), &[])).await;
    for shown in [
        format!("<strong>{host}</strong>"),
        format!("<code>{client}</code>"),
    ] {
        assert!(page.body.contains(&shown), "{}", page.body);
    }
}

#[actix_web::test]
async fn only_redirect_uris_that_it_describes_are_answered() {
    let publisher = Publisher::start();
    let site = site_reading(&publisher).await;
    let client = publisher.client("/client.json", |_| {});
    for other in [
        "https://evil.example.com/cb",
        "https://client.example.com/cb/x",
        "http://localhost/cb",
    ] {
        let request = site.request(&id(&client), &[("redirect_uri", Some(other))]);
        let got = Browser::new(&site).get(&request).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{other}");
        assert!(!got.headers.contains_key("location"), "{other}");
    }
}

#[actix_web::test]
async fn a_description_that_breaks_a_rule_is_no_client_and_its_developers_are_told_which() {
    let publisher = Publisher::start();
    let site = site_reading(&publisher).await;
    for (number, (member, value, told)) in [
        (
            "client_id",
            json!("https://client.example.com/other"),
            "client_id must be exactly",
        ),
        ("client_id", json!(null), "client_id must be exactly"),
        ("client_secret", json!("hunter2"), "must not have a client_secret"),
        (
            "client_secret_expires_at",
            json!(0),
            "must not have a client_secret_expires_at",
        ),
        (
            "token_endpoint_auth_method",
            json!("client_secret_post"),
            "none or private_key_jwt",
        ),
        (
            "token_endpoint_auth_method",
            json!("client_secret_jwt"),
            "none or private_key_jwt",
        ),
        ("redirect_uris", json!([]), "redirect_uris"),
        ("redirect_uris", json!(["javascript:alert(1)"]), "redirect_uris"),
        ("logo_uri", json!("javascript:alert(1)"), "logo_uri"),
    ]
    .into_iter()
    .enumerate()
    {
        let client = publisher.client(&format!("/{number}"), |document| document[member] = value);
        let got = Browser::new(&site).get(&site.request(&id(&client), &[])).await;
        assert_eq!(
            (got.status, got.title()),
            (StatusCode::BAD_REQUEST, "Unknown application"),
            "{member}"
        );
        assert!(got.body.contains(told), "{told}: {}", got.body);
        assert!(!got.body.contains("hunter2"), "{}", got.body);
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "x"),
            ("client_id", client.as_str()),
        ];
        let (status, answer) = post(&site, "/token", &form).await;
        assert_eq!(
            (status, &answer["error"]),
            (StatusCode::UNAUTHORIZED, &json!("invalid_client")),
            "{member}"
        );
        assert!(
            answer["error_description"].as_str().unwrap().contains(told),
            "{answer}"
        );
    }
}

#[actix_web::test]
async fn an_address_that_is_not_written_plainly_is_nobodys_id_and_is_not_asked() {
    let publisher = Publisher::start();
    let site = site_reading(&publisher).await;
    let port = publisher.port;
    for address in [
        format!("https://127.0.0.1:{port}"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/a/../client.json"),
        format!("https://127.0.0.1:{port}/%2e/client.json"),
        format!("https://127.0.0.1:{port}/a/.%2E/client.json"),
        format!("https://127.0.0.1:{port}/client.json#x"),
        format!("https://user@127.0.0.1:{port}/client.json"),
        format!("https://127.1:{port}/client.json"),
        format!("HTTPS://127.0.0.1:{port}/client.json"),
        format!("http://127.0.0.1:{port}/client.json"),
        format!("https://127.0.0.1:{port}/{}", "x".repeat(1100)),
    ] {
        let got = Browser::new(&site).get(&site.request(&id(&address), &[])).await;
        assert_eq!(
            (got.status, got.title()),
            (StatusCode::BAD_REQUEST, "Unknown application"),
            "{address}"
        );
    }
    assert_eq!(publisher.asked_at_all(), 0);
}

#[actix_web::test]
async fn the_operator_says_whose_descriptions_are_believed() {
    let (publisher, names) = (Publisher::start(), NameServer::start());
    names.put("client.example.com", &["127.0.0.1"]);
    names.put("one.clients.example.com", &["127.0.0.1"]);
    let documents = |host: &str| publisher.url_at(host, "/client.json");
    for (policy, host, expected) in [
        ("open", "client.example.com", "Allow access?"),
        ("client.example.com", "client.example.com", "Allow access?"),
        (
            "client.example.com",
            "one.clients.example.com",
            "Unknown application",
        ),
        (
            "*.clients.example.com",
            "one.clients.example.com",
            "Allow access?",
        ),
        (
            "*.clients.example.com",
            "client.example.com",
            "Unknown application",
        ),
        ("off", "client.example.com", "Unknown application"),
    ] {
        let client = documents(host);
        let document = json!({ "client_id": client, "client_name": "X", "redirect_uris": [REDIRECT] });
        publisher.put("/client.json", Published::json(&document));
        let before = publisher.asked_at_all();
        let site = Site::start_with(|settings| {
            settings.fetch = publisher.settings();
            settings.fetch.dns_servers = vec![names.address];
            settings.documents = DocumentPolicy::parse(policy).unwrap();
        })
        .await;
        let got = Browser::new(&site).get(&site.request(&id(&client), &[])).await;
        assert_eq!(got.title(), expected, "{policy} {host}");
        let is_read = expected == "Allow access?";
        assert_eq!(
            publisher.asked_at_all() - before,
            usize::from(is_read),
            "{policy} {host}"
        );
    }
}

#[actix_web::test]
async fn metadata_says_whether_descriptions_are_read_and_lists_none_as_a_method() {
    for offered in [true, false] {
        let site = Site::start_with(|settings| settings.offers.metadata_documents = offered).await;
        let url = format!("{}/.well-known/oauth-authorization-server", site.base);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let metadata: Value = http.get(url).send().await.unwrap().json().await.unwrap();
        let expected = offered.then_some(json!(true));
        assert_eq!(
            metadata.get("client_id_metadata_document_supported"),
            expected.as_ref()
        );
        let methods = metadata["token_endpoint_auth_methods_supported"]
            .as_array()
            .unwrap();
        assert!(methods.contains(&json!("none")), "{metadata}");
    }
}

#[actix_web::test]
async fn a_second_device_with_the_same_id_ends_nothing_of_the_first() {
    let publisher = Publisher::start();
    let site = site_reading(&publisher).await;
    let client = publisher.client("/client.json", |_| {});
    let mut refresh = Vec::new();
    for _ in 0..3 {
        let got = Browser::new(&site).log_in(&site.request(&id(&client), &[])).await;
        let tokens = redeem(&site, &client, &got, REDIRECT).await;
        refresh.push(tokens["refresh_token"].as_str().unwrap().to_owned());
    }
    for token in &refresh {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token.as_str()),
            ("client_id", client.as_str()),
        ];
        assert_eq!(post(&site, "/token", &form).await.0, StatusCode::OK);
    }
}

#[actix_web::test]
async fn a_device_that_asks_too_often_does_not_use_up_what_others_with_its_id_need() {
    let publisher = Publisher::start();
    let site = Site::start_with(|settings| {
        settings.fetch = publisher.settings();
        settings.limits.client.burst = 3;
        settings.limits.client.count = 1;
        settings.limits.client.period = std::time::Duration::from_secs(3600);
    })
    .await;
    let client = publisher.client("/client.json", |_| {});
    let request = site.request(&id(&client), &[]);
    let from = |address: &'static str| [("x-forwarded-for", address)];
    let mut last = StatusCode::OK;
    for _ in 0..4 {
        last = Browser::new(&site)
            .get_with(&request, &from("192.0.2.1"))
            .await
            .status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let other = Browser::new(&site).get_with(&request, &from("192.0.2.2")).await;
    assert_eq!(other.status, StatusCode::OK, "{}", other.body);
}
