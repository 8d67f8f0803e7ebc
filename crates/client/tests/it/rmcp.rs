//! The official Rust SDK over a connection of ours.

use std::{sync::Arc, time::Duration};

use mcp_gateway_client::{connection::Means, identity::Profile, rmcp::Authorized};
use rmcp::{
    ServiceExt,
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};

use crate::support::authority::{Authority, State};

fn transport(authority: &Authority, client: Authorized) -> StreamableHttpClientTransport<Authorized> {
    let config = StreamableHttpClientTransportConfig::with_uri(authority.mcp().to_string());
    StreamableHttpClientTransport::with_client(client, config)
}

#[tokio::test]
async fn the_sdk_lists_tools_of_a_protected_server_and_its_token_is_refreshed() {
    let authority = Authority::start(State::default());
    let client = Authorized::new(Arc::new(authority.program()));
    let client = ().serve(transport(&authority, client)).await.unwrap();
    assert_eq!(client.list_all_tools().await.unwrap()[0].name, "echo");
    authority.clock.advance(Duration::from_secs(3600));
    assert_eq!(client.list_all_tools().await.unwrap()[0].name, "echo");
    assert_eq!(
        (
            authority.count("/authorize"),
            authority.grants("refresh_token").len()
        ),
        (1, 1)
    );
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn the_sdk_is_told_when_a_login_is_needed() {
    let authority = Authority::start(State::default());
    let kept = authority.connection(Profile::native("Test"), Means::Kept);
    let fault = ().serve(transport(&authority, Authorized::new(Arc::new(kept)))).await.unwrap_err();
    let text = format!("{fault:?} {fault}");
    assert!(
        text.contains("LoginNeeded") || text.contains("a login is needed"),
        "{text}"
    );
}
