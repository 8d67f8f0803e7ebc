//! Client authentication: <https://www.rfc-editor.org/rfc/rfc6749#section-2.3>.

use base64::{Engine, engine::general_purpose::STANDARD};
use mcp_gateway_auth_server::Limits;
use reqwest::StatusCode;

use crate::support::desk::{Desk, REDIRECT, Registered, VERIFIER};

#[actix_web::test]
async fn a_client_that_has_a_secret_must_present_it() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let code = desk.code(&client).await;
    for secret in [None, Some(""), Some("mcp_cs_wrong")] {
        let answer = desk.redeem(&client, &code, &[("client_secret", secret)]).await;
        assert_eq!(answer.error(), "401 invalid_client", "{secret:?}");
    }
    let answer = desk.redeem(&client, &code, &[]).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "the failures have not used the code"
    );
}

#[actix_web::test]
async fn a_client_that_has_a_secret_cannot_refresh_without_it() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    for secret in [None, Some(""), Some("mcp_cs_wrong")] {
        let answer = desk
            .refresh(&client, &refresh, &[("client_secret", secret)])
            .await;
        assert_eq!(answer.error(), "401 invalid_client", "{secret:?}");
    }
    let answer = desk.refresh(&client, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "the failures have not used it");
}

#[actix_web::test]
async fn a_secret_may_come_in_the_header_or_in_the_form_but_not_in_both() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let secret = client.secret.clone().unwrap();
    let basic = |secret: &str| format!("Basic {}", STANDARD.encode(format!("{}:{secret}", client.id)));
    let code = desk.code(&client).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let wrong = desk
        .form_with("/token", &[("authorization", &basic("wrong"))], &form)
        .await;
    assert_eq!(wrong.error(), "401 invalid_client");
    assert!(wrong.header("www-authenticate").starts_with("Basic realm="));
    let mut both = form.to_vec();
    both.push(("client_secret", &secret));
    let both = desk
        .form_with("/token", &[("authorization", &basic(&secret))], &both)
        .await;
    assert_eq!(both.error(), "400 invalid_request");
    let good = desk
        .form_with("/token", &[("authorization", &basic(&secret))], &form)
        .await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.text);
}

#[actix_web::test]
async fn an_unknown_client_and_a_wrong_secret_get_the_same_answer() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let nobody = Registered {
        id: "mcp_client_nobody".into(),
        ..client.clone()
    };
    let unknown = desk.redeem(&nobody, "x", &[]).await;
    let wrong = desk
        .redeem(&client, "x", &[("client_secret", Some("wrong"))])
        .await;
    assert_eq!(unknown.error(), "401 invalid_client");
    assert_eq!(unknown.text, wrong.text);
}

#[actix_web::test]
async fn every_401_names_a_scheme_to_authenticate_with() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let id = ("client_id", client.id.as_str());
    for path in ["/token", "/revoke", "/introspect"] {
        for form in [vec![], vec![id], vec![id, ("client_secret", "wrong")]] {
            let answer = desk.form(path, &form).await;
            assert_eq!(answer.error(), "401 invalid_client", "{path}");
            let challenge = answer.header("www-authenticate");
            assert!(
                challenge.starts_with("Basic realm=\"clients\""),
                "{path} {challenge}"
            );
        }
    }
}

#[actix_web::test]
async fn a_public_client_that_presents_a_secret_is_not_believed() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let code = desk.code(&client).await;
    let answer = desk
        .redeem(&client, &code, &[("client_secret", Some("something"))])
        .await;
    assert_eq!(answer.error(), "401 invalid_client");
    let answer = desk.redeem(&client, &code, &[("client_secret", Some(""))]).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "an empty parameter counts as not sent"
    );
}

#[actix_web::test]
async fn whoever_guesses_secrets_is_slowed_down_and_locks_nobody_else_out() {
    let desk = Desk::start_with(|settings| {
        settings.limits.client_failures = Limits::default().client_failures;
    })
    .await;
    let client = desk.confidential_client().await;
    let secret = client.secret.clone().unwrap();
    let guess = async |address: &str, secret: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "x"),
            ("client_id", client.id.as_str()),
            ("client_secret", secret),
        ];
        desk.form_with("/token", &[("x-forwarded-for", address)], &form)
            .await
    };
    for _ in 0..10 {
        assert_eq!(guess("203.0.113.9", "wrong").await.error(), "401 invalid_client");
    }
    let slowed = guess("203.0.113.9", "wrong").await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = slowed.header("retry-after").parse().unwrap();
    assert!(wait > 0);
    for address in ["203.0.113.9", "198.51.100.7"] {
        let right = guess(address, &secret).await;
        assert_eq!(right.error(), "400 invalid_grant", "the client itself goes on");
    }
    let slowed = guess("203.0.113.9", "wrong").await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS);
    desk.advance(wait);
    assert_eq!(guess("203.0.113.9", "wrong").await.error(), "401 invalid_client");
}

#[actix_web::test]
async fn whoever_guesses_for_many_clients_from_one_address_is_slowed_down() {
    let desk = Desk::start().await;
    let mut statuses = Vec::new();
    for _ in 0..50 {
        let client = desk.confidential_client().await;
        let wrong = [("client_secret", Some("wrong"))];
        statuses.push(desk.refresh(&client, "x", &wrong).await.status.as_u16());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 40);
    assert!(statuses[40..].iter().all(|status| *status == 429));
}

#[actix_web::test]
async fn unknown_clients_are_no_guesses_and_keep_nobody_at_their_address_waiting() {
    let desk = Desk::start().await;
    let (public, confidential) = (desk.public_client().await, desk.confidential_client().await);
    let (_, refresh) = desk.tokens(&public).await;
    for secret in [None, Some("mcp_cs_stale")] {
        let stale = Registered {
            id: "mcp_client_stale".into(),
            secret: secret.map(ToOwned::to_owned),
            ..public.clone()
        };
        for _ in 0..50 {
            let answer = desk.refresh(&stale, "x", &[]).await;
            assert_eq!(answer.error(), "401 invalid_client");
        }
    }
    let answer = desk.refresh(&public, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = desk.refresh(&confidential, "x", &[]).await;
    assert_eq!(answer.error(), "400 invalid_grant");
}

#[actix_web::test]
async fn a_public_client_goes_on_at_an_address_where_secrets_are_guessed() {
    let desk = Desk::start().await;
    let (public, confidential) = (desk.public_client().await, desk.confidential_client().await);
    let (_, refresh) = desk.tokens(&public).await;
    let wrong = [("client_secret", Some("wrong"))];
    let mut last = desk.refresh(&confidential, "x", &wrong).await;
    for _ in 0..10 {
        last = desk.refresh(&confidential, "x", &wrong).await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    let answer = desk.refresh(&public, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}
