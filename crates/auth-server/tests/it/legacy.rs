//! The endpoints that clients of revision 2025-03-26 make up when they find no metadata:
//! <https://modelcontextprotocol.io/specification/2025-03-26/basic/authorization#233-fallbacks-for-servers-without-metadata-discovery>.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use mcp_gateway_model::resource::{Resource, ResourceUri, Resources};
use reqwest::{Client, Method, Response, StatusCode, redirect::Policy};
use serde_json::{Value, json};

use crate::support::login::{ECHO, Site};

const HOST: &str = "echo.example.com";

async fn site(is_on: bool) -> Site {
    Site::start_with(|settings| settings.legacy_endpoints = is_on).await
}

/// A request as the proxy passes it on from `host`.
async fn ask(site: &Site, host: &str, method: Method, path: &str, body: Option<Value>) -> Response {
    let http = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let mut request = http.request(method, format!("{}{path}", site.base));
    request = request.header("x-forwarded-host", host);
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.unwrap()
}

/// A page, or anything that a browser keeps, belongs on the issuer's host.
async fn leaves_nothing(answer: Response) {
    assert!(answer.headers().get("set-cookie").is_none());
    let body = answer.text().await.unwrap();
    assert!(!body.contains('<'), "{body}");
}

#[actix_web::test]
async fn unless_turned_on_nothing_of_ours_is_on_a_protected_host() {
    let site = site(false).await;
    for prefix in ["", "/oauth"] {
        for (method, name) in [
            (Method::GET, "authorize"),
            (Method::POST, "token"),
            (Method::POST, "register"),
        ] {
            let path = format!("{prefix}/{name}");
            let answer = ask(&site, HOST, method, &path, None).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
            leaves_nothing(answer).await;
        }
    }
    let answer = ask(&site, HOST, Method::GET, "/oauth/clients/somebody", None).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let metadata = json!({ "redirect_uris": ["https://client.example.com/cb"] });
    let refused = ask(&site, HOST, Method::POST, "/register", Some(metadata.clone())).await;
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    let issuer = site.issuer.strip_prefix("http://").unwrap();
    let registered = ask(&site, issuer, Method::POST, "/register", Some(metadata)).await;
    assert_eq!(registered.status(), StatusCode::CREATED);
}

#[actix_web::test]
async fn an_escaped_letter_passes_no_switch() {
    let metadata = json!({ "redirect_uris": ["https://client.example.com/cb"] });
    let off = site(false).await;
    for (method, path) in [
        (Method::GET, "/%61uthorize"),
        (Method::POST, "/%74oken"),
        (Method::POST, "/toke%6E"),
        (Method::POST, "/oauth/%74oken"),
        (Method::POST, "/oauth%2Ftoken"),
        (Method::POST, "/%72egister"),
    ] {
        let answer = ask(&off, HOST, method, path, Some(metadata.clone())).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        leaves_nothing(answer).await;
    }
    let on = site(true).await;
    let sent = ask(&on, HOST, Method::GET, "/%61uthorize?client_id=c", None).await;
    assert_eq!(sent.status(), StatusCode::FOUND);
    let registered = ask(&on, HOST, Method::POST, "/%72egister", Some(metadata)).await;
    assert_eq!(registered.status(), StatusCode::CREATED);
}

#[actix_web::test]
async fn authorize_on_a_protected_host_only_sends_the_browser_on() {
    let site = site(true).await;
    let query =
        "response_type=code&client_id=c&state=a%20b&redirect_uri=https%3A%2F%2Fclient.example.com%2Fcb";
    let resource = "&resource=https%3A%2F%2Fecho.example.com%2Fmcp";
    for (sent, expected) in [
        (query.to_owned(), format!("{query}{resource}")),
        (
            format!("{query}&resource=https://x.example"),
            format!("{query}&resource=https://x.example"),
        ),
    ] {
        let answer = ask(&site, HOST, Method::GET, &format!("/authorize?{sent}"), None).await;
        assert_eq!(answer.status(), StatusCode::FOUND);
        let location = answer.headers()["location"].to_str().unwrap();
        assert_eq!(location, format!("{}/authorize?{expected}", site.issuer));
        assert_eq!(answer.headers()["cache-control"], "no-store");
        leaves_nothing(answer).await;
    }
    let posted = ask(&site, HOST, Method::POST, "/authorize", None).await;
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    leaves_nothing(posted).await;
    let alias = ask(&site, HOST, Method::GET, "/oauth/authorize", None).await;
    assert_eq!(alias.status(), StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn no_resource_is_added_where_a_host_has_several() {
    let site = Site::start_with(|settings| {
        settings.legacy_endpoints = true;
        let resource = |uri: &str| Resource::new(ResourceUri::parse(uri).unwrap(), None);
        let both = vec![resource(ECHO), resource("https://echo.example.com/other")];
        settings.resources = Resources::new(both, Vec::new(), settings.issuer.authority());
    })
    .await;
    let answer = ask(&site, HOST, Method::GET, "/authorize?client_id=c", None).await;
    let location = answer.headers()["location"].to_str().unwrap();
    assert_eq!(location, format!("{}/authorize?client_id=c", site.issuer));
}

#[actix_web::test]
async fn token_and_register_on_a_protected_host_answer_as_at_the_issuer() {
    let site = site(true).await;
    let metadata = json!({
        "redirect_uris": ["https://client.example.com/cb"],
        "token_endpoint_auth_method": "none",
    });
    let registered = ask(&site, HOST, Method::POST, "/register", Some(metadata)).await;
    assert_eq!(registered.status(), StatusCode::CREATED);
    let registered: Value = registered.json().await.unwrap();
    let managed = registered["registration_client_uri"].as_str().unwrap();
    assert!(managed.starts_with(&site.issuer), "{managed}");
    let answer = ask(&site, HOST, Method::POST, "/token", Some(json!({}))).await;
    let at_issuer = site.issuer.strip_prefix("http://").unwrap();
    let same = ask(&site, at_issuer, Method::POST, "/token", Some(json!({}))).await;
    assert_eq!(answer.status(), same.status());
    let (answer, same): (Value, Value) = (answer.json().await.unwrap(), same.json().await.unwrap());
    assert_eq!(answer, same);
}

#[actix_web::test]
async fn the_metadata_on_a_protected_host_names_the_one_issuer_either_way() {
    for is_on in [false, true] {
        let site = site(is_on).await;
        let place = "/.well-known/oauth-authorization-server";
        let answer = ask(&site, HOST, Method::GET, place, None).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let document: Value = answer.json().await.unwrap();
        assert_eq!(document["issuer"], site.issuer);
        assert_eq!(
            document["authorization_endpoint"],
            format!("{}/authorize", site.issuer)
        );
    }
}
