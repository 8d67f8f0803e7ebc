//! What the official MCP conformance suite wants a server to have, by the suite's own names: tools that answer with every kind of
//! content, that ask their client something in the middle of a call, and prompts and resources. They are there on request, to
//! show that nothing of MCP is lost on the way through a gateway.

mod ask;
mod changes;
mod handler;
mod offers;
mod rounds;

use rmcp::{
    ErrorData, RoleServer,
    model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Tool},
    service::RequestContext,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(super) use changes::Changes;
pub(super) use handler::Offer;

/// One red pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
/// A thousandth of a second of silence.
const WAV: &str = "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA==";

/// What no tool of the sample's own asks of a client.
const TALKING: [(&str, &str); 9] = [
    ("test_tool_with_logging", "Writes three lines to the client's log"),
    (
        "test_logging_tool",
        "Writes a line to the client's log, if that wants one",
    ),
    (
        "test_tool_with_progress",
        "Tells the client three times how far it is",
    ),
    ("test_sampling", "Asks the client's model something"),
    ("test_elicitation", "Asks the person something"),
    (
        "test_elicitation_sep1034_defaults",
        "Asks the person with answers filled in",
    ),
    ("test_elicitation_sep1330_enums", "Asks the person to choose"),
    ("test_missing_capability", "Needs a client that has a model"),
    ("test_x_mcp_header", "Has an argument that is in a header too"),
];

/// All tools.
fn tools() -> Vec<Tool> {
    let plain = PLAIN
        .iter()
        .map(|name| (*name, "Answers with one kind of content"));
    let rounds = rounds::NAMES
        .iter()
        .map(|name| (*name, "Asks back, and goes on with the answers"));
    let changes = changes::NAMES
        .iter()
        .map(|name| (*name, "Says that a list has changed"));
    let all = plain.chain(TALKING).chain(rounds).chain(changes);
    all.filter_map(|(name, does)| tool(name, does)).collect()
}

fn tool(name: &'static str, does: &'static str) -> Option<Tool> {
    match arguments(name) {
        Value::Object(schema) => Some(Tool::new(name, does, schema)),
        _ => None,
    }
}

/// The schema of a tool's arguments.
fn arguments(tool: &str) -> Value {
    let of = |properties: Value, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required });
    match tool {
        "test_sampling" => of(json!({ "prompt": { "type": "string" } }), &["prompt"]),
        "test_elicitation" => of(json!({ "message": { "type": "string" } }), &["message"]),
        "test_x_mcp_header" => of(
            json!({ "region": { "type": "string", "x-mcp-header": "Region" } }),
            &["region"],
        ),
        "json_schema_2020_12_tool" => dialect(),
        _ => of(json!({}), &[]),
    }
}

/// A schema with what few servers use of JSON Schema 2020-12; it has to arrive as it is.
fn dialect() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
            },
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}

/// Tools whose answer is always the same.
const PLAIN: [&str; 7] = [
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_error_handling",
    "json_schema_2020_12_tool",
];

fn plain(tool: &str) -> Option<Result<CallToolResponse, ErrorData>> {
    let image = || json!({ "type": "image", "data": PNG, "mimeType": "image/png" });
    let content = match tool {
        "test_simple_text" => json!([text("This is a simple text response for testing.")]),
        "test_image_content" => json!([image()]),
        "test_audio_content" => json!([{ "type": "audio", "data": WAV, "mimeType": "audio/wav" }]),
        "test_embedded_resource" => json!([embedded(
            "test://embedded-resource",
            "text/plain",
            "This is an embedded resource content."
        )]),
        "test_multiple_content_types" => json!([
            text("Multiple content types test:"),
            image(),
            embedded(
                "test://mixed-content-resource",
                "application/json",
                r#"{"test":"data","value":123}"#
            ),
        ]),
        "test_error_handling" => json!([text("This tool intentionally returns an error for testing")]),
        "json_schema_2020_12_tool" => json!([text("the arguments are as they should be")]),
        _ => return None,
    };
    let content = typed::<Vec<ContentBlock>>(content);
    Some(content.map(|content| {
        match tool {
            "test_error_handling" => CallToolResult::error(content),
            _ => CallToolResult::success(content),
        }
        .into()
    }))
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn embedded(uri: &str, kind: &str, text: &str) -> Value {
    json!({ "type": "resource", "resource": { "uri": uri, "mimeType": kind, "text": text } })
}

/// What is written as JSON here, as the protocol's type.
fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// A tool's answer in words.
#[expect(clippy::unnecessary_wraps, reason = "it ends functions that can fail")]
fn said(words: impl Into<String>) -> Result<CallToolResponse, ErrorData> {
    Ok(CallToolResult::success(vec![ContentBlock::text(words)]).into())
}

/// Calls the tool, if it is one of these. `level` is what the session wants in its log.
async fn call(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
    level: Option<ask::Level>,
) -> Result<CallToolResponse, ErrorData> {
    if let Some(answer) = plain(&request.name) {
        return answer;
    }
    if rounds::NAMES.contains(&&*request.name) {
        return rounds::call(request, context);
    }
    ask::call(request, context, level).await
}
