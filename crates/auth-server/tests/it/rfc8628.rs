//! The device authorization grant: <https://www.rfc-editor.org/rfc/rfc8628>, as devices see it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_auth_server::DeviceGrant;
use mcp_gateway_model::{
    access::Person,
    client::{AuthMethod, ClientOrigin, GrantType},
    clock::Clock,
    id::{Login, UserId},
};
use mcp_gateway_store::Store;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    device::{DEVICE_CODE, Stand, client, digest},
    login::{Browser, ECHO},
};

#[actix_web::test]
async fn a_device_is_told_code_address_and_times_and_nothing_to_click() {
    let stand = Stand::start().await;
    let told = stand.ask("read").await;
    assert_eq!(told.cache, "no-store");
    assert!(told.text("device_code").starts_with("mcp_dc_"));
    assert_eq!(
        told.text("verification_uri"),
        format!("{}/device", stand.site.issuer)
    );
    assert_eq!(told.body["expires_in"], 600);
    assert_eq!(told.body["interval"], 5);
    assert_eq!(told.body.get("verification_uri_complete"), None);
    let code = told.text("user_code");
    let letters: Vec<_> = code.chars().filter(|c| *c != '-').collect();
    assert_eq!((code.len(), letters.len()), (9, 8), "{code}");
    assert!(letters.iter().all(|c| "BCDFGHJKLMNPQRSTVWXZ".contains(*c)));
    let other = stand.ask("read").await;
    assert_ne!(other.text("user_code"), code);
}

#[actix_web::test]
async fn the_metadata_lists_endpoint_and_grant_type_where_there_is_one() {
    let stand = Stand::start().await;
    let document = "/.well-known/oauth-authorization-server";
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let read = async |base: &str| {
        let answer = http.get(format!("{base}{document}")).send().await.unwrap();
        serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap()
    };
    let metadata = read(&stand.site.base).await;
    let issuer = &stand.site.issuer;
    assert_eq!(
        metadata["device_authorization_endpoint"],
        format!("{issuer}/device_authorization")
    );
    let types = metadata["grant_types_supported"].as_array().unwrap();
    assert!(types.contains(&json!(DEVICE_CODE)));
    let without = Stand::start_with(|settings| {
        settings.offers.device = false;
        settings.device_grant = DeviceGrant::Off;
    })
    .await;
    let metadata = read(&without.site.base).await;
    assert!(!metadata.to_string().contains("device"), "{metadata}");
    for path in ["/device_authorization", "/oauth/device_authorization", "/device"] {
        let form = [("client_id", without.client.as_str())];
        assert_eq!(without.post(path, &form).await.status, StatusCode::NOT_FOUND);
    }
    let told = without.poll("mcp_dc_x").await;
    assert_eq!(told.error(), "400 unsupported_grant_type");
}

#[actix_web::test]
async fn a_device_gets_tokens_once_a_person_allowed_it() {
    let stand = Stand::start().await;
    let asked = stand.ask("read openid profile").await;
    let code = asked.text("device_code");
    assert_eq!(stand.poll(&code).await.error(), "400 authorization_pending");
    let browser = Browser::new(&stand.site);
    let last = stand.allow(&browser, &asked.text("user_code")).await;
    assert_eq!(
        (last.status, last.title()),
        (StatusCode::OK, "You can go back to your device")
    );
    let told = stand.poll(&code).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    assert_eq!(told.cache, "no-store");
    assert_eq!(told.text("token_type"), "Bearer");
    assert_eq!(told.text("scope"), "openid profile read");
    let claims = |name: &str| -> Value {
        let token = told.text(name);
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    };
    assert_eq!(claims("access_token")["aud"], ECHO);
    assert_eq!(claims("access_token")["client_id"], stand.client);
    assert_eq!(claims("access_token")["sub"], "583231");
    assert_eq!(claims("id_token")["preferred_username"], "octocat");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", &stand.client),
        ("refresh_token", &told.text("refresh_token")),
    ];
    let refreshed = stand.post("/token", &form).await;
    assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.body);
}

#[actix_web::test]
async fn a_device_that_asks_too_soon_is_slowed_down_more_each_time() {
    let stand = Stand::start().await;
    let code = stand.ask("read").await.text("device_code");
    for (wait, answer) in [
        (0, "400 authorization_pending"),
        (4, "400 slow_down"),
        (5, "400 slow_down"),
        (14, "400 slow_down"),
        (20, "400 authorization_pending"),
    ] {
        stand.advance(wait);
        assert_eq!(stand.poll(&code).await.error(), answer, "after {wait} s");
    }
}

#[actix_web::test]
async fn a_device_that_a_person_denied_is_told_so() {
    let stand = Stand::start().await;
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    let consent = stand.typed(&browser, &asked.text("user_code")).await;
    let last = browser.decide(&consent, "deny").await;
    assert_eq!(
        (last.status, last.title()),
        (StatusCode::OK, "The device gets no access")
    );
    for _ in 0..2 {
        let told = stand.poll(&asked.text("device_code")).await;
        assert_eq!(told.error(), "400 access_denied");
    }
}

#[actix_web::test]
async fn a_device_that_nobody_answered_is_told_that_its_code_has_ended() {
    let stand = Stand::start().await;
    let code = stand.ask("read").await.text("device_code");
    stand.advance(600);
    assert_eq!(stand.poll(&code).await.error(), "400 expired_token");
    stand.advance(600);
    assert_eq!(stand.poll(&code).await.error(), "400 invalid_grant");
}

#[actix_web::test]
async fn a_device_code_is_of_no_use_to_another_client() {
    let stand = Stand::start().await;
    stand.add(client("other-tool", ClientOrigin::PreRegistered)).await;
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    stand.allow(&browser, &asked.text("user_code")).await;
    let code = asked.text("device_code");
    let told = stand.poll_as("other-tool", &code).await;
    assert_eq!(told.error(), "400 invalid_grant");
    assert_eq!(stand.poll(&code).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_device_code_that_comes_back_ends_the_grant() {
    let stand = Stand::start().await;
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    stand.allow(&browser, &asked.text("user_code")).await;
    let code = asked.text("device_code");
    assert_eq!(stand.poll(&code).await.status, StatusCode::OK);
    let living = async || {
        let grants = stand
            .site
            .store
            .grants_of_user(UserId(583_231), stand.site.clock.now());
        grants.await.unwrap().len()
    };
    assert_eq!(living().await, 1);
    assert_eq!(stand.poll(&code).await.error(), "400 invalid_grant");
    assert_eq!(living().await, 0);
}

#[actix_web::test]
async fn of_32_devices_with_one_code_at_most_one_gets_tokens() {
    let stand = Stand::start().await;
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    stand.allow(&browser, &asked.text("user_code")).await;
    let code = asked.text("device_code");
    let polls = (0..32).map(|_| stand.poll(&code));
    let told = futures_util::future::join_all(polls).await;
    let won = told.iter().filter(|told| told.status == StatusCode::OK).count();
    assert!(won <= 1, "{won}");
    let lost = told.iter().filter(|told| told.error() == "400 invalid_grant");
    assert_eq!(lost.count(), 32 - won);
}

#[actix_web::test]
async fn the_access_rules_run_again_when_the_device_comes_back() {
    let stand = Stand::start().await;
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    stand.allow(&browser, &asked.text("user_code")).await;
    let store = &stand.site.store;
    let login = Login::parse("octocat").unwrap();
    store.unpin(&login).await.unwrap();
    store.pin(&login, UserId(9001)).await.unwrap();
    let told = stand.poll(&asked.text("device_code")).await;
    assert_eq!(told.error(), "400 invalid_grant");
    let now = stand.site.clock.now();
    let grants = store.grants_of_user(UserId(583_231), now).await.unwrap();
    assert_eq!(grants, [], "the grant has ended");
}

#[actix_web::test]
async fn a_grant_that_ended_meanwhile_gives_the_device_nothing() {
    let stand = Stand::start().await;
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    stand.allow(&browser, &asked.text("user_code")).await;
    let now = stand.site.clock.now();
    let grants = stand
        .site
        .store
        .grants_of_user(UserId(583_231), now)
        .await
        .unwrap();
    stand.site.store.end_grant(&grants[0].id, now).await.unwrap();
    let told = stand.poll(&asked.text("device_code")).await;
    assert_eq!(told.error(), "400 invalid_grant");
}

#[actix_web::test]
async fn a_device_of_somebody_who_was_blocked_gets_nothing() {
    let stand = Stand::start().await;
    let asked = stand.ask("read").await;
    let other = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    stand.allow(&browser, &asked.text("user_code")).await;
    let person = Person::parse("octocat").unwrap();
    let now = stand.site.clock.now();
    let blocked = stand.site.store.block(&person, now).await.unwrap();
    assert_eq!(blocked.grants, 1);
    let told = stand.poll(&asked.text("device_code")).await;
    assert_eq!(told.error(), "400 invalid_grant");
    // and one that is allowed afterwards does not get any further
    let last = stand
        .allow(&Browser::new(&stand.site), &other.text("user_code"))
        .await;
    assert_eq!(last.status, StatusCode::FORBIDDEN);
    let told = stand.poll(&other.text("device_code")).await;
    assert_eq!(told.error(), "400 authorization_pending");
}

#[actix_web::test]
async fn who_is_not_let_in_gives_a_device_nothing() {
    let stand = Stand::start().await;
    stand.site.github.auto_choose(Some("monalisa"));
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    let last = stand.allow(&browser, &asked.text("user_code")).await;
    assert_eq!(
        (last.status, last.title()),
        (StatusCode::FORBIDDEN, "You are not allowed in")
    );
    assert!(!last.body.contains("Return to the application"));
    let told = stand.poll(&asked.text("device_code")).await;
    assert_eq!(told.error(), "400 authorization_pending");
}

#[actix_web::test]
async fn a_client_that_registered_itself_may_not_ask_unless_all_may() {
    for (policy, expected) in [
        (DeviceGrant::default(), "400 unauthorized_client"),
        (DeviceGrant::Open, "200 "),
    ] {
        let stand = Stand::start_with(|settings| settings.device_grant = policy).await;
        stand.add(client("stranger", ClientOrigin::Registered)).await;
        let form = [("client_id", "stranger"), ("resource", ECHO)];
        let told = stand.post("/device_authorization", &form).await;
        assert_eq!(told.error(), expected);
        let told = stand.poll_as("stranger", "mcp_dc_x").await;
        let expected = expected.replace("200 ", "400 invalid_grant");
        assert_eq!(told.error(), expected);
    }
}

#[actix_web::test]
async fn a_client_that_did_not_register_for_devices_may_not_ask_nor_come_back() {
    let stand = Stand::start().await;
    let mut other = client("browser-tool", ClientOrigin::PreRegistered);
    other.metadata.grant_types = GrantType::BY_CONSENT.to_vec();
    stand.add(other).await;
    let form = [("client_id", "browser-tool"), ("resource", ECHO)];
    let told = stand.post("/device_authorization", &form).await;
    assert_eq!(told.error(), "400 unauthorized_client");
    let code = stand.ask("read").await.text("device_code");
    let told = stand.poll_as("browser-tool", &code).await;
    assert_eq!(told.error(), "400 unauthorized_client");
}

#[actix_web::test]
async fn a_client_that_has_a_secret_must_present_it_for_a_device_too() {
    let stand = Stand::start().await;
    let mut confidential = client("vault", ClientOrigin::PreRegistered);
    confidential.secret = Some(digest("open sesame"));
    confidential.metadata.token_endpoint_auth_method = AuthMethod::ClientSecretPost;
    stand.add(confidential).await;
    let form = [("client_id", "vault"), ("resource", ECHO)];
    let told = stand.post("/device_authorization", &form).await;
    assert_eq!(told.error(), "401 invalid_client");
    let form = [
        ("client_id", "vault"),
        ("client_secret", "open sesame"),
        ("resource", ECHO),
    ];
    let told = stand.post("/oauth/device_authorization", &form).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
}

#[actix_web::test]
async fn resource_and_scope_mean_what_they_mean_at_authorize() {
    let stand = Stand::start().await;
    for (name, value, error) in [
        ("resource", "https://other.example.com/mcp", "400 invalid_target"),
        ("scope", "a\"b", "400 invalid_scope"),
    ] {
        let form = [("client_id", stand.client.as_str()), (name, value)];
        let told = stand.post("/device_authorization", &form).await;
        assert_eq!(told.error(), error);
    }
    let asked = stand.ask("nonsense").await;
    let browser = Browser::new(&stand.site);
    stand.allow(&browser, &asked.text("user_code")).await;
    let told = stand.poll(&asked.text("device_code")).await;
    assert_eq!(told.text("scope"), "read");
}

#[actix_web::test]
async fn a_device_may_name_the_resource_again_and_no_other() {
    let stand = Stand::start().await;
    let asked = stand.ask("read").await;
    let browser = Browser::new(&stand.site);
    stand.allow(&browser, &asked.text("user_code")).await;
    let code = asked.text("device_code");
    let form = |resource: &'static str| {
        [
            ("grant_type", DEVICE_CODE.to_owned()),
            ("client_id", stand.client.clone()),
            ("device_code", code.clone()),
            ("resource", resource.to_owned()),
        ]
    };
    let post = async |form: [(&'static str, String); 4]| {
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        stand.post("/token", &form).await
    };
    let told = post(form("https://other.example.com/mcp")).await;
    assert_eq!(told.error(), "400 invalid_target");
    let told = post(form(ECHO)).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
}

#[actix_web::test]
async fn requests_for_devices_are_limited_by_address() {
    let stand = Stand::start_with(|settings| {
        settings.limits.device = mcp_gateway_auth_server::Limits::default().device;
    })
    .await;
    let form = [("client_id", stand.client.as_str()), ("resource", ECHO)];
    let mut answers = Vec::new();
    for _ in 0..11 {
        answers.push(stand.post("/device_authorization", &form).await.status);
    }
    assert_eq!(
        answers.iter().filter(|status| **status == StatusCode::OK).count(),
        10
    );
    assert_eq!(answers.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
}
