//! The whole of it over HTTP: register, consent, log in at the stand-in GitHub, tokens, refresh, revoke.

use mcp_gateway_model::id::ClientId;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    desk::VERIFIER,
    login::{Browser, ECHO, REDIRECT, Site},
};

#[actix_web::test]
async fn a_client_registers_gets_consent_tokens_fresh_ones_and_gives_them_back() {
    let site = Site::start().await;
    let http = Client::builder().no_proxy().build().unwrap();
    let metadata = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none" });
    let request = http.post(format!("{}/register", site.base)).json(&metadata);
    let client: Value = request.send().await.unwrap().json().await.unwrap();
    let id = client["client_id"].as_str().unwrap();

    let request = site.request(&ClientId::parse(id).unwrap(), &[]);
    let code = Browser::new(&site)
        .log_in(&request)
        .await
        .parameter("code")
        .unwrap();
    let post = async |path: &str, form: &[(&str, &str)]| {
        let request = http.post(format!("{}{path}", site.base));
        let own = [("client_id", id)];
        let form: Vec<_> = own.iter().chain(form).copied().collect();
        let response = request.form(&form).send().await.unwrap();
        let status = response.status();
        let body = response.text().await.unwrap();
        (status, serde_json::from_str::<Value>(&body).unwrap_or_default())
    };
    let redemption = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("resource", ECHO),
    ];
    let (status, tokens) = post("/token", &redemption).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let refreshing = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let (status, tokens) = post("/token", &refreshing).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(post("/revoke", &[("token", access)]).await.0, StatusCode::OK);
    let (status, error) = post("/token", &refreshing).await;
    assert_eq!(
        (status, &error["error"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_grant"))
    );
}
