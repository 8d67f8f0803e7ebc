//! What a description has to say (Client ID Metadata Document §4).

use mcp_gateway_model::{
    client::{AuthMethod, ClientMetadata},
    id::ClientId,
    issuer::Issuer,
};
use serde_json::Value;

use crate::{
    door::Rejection,
    register::{JsonObject, Rules, read_metadata},
};

/// Members that a description must not have: everybody can read it.
const SECRET: [&str; 2] = ["client_secret", "client_secret_expires_at"];

/// How a client can prove itself that shares no secret with us.
const WITHOUT_SECRET: [AuthMethod; 2] = [AuthMethod::None, AuthMethod::PrivateKeyJwt];

/// The metadata of the client `id` in the text that was read there. It is held to the rules of registrations.
pub(super) fn read(text: &str, id: &ClientId, issuer: &Issuer) -> Result<ClientMetadata, String> {
    let told = |rejection: Rejection| rejection.description().to_owned();
    let mut members = JsonObject::parse(text.as_bytes())
        .map_err(|rejection| told(rejection).replace("the body", "it"))?
        .members()
        .clone();
    if members.get("client_id").and_then(Value::as_str) != Some(id.as_str()) {
        return Err("its client_id must be exactly the address at which it is".into());
    }
    if let Some(name) = SECRET.iter().find(|name| members.contains_key(**name)) {
        return Err(format!("it must not have a {name}: everybody can read it"));
    }
    let method = members
        .entry("token_endpoint_auth_method")
        .or_insert_with(|| AuthMethod::None.as_str().into());
    if !WITHOUT_SECRET.iter().any(|allowed| *method == allowed.as_str()) {
        return Err("its token_endpoint_auth_method must be none or private_key_jwt".into());
    }
    let metadata = read_metadata(&members, &Rules::of_document(issuer)).map_err(told)?;
    // MCP 2026-07-28, Client Registration, demands it: people are asked about it by name.
    if metadata.client_name.is_none() {
        return Err("it must have a client_name".into());
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "https://client.example.com/x";

    fn judged(change: impl FnOnce(&mut Value)) -> Result<ClientMetadata, String> {
        let mut document = json!({
            "client_id": ID,
            "client_name": "A client",
            "redirect_uris": ["https://client.example.com/cb"],
        });
        change(&mut document);
        let issuer = Issuer::parse("https://auth.example.org").unwrap();
        read(&document.to_string(), &ClientId::parse(ID).unwrap(), &issuer)
    }

    #[test]
    fn a_client_without_a_method_is_a_public_one() {
        let read = judged(|_| {}).unwrap();
        assert_eq!(read.token_endpoint_auth_method, AuthMethod::None);
        assert_eq!(read.client_name.as_deref(), Some("A client"));
    }

    #[test]
    fn the_id_must_be_the_address_byte_for_byte() {
        for other in [
            json!("https://client.example.com/x/"),
            json!("https://CLIENT.example.com/x"),
            json!(""),
            json!(1),
            json!(null),
        ] {
            let refused = judged(|document| document["client_id"] = other.clone()).unwrap_err();
            assert_eq!(
                refused, "its client_id must be exactly the address at which it is",
                "{other}"
            );
        }
    }

    #[test]
    fn secrets_and_methods_with_secrets_are_refused() {
        for (name, value) in [
            ("client_secret", json!("x")),
            ("client_secret", json!("")),
            ("client_secret_expires_at", json!(0)),
            ("token_endpoint_auth_method", json!("client_secret_basic")),
            ("token_endpoint_auth_method", json!("client_secret_post")),
            ("token_endpoint_auth_method", json!("client_secret_jwt")),
            ("token_endpoint_auth_method", json!("tls_client_auth")),
            ("token_endpoint_auth_method", json!(["none"])),
        ] {
            assert!(
                judged(|document| document[name] = value.clone()).is_err(),
                "{name} {value}"
            );
        }
    }

    #[test]
    fn what_would_not_be_registered_is_not_accepted_here() {
        for (name, value) in [
            ("redirect_uris", json!(null)),
            ("redirect_uris", json!([])),
            ("redirect_uris", json!("https://client.example.com/cb")),
            ("redirect_uris", json!(["javascript:alert(1)"])),
            ("redirect_uris", json!(["http://client.example.com/cb"])),
            ("redirect_uris", json!(["https://auth.example.org/callback"])),
            ("grant_types", json!(["implicit"])),
            ("response_types", json!(["token"])),
            ("client_name", json!(null)),
            ("client_name", json!("x".repeat(201))),
            ("logo_uri", json!("javascript:alert(1)")),
        ] {
            assert!(
                judged(|document| document[name] = value.clone()).is_err(),
                "{name} {value}"
            );
        }
        for text in [
            "",
            "[]",
            "\"x\"",
            "{",
            "{\"client_id\":\"x\",\"client_id\":\"y\"}",
        ] {
            let issuer = Issuer::parse("https://auth.example.org").unwrap();
            assert!(
                read(text, &ClientId::parse(ID).unwrap(), &issuer).is_err(),
                "{text}"
            );
        }
    }
}
