//! Tools that speak with their client while they are called: they tell it something, or ask it.
#![expect(
    deprecated,
    reason = "sampling and logging are what clients of the older revisions have"
)]

use rmcp::{
    ErrorData, Peer, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, ClientCapabilities, LoggingLevel,
        LoggingMessageNotificationParam, ProgressNotificationParam, ServerRequest,
    },
    service::{RequestContext, ServiceError},
};
use serde_json::{Value, json};

use super::{said, typed};

type Context = RequestContext<RoleServer>;

/// How grave a line of a log is.
pub(super) type Level = LoggingLevel;

pub(super) async fn call(
    request: &CallToolRequestParams,
    context: &Context,
    level: Option<LoggingLevel>,
) -> Result<CallToolResponse, ErrorData> {
    let argument = |name: &str| {
        let arguments = request.arguments.as_ref();
        arguments
            .and_then(|all| all.get(name))
            .cloned()
            .unwrap_or_default()
    };
    match &*request.name {
        "test_tool_with_logging" => {
            for line in ["started", "processing data", "completed"] {
                log(context, level, &format!("Tool execution: {line}")).await?;
            }
            said("it is in the log")
        }
        "test_logging_tool" => {
            log(context, context.meta.log_level(), "somebody wants to know").await?;
            said("it is in the log of whoever wants one")
        }
        "test_tool_with_progress" => progress(context).await,
        "test_sampling" => {
            let message =
                json!({ "role": "user", "content": { "type": "text", "text": argument("prompt") } });
            ask(
                &context.peer,
                "sampling/createMessage",
                json!({ "messages": [message], "maxTokens": 100 }),
            )
            .await
        }
        "test_elicitation" => {
            let username = json!({ "type": "string", "description": "User's response" });
            let email = json!({ "type": "string", "description": "User's email address" });
            let fields = json!({ "username": username, "email": email });
            elicit(
                &context.peer,
                &argument("message"),
                fields,
                &["username", "email"],
            )
            .await
        }
        "test_elicitation_sep1034_defaults" => {
            elicit(&context.peer, &json!("Is this right?"), filled_in(), &[]).await
        }
        "test_elicitation_sep1330_enums" => {
            elicit(&context.peer, &json!("Which of them?"), choices(), &[]).await
        }
        "test_missing_capability" => {
            let client = context.meta.client_capabilities().unwrap_or_default();
            if client.sampling.is_some() {
                return said("the client has a model");
            }
            let required = ClientCapabilities::builder().enable_sampling().build();
            Err(ErrorData::missing_required_client_capability(required))
        }
        _ => said(format!("the region is {}", argument("region"))),
    }
}

/// Writes to the client's log, unless that wants only what is graver, or nothing.
async fn log(context: &Context, wanted: Option<LoggingLevel>, line: &str) -> Result<(), ErrorData> {
    let is_wanted = wanted.is_some_and(|level| matches!(level, LoggingLevel::Debug | LoggingLevel::Info));
    if is_wanted {
        let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(line));
        let sent = context.peer.notify_logging_message(message).await;
        sent.map_err(|error| lost(&error))?;
    }
    Ok(())
}

async fn progress(context: &Context) -> Result<CallToolResponse, ErrorData> {
    let Some(token) = context.meta.get_progress_token() else {
        return said("nobody wants to know how far it is");
    };
    for done in [0.0, 50.0, 100.0] {
        let progress = ProgressNotificationParam::new(token.clone(), done).with_total(100.0);
        let sent = context.peer.notify_progress(progress).await;
        sent.map_err(|error| lost(&error))?;
    }
    said("it is done")
}

async fn elicit(
    peer: &Peer<RoleServer>,
    message: &Value,
    fields: Value,
    required: &[&str],
) -> Result<CallToolResponse, ErrorData> {
    let schema = json!({ "type": "object", "properties": fields, "required": required });
    ask(
        peer,
        "elicitation/create",
        json!({ "message": message, "requestedSchema": schema }),
    )
    .await
}

/// Asks the client, and answers what it answered.
async fn ask(peer: &Peer<RoleServer>, method: &str, params: Value) -> Result<CallToolResponse, ErrorData> {
    let request: ServerRequest = typed(json!({ "method": method, "params": params }))?;
    let answer = peer.send_request(request).await.map_err(|error| lost(&error))?;
    let answer = serde_json::to_value(answer).unwrap_or_default();
    said(format!("the client answered {answer}"))
}

fn lost(error: &ServiceError) -> ErrorData {
    ErrorData::internal_error(format!("the client was not reached: {error}"), None)
}

/// A form with an answer in each field.
fn filled_in() -> Value {
    json!({
        "name": { "type": "string", "default": "John Doe" },
        "age": { "type": "integer", "default": 30 },
        "score": { "type": "number", "default": 95.5 },
        "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
        "verified": { "type": "boolean", "default": true },
    })
}

/// A form with every way to offer a choice.
fn choices() -> Value {
    let titled = |titles: [&str; 3]| {
        let each = titles.iter().zip(1..);
        let each = each.map(|(title, n)| json!({ "const": format!("value{n}"), "title": title }));
        each.collect::<Vec<_>>()
    };
    let options = ["option1", "option2", "option3"];
    json!({
        "untitledSingle": { "type": "string", "enum": options },
        "titledSingle": { "type": "string", "oneOf": titled(["First Option", "Second Option", "Third Option"]) },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
        "titledMulti": {
            "type": "array",
            "items": { "anyOf": titled(["First Choice", "Second Choice", "Third Choice"]) },
        },
    })
}
