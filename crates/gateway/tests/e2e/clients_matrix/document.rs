//! Clients that are known by the address of their metadata, in place of a registration.

use serde_json::{Value, json};

use super::{
    credentials::{Credentials, Signing},
    replay::{Ask, Discovered, Replay, wanted},
};
use crate::support::{browser::drive, process::free_port, published::Published, signer::Signer};

fn metadata(name: &str, redirects: &[&str]) -> Value {
    json!({
        "client_name": name,
        "redirect_uris": redirects,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    })
}

/// What such a client looks at before it uses its address as its id.
async fn discovered(replay: &Replay) -> (Discovered, String) {
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    assert_eq!(found.server["client_id_metadata_document_supported"], true);
    let methods = found.server["token_endpoint_auth_methods_supported"].as_array();
    assert!(methods.unwrap().contains(&json!("none")));
    let scope = wanted(&challenge, &found);
    (found, scope)
}

/// Logs in, calls, refreshes, calls.
async fn goes_through(replay: &Replay, client: &Credentials, ask: &Ask<'_>) {
    let (found, scope) = discovered(replay).await;
    let ask = Ask {
        scope: Some(&scope),
        ..*ask
    };
    let held = replay.log_in(&found, client, &ask).await;
    replay.calls(&held.access).await;
    let fresh = replay.refresh(&found, client, &ask, &held.refresh).await;
    assert_ne!(fresh.refresh, held.refresh);
    replay.calls(&fresh.access).await;
}

#[tokio::test]
async fn claude_is_known_by_its_document() {
    let mut published = Published::new();
    let callbacks = [
        "https://claude.ai/api/mcp/auth_callback",
        "https://claude.com/api/mcp/auth_callback",
    ];
    let id = published.client(
        "claude.ai/oauth/mcp-oauth-client-metadata",
        metadata("Claude", &callbacks),
    );
    let replay = Replay::with("2025-11-25", published.world().await);
    let url = replay.url();
    for redirect_uri in callbacks {
        let ask = Ask {
            redirect_uri,
            resource: Some(&url),
            ..Ask::default()
        };
        goes_through(&replay, &Credentials::Public(id.clone()), &ask).await;
    }
}

#[tokio::test]
async fn claude_code_is_known_by_its_document_and_listens_on_a_random_port() {
    let mut published = Published::new();
    let callbacks = ["http://localhost/callback", "http://127.0.0.1/callback"];
    let place = "claude.ai/oauth/claude-code-client-metadata";
    let id = published.client(place, metadata("Claude Code", &callbacks));
    let replay = Replay::with("2025-11-25", published.world().await);
    let slashed = format!("{}/", replay.url());
    // two devices share the id, and neither ends what the other holds
    let (found, _) = discovered(&replay).await;
    let client = Credentials::Public(id);
    let mut devices = Vec::new();
    for host in ["localhost", "127.0.0.1"] {
        let redirect = format!("http://{host}:{}/callback", free_port());
        let ask = Ask {
            redirect_uri: &redirect,
            resource: Some(&slashed),
            ..Ask::default()
        };
        devices.push(replay.log_in(&found, &client, &ask).await);
        goes_through(&replay, &client, &ask).await;
    }
    for device in devices {
        replay.calls(&device.access).await;
    }
}

#[tokio::test]
async fn vs_code_is_known_by_its_document() {
    let mut published = Published::new();
    let callbacks = [
        "http://127.0.0.1:33418/",
        "http://127.0.0.1/",
        "https://vscode.dev/redirect",
    ];
    let place = "vscode.dev/oauth/client-metadata.json";
    let id = published.client(place, metadata("Visual Studio Code", &callbacks));
    let replay = Replay::with("2025-11-25", published.world().await);
    let url = replay.url();
    for redirect_uri in ["https://vscode.dev/redirect", "http://127.0.0.1:52345/"] {
        let ask = Ask {
            redirect_uri,
            resource: Some(&url),
            ..Ask::default()
        };
        goes_through(&replay, &Credentials::Public(id.clone()), &ask).await;
    }
}

#[tokio::test]
async fn chatgpt_proves_itself_with_a_key_that_its_document_leads_to() {
    let mut published = Published::new();
    let signer = Signer::rs256();
    let mut keys = signer.jwk("key-1");
    (keys["alg"], keys["use"]) = ("RS256".into(), "sig".into());
    published.put("chatgpt.com/oauth/abc123/jwks.json", &json!({ "keys": [keys] }));
    let redirect = "https://chatgpt.com/connector/oauth/abc123";
    let mut document = metadata("ChatGPT", &[redirect]);
    document["token_endpoint_auth_method"] = "private_key_jwt".into();
    document["token_endpoint_auth_signing_alg"] = "RS256".into();
    document["jwks_uri"] = published.url("chatgpt.com/oauth/abc123/jwks.json").into();
    let id = published.client("chatgpt.com/oauth/abc123/client.json", document);
    let replay = Replay::with("2025-11-25", published.world().await);
    let audience = replay.world.issuer();
    let client = Credentials::Key(Signing { id, signer, audience });
    let with_query = format!("{}?connector=abc123", replay.url());
    let ask = Ask {
        redirect_uri: redirect,
        resource: Some(&with_query),
        ..Ask::default()
    };
    goes_through(&replay, &client, &ask).await;
}

#[tokio::test]
async fn a_client_of_2026_07_28_is_known_by_its_document() {
    let mut published = Published::new();
    let mut document = metadata("2026-07-28", &["http://127.0.0.1/callback"]);
    document["application_type"] = "native".into();
    let id = published.client("client.example.com/client.json", document);
    let replay = Replay::with("2026-07-28", published.world().await);
    let redirect = format!("http://127.0.0.1:{}/callback", free_port());
    let url = replay.url();
    let ask = Ask {
        redirect_uri: &redirect,
        resource: Some(&url),
        ..Ask::default()
    };
    goes_through(&replay, &Credentials::Public(id), &ask).await;
}

/// The official SDK, told the address of its document, registers nothing.
async fn the_sdk(major: &str) {
    let mut published = Published::new();
    let document = metadata("TypeScript SDK", &["http://127.0.0.1/callback"]);
    let id = published.client("client.example.com/sdk.json", document);
    let world = published.world().await;
    let arguments = [major, &world.mcp_url(), "octocat", &id];
    let seen = drive(Some(&world), "typescript-sdk.mjs", &arguments).await;
    assert_eq!(seen["registered"]["client_id"], id, "{seen}");
    for called in ["whoami", "whoamiAfterRefresh"] {
        assert!(seen[called].to_string().contains("octocat"), "{seen}");
    }
    assert_eq!(seen["refreshed"], true, "{seen}");
}

#[tokio::test]
async fn the_typescript_sdk_1_is_known_by_its_document() {
    the_sdk("1").await;
}

#[tokio::test]
async fn the_typescript_sdk_2_is_known_by_its_document() {
    the_sdk("2").await;
}
