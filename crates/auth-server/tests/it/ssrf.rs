//! Of what a stranger names, only descriptions of clients and their keys are fetched, and those from the public internet
//! alone: nothing on this machine, no logo, no request object.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{io::ErrorKind, net::TcpListener};

use mcp_gateway_model::id::ClientId;
use mcp_gateway_sandbox::github::{Endpoint, Fault};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    desk::VERIFIER,
    login::{Browser, REDIRECT, Site},
};

/// A port that notices when somebody comes.
struct Trap(TcpListener);

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// Addresses that all lead here, in spellings that have fooled others.
    fn addresses(&self, path: &str) -> Vec<String> {
        let port = self.0.local_addr().unwrap().port();
        [
            "127.0.0.1",
            "localhost",
            "[::ffff:127.0.0.1]",
            "127.1",
            "2130706433",
        ]
        .iter()
        .flat_map(|host| ["http", "https"].map(|scheme| format!("{scheme}://{host}:{port}/{path}")))
        .collect()
    }

    fn is_untouched(&self) -> bool {
        let came = self.0.accept().map(drop).map_err(|error| error.kind());
        came == Err(ErrorKind::WouldBlock)
    }
}

#[actix_web::test]
async fn a_client_id_that_is_an_address_of_this_machine_is_unknown_and_nothing_is_fetched() {
    let (site, trap) = (Site::start().await, Trap::set());
    let client = site.client(&[REDIRECT]).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for address in trap.addresses("client.json") {
        let request = site.request(&client, &[("client_id", Some(&address))]);
        let got = Browser::new(&site).get(&request).await;
        assert_eq!(
            (got.status, got.title()),
            (StatusCode::BAD_REQUEST, "Unknown application"),
            "{address}"
        );
        assert!(!got.headers.contains_key("location"), "{address}");
        for path in ["/token", "/revoke", "/introspect"] {
            let form = [
                ("grant_type", "authorization_code"),
                ("code", "mcp_ac_x"),
                ("token", "x"),
                ("redirect_uri", REDIRECT),
                ("code_verifier", VERIFIER),
                ("client_id", &address),
            ];
            let answer = http.post(format!("{}{path}", site.base)).form(&form);
            let answer = answer.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path} {address}");
        }
    }
    assert!(trap.is_untouched());
}

#[actix_web::test]
async fn no_address_in_a_registration_is_ever_fetched_nor_a_logo_shown() {
    let trap = Trap::set();
    let site = Site::start_with(|settings| settings.limits.register.burst = 100).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for address in trap.addresses("x") {
        let metadata = json!({
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
            "client_name": "Some Client",
            "client_uri": address,
            "logo_uri": address,
            "tos_uri": address,
            "policy_uri": address,
            "jwks_uri": address,
            "sector_identifier_uri": address,
            "request_uris": [address],
            "initiate_login_uri": address,
        });
        let registered = http.post(format!("{}/register", site.base)).json(&metadata);
        let registered: Value = registered.send().await.unwrap().json().await.unwrap();
        assert_eq!(registered.get("jwks_uri"), None, "{registered}");
        let id = ClientId::parse(registered["client_id"].as_str().unwrap()).unwrap();
        let (request, browser) = (site.request(&id, &[]), Browser::new(&site));
        let page = browser.get(&request).await;
        for markup in ["<img", "<link rel=\"icon\"", "url(", "src="] {
            assert!(!page.body.contains(markup), "{markup}: {}", page.body);
        }
        assert!(browser.log_in(&request).await.parameter("code").is_some());
    }
    assert!(trap.is_untouched());
}

#[actix_web::test]
async fn a_request_object_is_not_fetched() {
    let (site, trap) = (Site::start().await, Trap::set());
    let client = site.client(&[REDIRECT]).await;
    for address in trap.addresses("request") {
        let request = site.request(&client, &[("request_uri", Some(&address))]);
        let got = Browser::new(&site).get(&request).await;
        assert_eq!(
            got.parameter("error").as_deref(),
            Some("request_uri_not_supported")
        );
    }
    assert!(trap.is_untouched());
}

#[actix_web::test]
async fn no_answer_of_github_redirects_a_call_with_its_token_elsewhere() {
    for endpoint in [Endpoint::Token, Endpoint::User] {
        let site = Site::start().await;
        let client = site.client(&[REDIRECT]).await;
        site.github.set_fault_at(endpoint, Fault::Redirect);
        let got = Browser::new(&site).log_in(&site.request(&client, &[])).await;
        assert_eq!(
            (got.status, got.title()),
            (StatusCode::BAD_GATEWAY, "GitHub answered with nonsense")
        );
    }
}
