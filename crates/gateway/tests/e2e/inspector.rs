//! MCP Inspector as it is published, in Chromium, against `dev`: what the README says, done by a person.

use serde_json::{Value, json};

use crate::support::{browser::drive, dev::Dev, process::free_port};

/// What it is told to say.
const MESSAGE: &str = "Hello from MCP Inspector";

#[tokio::test]
async fn mcp_inspector_connects_logs_in_lists_the_tools_and_calls_one() {
    let dev = Dev::start().await;
    let client_port = free_port().to_string();
    let home = dev.directory.path().to_str().unwrap();
    let said = format!("message={MESSAGE}");
    let arguments = [&dev.mcp_url(), &client_port, home, "echo", &said];
    let seen = drive(None, "inspector.mjs", &arguments).await;

    let pages = json!([
        format!("Allow access? · localhost:{}", dev.port),
        "Choose a user · Stand-in GitHub"
    ]);
    assert_eq!(seen["pages"], pages, "{}", dev.output());
    let tools: Vec<_> = seen["tools"].as_array().unwrap().iter().collect();
    assert_eq!(seen["count"], tools.len());
    for tool in ["echo", "headers"] {
        assert!(tools.contains(&&Value::from(tool)), "{tools:?}");
    }
    let text = seen["text"].as_str().unwrap();
    assert!(text.contains(&format!("Results\n{MESSAGE}\n")), "{text}");
}
