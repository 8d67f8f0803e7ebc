//! Cursor; VS Code and the Copilot that comes with it.

use serde_json::json;

use super::{
    credentials::Credentials,
    replay::{Ask, Replay, text, wanted},
};

#[tokio::test]
async fn cursor_registers_its_scheme_an_https_and_a_loopback_callback_together() {
    let replay = Replay::start("2025-06-18").await;
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    let listed = found.resource["scopes_supported"].as_array();
    let scope = listed
        .into_iter()
        .flatten()
        .map(text)
        .collect::<Vec<_>>()
        .join(" ");
    let redirects = [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ];
    let metadata = json!({
        "client_name": "Cursor",
        "redirect_uris": redirects,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    let registered = replay.register(&found, &metadata).await;
    assert_eq!(registered["redirect_uris"], json!(redirects));
    let client = Credentials::registered(&registered);
    let url = replay.url();
    for redirect_uri in redirects {
        let ask = Ask {
            redirect_uri,
            scope: Some(&scope).filter(|scope| !scope.is_empty()).map(String::as_str),
            resource: Some(&url),
        };
        let held = replay.log_in(&found, &client, &ask).await;
        assert_eq!(held.scope, scope);
        replay.calls(&held.access).await;
        let fresh = replay.refresh(&found, &client, &ask, &held.refresh).await;
        replay.calls(&fresh.access).await;
    }
}

#[tokio::test]
async fn vs_code_registers_four_redirects_and_comes_back_on_another_port() {
    let replay = Replay::start("2025-11-25").await;
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    let scope = wanted(&challenge, &found);
    let redirects = [
        "https://insiders.vscode.dev/redirect",
        "https://vscode.dev/redirect",
        "http://127.0.0.1/",
        "http://127.0.0.1:33418/",
    ];
    let metadata = json!({
        "client_name": "Visual Studio Code",
        "client_uri": "https://code.visualstudio.com",
        "redirect_uris": redirects,
        "grant_types": [
            "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "scope": scope,
    });
    let registered = replay.register(&found, &metadata).await;
    assert_eq!(registered["redirect_uris"], json!(redirects));
    let client = Credentials::registered(&registered);
    let url = replay.url();
    for redirect_uri in [redirects[1], "http://127.0.0.1:33418/", "http://127.0.0.1:51234/"] {
        let ask = Ask {
            redirect_uri,
            scope: Some(&scope),
            resource: Some(&url),
        };
        let held = replay.log_in(&found, &client, &ask).await;
        replay.calls(&held.access).await;
    }
}

#[tokio::test]
async fn copilot_compares_every_issuer_strictly() {
    let replay = Replay::start("2025-11-25").await;
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    let issuer = replay.world.issuer();
    assert_eq!(found.resource["authorization_servers"], json!([issuer]));
    // wherever the document is read, it names the one issuer
    for place in ["oauth-authorization-server", "openid-configuration"] {
        let at_issuer = replay.document(&format!("{issuer}/.well-known/{place}")).await;
        let at_host = replay
            .document(&replay.at_host(&format!("/.well-known/{place}")))
            .await;
        assert_eq!(at_issuer["issuer"], issuer);
        assert_eq!(at_host, at_issuer);
    }
    let metadata = json!({
        "client_name": "GitHub Copilot CLI",
        "redirect_uris": ["http://127.0.0.1/"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    });
    let client = Credentials::registered(&replay.register(&found, &metadata).await);
    let url = replay.url();
    let ask = Ask {
        redirect_uri: "http://127.0.0.1:40321/",
        resource: Some(&url),
        ..Ask::default()
    };
    let back = replay.authorize(&found, client.id(), &ask).await;
    assert_eq!(back["iss"], issuer);
    let held = replay.log_in(&found, &client, &ask).await;
    replay.calls(&held.access).await;
}
