//! Clients that sign, and requests with what they signed.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use mcp_gateway_model::secret::random_text;
use serde_json::{Value, json};

use super::{
    desk::{Answer, Desk, REDIRECT, Registered, VERIFIER},
    signer::Signer,
};

/// The kind of assertion (RFC 7523 §2.2).
pub(crate) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Whom assertions are for.
pub(crate) const ISSUER: &str = "https://auth.example.com";

/// A client with these keys.
pub(crate) async fn client_with(desk: &Desk, keys: &Value) -> Registered {
    let metadata = json!({
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": keys },
    });
    desk.register(&metadata).await
}

/// A client with one key.
pub(crate) async fn client_of(desk: &Desk, signer: &Signer) -> Registered {
    client_with(desk, &json!([signer.jwk("one")])).await
}

/// What a good assertion says, with `changes` made to it; `null` takes a member out.
pub(crate) fn claims(desk: &Desk, client: &Registered, changes: &Value) -> Value {
    let now = desk.now().secs();
    let mut claims = json!({
        "iss": client.id,
        "sub": client.id,
        "aud": ISSUER,
        "iat": now,
        "exp": now + 60,
        "jti": format!("jti {}", random_text::<16>()),
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    claims
}

/// Redeems a code with this assertion.
pub(crate) async fn redeem(desk: &Desk, client: &Registered, assertion: &str) -> Answer {
    let code = desk.code(client).await;
    redeem_code(desk, &code, assertion).await
}

/// Redeems this code with this assertion.
pub(crate) async fn redeem_code(desk: &Desk, code: &str, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    desk.form("/token", &form).await
}

/// Redeems a code with an assertion that says this, signed by the client's own key.
pub(crate) async fn redeem_saying(
    desk: &Desk,
    client: &Registered,
    signer: &Signer,
    changes: &Value,
) -> Answer {
    let assertion = signer.assertion("one", &claims(desk, client, changes));
    redeem(desk, client, &assertion).await
}
