//! Which clients can be for devices: <https://www.rfc-editor.org/rfc/rfc8628#section-3.4>, and what they register.

use mcp_gateway_auth_server::DeviceGrant;
use mcp_gateway_model::{client::ClientOrigin, resource::ResourceUri};
use serde_json::{Value, json};

use crate::support::{
    desk::{Desk, REDIRECT},
    device::{DEVICE_CODE, Stand, client},
    login::{Browser, ECHO},
};

/// The grant types that a client gets which names these.
async fn registered(policy: DeviceGrant, named: &[&str]) -> Value {
    let desk = Desk::start_with(|settings| settings.device_grant = policy).await;
    let mut metadata = json!({ "token_endpoint_auth_method": "none", "grant_types": named });
    if named.contains(&"authorization_code") {
        metadata["redirect_uris"] = json!([REDIRECT]);
    }
    let answer = desk
        .send_json(reqwest::Method::POST, "/register", &[], &metadata)
        .await;
    let body = answer.json();
    body.get("error").unwrap_or(&body["grant_types"]).clone()
}

#[actix_web::test]
async fn a_client_registers_for_devices_only_where_all_may_ask() {
    let both = ["authorization_code", DEVICE_CODE];
    let alone = [DEVICE_CODE, "refresh_token"];
    for policy in [DeviceGrant::default(), DeviceGrant::Off] {
        assert_eq!(
            registered(policy.clone(), &both).await,
            json!(["authorization_code"])
        );
        let refused = registered(policy, &[DEVICE_CODE]).await;
        assert_eq!(refused, "invalid_client_metadata");
    }
    assert_eq!(registered(DeviceGrant::Open, &both).await, json!(both));
    assert_eq!(
        registered(DeviceGrant::Open, &alone).await,
        json!(["refresh_token", DEVICE_CODE])
    );
}

#[actix_web::test]
async fn the_resources_that_the_operator_named_for_a_client_bind_its_devices_too() {
    let stand = Stand::start().await;
    let mut bound = client("bound-tool", ClientOrigin::PreRegistered);
    bound.resources = Some(vec![ResourceUri::parse("https://files.example.com/mcp").unwrap()]);
    stand.add(bound).await;
    let form = [("client_id", "bound-tool"), ("resource", ECHO)];
    let told = stand.post("/device_authorization", &form).await;
    assert_eq!(told.error(), "400 invalid_target");
}

#[actix_web::test]
async fn the_consent_page_says_that_the_operator_entered_the_client() {
    let stand = Stand::start().await;
    let code = stand.ask("read").await.text("user_code");
    let page = stand.typed(&Browser::new(&stand.site), &code).await;
    assert!(
        page.body
            .contains("Whoever runs this server entered the application")
    );
    assert!(!page.body.contains("registered itself"));
}
