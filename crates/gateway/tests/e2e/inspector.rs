//! MCP Inspector as it is published, in Chromium, against `dev`: what the README says, done by a person.

use serde_json::{Value, json};

use crate::support::{browser::drive, dev::Dev, process::free_port};

/// The tools that it has to list.
const TOOLS: [&str; 8] = [
    "oauth_authenticate",
    "get_user_profile",
    "get_data",
    "create_data",
    "update_data",
    "delete_data",
    "echo",
    "headers",
];

#[tokio::test]
async fn mcp_inspector_connects_logs_in_lists_the_tools_and_calls_one() {
    let dev = Dev::start().await;
    let client_port = free_port().to_string();
    let home = dev.directory.path().to_str().unwrap();
    let arguments = [
        &dev.mcp_url(),
        &client_port,
        home,
        "get_user_profile",
        "\"octocat\"",
    ];
    let seen = drive(None, "inspector.mjs", &arguments).await;

    let pages = json!([
        format!("Allow access? · localhost:{}", dev.port),
        "Choose a user · Stand-in GitHub"
    ]);
    assert_eq!(seen["pages"], pages, "{}", dev.output());
    let tools: Vec<_> = seen["tools"].as_array().unwrap().iter().collect();
    assert_eq!(seen["count"], tools.len());
    for tool in TOOLS {
        assert!(tools.contains(&&Value::from(tool)), "{tools:?}");
    }
    let text = seen["text"].as_str().unwrap();
    let results = text.split("\nResults\n").nth(1).unwrap();
    assert!(results.contains("\"login\": \"octocat\""), "{results}");
}
