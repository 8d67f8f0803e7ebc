//! What is counted.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use mcp_gateway_model::id::ClientId;
use prometheus::{Encoder, TextEncoder};

use serde_json::{Value, json};

use crate::{
    signer::Signer,
    stand::{ECHO, NOW, Stand, about, asking, grant},
};

fn counted(stand: &Stand) -> String {
    let mut text = Vec::new();
    TextEncoder::new()
        .encode(&stand.registry.gather(), &mut text)
        .unwrap();
    String::from_utf8(text).unwrap()
}

#[actix_web::test]
async fn outcomes_are_counted_by_reason_and_no_client_chooses_a_label() {
    let stand = Stand::new();
    stand.verify(&stand.token()).await;
    stand.verify("secret-looking").await;
    stand.ask(about(ECHO)).await;
    stand.ask(about(ECHO)).await;
    stand.ask(about("https://evil.example/chosen-by-client")).await;
    let text = counted(&stand);
    for line in [
        r#"mcp_gateway_verify_total{outcome="admitted"} 1"#,
        r#"mcp_gateway_verify_total{outcome="malformed_token"} 1"#,
        r#"mcp_gateway_verify_total{outcome="no_token"} 2"#,
        r#"mcp_gateway_verify_total{outcome="not_protected"} 1"#,
        r#"mcp_gateway_verify_total{outcome="store_unavailable"} 0"#,
        "mcp_gateway_verify_seconds_count 5",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("evil") && !text.contains("secret"));
}

#[actix_web::test]
async fn every_cause_is_counted_under_its_own_code() {
    let stand = Stand::new();
    let bearer = |token: &str| about(ECHO).insert_header(("authorization", format!("Bearer {token}")));
    let mut differs = grant(ECHO);
    differs.client = ClientId::parse("another").unwrap();
    stand.store.put(&differs);
    let forged = Signer::ed25519().sign(&stand.signer.header(), &stand.claims());
    for (request, code) in [
        (
            about(ECHO).peer_addr("203.0.113.9:1".parse().unwrap()),
            "untrusted_peer",
        ),
        (asking("/verify", "10.0.0.1:1"), "forwarded_headers"),
        (about("https://unknown.example.com"), "not_protected"),
        (about(ECHO), "no_token"),
        (
            bearer("x").append_header(("authorization", "y")),
            "several_credentials",
        ),
        (bearer("x"), "malformed_token"),
        (
            bearer(&format!("mcp_rt_{}.1.x", stand.grant.id)),
            "refresh_token_as_bearer",
        ),
        (
            bearer(&stand.token_headed("crit", json!([]))),
            "unexpected_header",
        ),
        (bearer(&stand.token_headed("typ", json!("JWT"))), "wrong_type"),
        (bearer(&stand.token_headed("kid", Value::Null)), "unknown_key"),
        (
            bearer(&stand.token_headed("alg", json!("HS256"))),
            "wrong_algorithm",
        ),
        (bearer(&forged), "bad_signature"),
        (bearer(&stand.token_where("jti", Value::Null)), "bad_claims"),
        (bearer(&stand.token_where("iss", json!("x"))), "wrong_issuer"),
        (
            bearer(&stand.token_where("aud", json!("https://other.example.com"))),
            "wrong_audience",
        ),
        (bearer(&stand.token_where("exp", json!(NOW))), "expired"),
        (
            bearer(&stand.token_where("iat", json!(NOW + 61))),
            "not_yet_valid",
        ),
        (
            bearer(&stand.token_where("grant", json!("A".repeat(22)))),
            "grant_ended",
        ),
        (
            bearer(&stand.token_where("grant", json!(differs.id.as_str()))),
            "grant_differs",
        ),
    ] {
        stand.ask(request).await;
        let line = format!("mcp_gateway_verify_total{{outcome=\"{code}\"}} 1\n");
        assert!(counted(&stand).contains(&line), "{code}");
    }
    stand.store.fail(true);
    stand.verify(&stand.token()).await;
    assert!(counted(&stand).contains("mcp_gateway_verify_total{outcome=\"store_unavailable\"} 1\n"));
    assert!(counted(&stand).contains("mcp_gateway_verify_total{outcome=\"admitted\"} 0\n"));
}
