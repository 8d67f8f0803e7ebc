//! What is counted.

use prometheus::{Encoder, TextEncoder};

use crate::stand::{ECHO, Stand, about};

#[actix_web::test]
async fn outcomes_are_counted_by_reason_and_no_client_chooses_a_label() {
    let stand = Stand::new();
    stand.verify(&stand.token()).await;
    stand.verify("secret-looking").await;
    stand.ask(about(ECHO)).await;
    stand.ask(about(ECHO)).await;
    stand.ask(about("https://evil.example/chosen-by-client")).await;
    let mut text = Vec::new();
    TextEncoder::new()
        .encode(&stand.registry.gather(), &mut text)
        .unwrap();
    let text = String::from_utf8(text).unwrap();
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
