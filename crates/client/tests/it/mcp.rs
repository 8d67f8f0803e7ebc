//! Conversations with MCP servers.

use mcp_gateway_client::{
    connection::Means,
    http::{Http, Settings},
    mcp::{McpFault, Session},
};
use serde_json::{Value, json};

use crate::{
    connection::entered,
    support::{
        authority::{Authority, State},
        site::{self, Site},
    },
};

fn nobody() -> mcp_gateway_client::mcp::Listener {
    Box::new(|_| {})
}

#[tokio::test]
async fn a_list_that_never_ends_is_given_up() {
    let site = Site::start(|_, asked| {
        let request: Value = serde_json::from_str(&asked.body).unwrap();
        let cursor = request["params"]["cursor"].as_str().unwrap_or("0");
        let next: u32 = cursor.parse().unwrap();
        let padding = "x".repeat(4 * 1024 * 1024);
        let tool =
            json!({"name": format!("t{next}"), "inputSchema": {"type": "object"}, "description": padding});
        let result = match request["method"].as_str() {
            Some("tools/list") => json!({"tools": [tool], "nextCursor": (next + 1).to_string()}),
            _ => json!({"supportedVersions": ["2026-07-28"]}),
        };
        site::json(
            200,
            &json!({"jsonrpc": "2.0", "id": request["id"], "result": result}),
        )
    });
    let http = Http::new(Settings::default()).unwrap();
    let mut session = Session::open(&http, site.at("/mcp"), nobody()).await.unwrap();
    let fault = session.tools().await.unwrap_err();
    assert!(matches!(fault, McpFault::TooLarge(_)), "{fault}");
    assert!(site.lines().len() < 8, "{}", site.lines().len());
}

#[tokio::test]
async fn a_program_says_by_which_extension_its_tokens_come() {
    let authority = Authority::start(State::default());
    let profile = entered(authority.site.url.clone());
    let program = authority.connection(profile, Means::Client);
    let session = Session::open(&program, authority.mcp(), nobody()).await.unwrap();
    session.close().await;
    let expected = json!({"extensions": {"io.modelcontextprotocol/oauth-client-credentials": {}}});
    let said: Vec<Value> = authority
        .all("/mcp")
        .iter()
        .map(|asked| serde_json::from_str(&asked.body).unwrap())
        .collect();
    let modern = &said[0]["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
    assert_eq!(modern, &expected);
    let initialize = said.iter().find(|one| one["method"] == "initialize").unwrap();
    assert_eq!(initialize["params"]["capabilities"], expected);
    // a person's program says nothing of that
    let person = authority.program();
    assert_eq!(person.extension(), None);
}
