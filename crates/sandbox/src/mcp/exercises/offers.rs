//! Prompts, resources, and words that complete arguments.

use rmcp::{
    ErrorData,
    model::{
        CompleteRequestParams, CompleteResult, CompletionInfo, GetPromptRequestParams, GetPromptResponse,
        GetPromptResult, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
        ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    },
};
use serde_json::{Value, json};

use super::{PNG, embedded, rounds, text, typed};

/// All prompts.
pub(super) fn prompts() -> Result<ListPromptsResult, ErrorData> {
    let prompt = |name: &str, arguments: &[&str]| {
        let arguments = arguments.iter();
        let arguments =
            arguments.map(|name| json!({ "name": name, "description": "any text", "required": true }));
        json!({ "name": name, "description": "A prompt to test with", "arguments": arguments.collect::<Vec<_>>() })
    };
    let prompts = json!([
        prompt("test_simple_prompt", &[]),
        prompt("test_prompt_with_arguments", &["arg1", "arg2"]),
        prompt("test_prompt_with_embedded_resource", &["resourceUri"]),
        prompt("test_prompt_with_image", &[]),
        prompt("test_input_required_result_prompt", &[]),
    ]);
    typed(prompts).map(ListPromptsResult::with_all_items)
}

/// One prompt, with its arguments in it.
pub(super) fn prompt(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let argument = |name: &str| {
        let given = request.arguments.as_ref().and_then(|all| all.get(name));
        let given = given.and_then(Value::as_str).map(str::to_owned);
        given.ok_or_else(|| ErrorData::invalid_params(format!("the argument {name} is missing"), None))
    };
    let contents = match &*request.name {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (first, second) = (argument("arg1")?, argument("arg2")?);
            vec![text(&format!(
                "Prompt with arguments: arg1='{first}', arg2='{second}'"
            ))]
        }
        "test_prompt_with_embedded_resource" => vec![
            embedded(
                &argument("resourceUri")?,
                "text/plain",
                "Embedded resource content for testing.",
            ),
            text("Please process the embedded resource above."),
        ],
        "test_prompt_with_image" => vec![
            json!({ "type": "image", "data": PNG, "mimeType": "image/png" }),
            text("Please analyze the image above."),
        ],
        "test_input_required_result_prompt" => {
            let responses = request.input_responses.as_ref();
            if !rounds::answered(&["user_context"], responses) {
                return rounds::required(&["user_context"], None).map(Into::into);
            }
            let context = serde_json::to_value(responses).unwrap_or_default();
            vec![text(&format!("The context is {context}"))]
        }
        other => {
            let message = format!("there is no prompt {other}");
            return Err(ErrorData::invalid_params(message, None));
        }
    };
    let messages = contents.into_iter();
    let messages = messages.map(|content| json!({ "role": "user", "content": content }));
    let messages = typed(messages.collect())?;
    Ok(GetPromptResult::new(messages).into())
}

/// All resources.
pub(super) fn resources() -> Result<ListResourcesResult, ErrorData> {
    let resource =
        |name: &str, kind: &str| json!({ "uri": format!("test://{name}"), "name": name, "mimeType": kind });
    let resources = json!([
        resource("static-text", "text/plain"),
        resource("static-binary", "image/png"),
        resource("watched-resource", "text/plain"),
    ]);
    typed(resources).map(ListResourcesResult::with_all_items)
}

/// The one template of resources.
pub(super) fn resource_templates() -> Result<ListResourceTemplatesResult, ErrorData> {
    let template = json!({
        "uriTemplate": "test://template/{id}/data",
        "name": "template",
        "mimeType": "application/json",
    });
    typed(json!([template])).map(ListResourceTemplatesResult::with_all_items)
}

/// One resource.
pub(super) fn resource(request: &ReadResourceRequestParams) -> Result<ReadResourceResponse, ErrorData> {
    let contents = typed(json!([content(&request.uri)?]))?;
    Ok(ReadResourceResult::new(contents).into())
}

/// Whether there is such a resource; none of them ever changes, so nobody is told anything.
pub(super) fn known(uri: &str) -> Result<(), ErrorData> {
    content(uri).map(drop)
}

fn content(uri: &str) -> Result<Value, ErrorData> {
    let numbered = uri
        .strip_prefix("test://template/")
        .and_then(|rest| rest.strip_suffix("/data"));
    let mut content = match (uri, numbered) {
        ("test://static-text", _) => {
            json!({ "mimeType": "text/plain", "text": "This is the content of the static text resource." })
        }
        ("test://static-binary", _) => json!({ "mimeType": "image/png", "blob": PNG }),
        ("test://watched-resource", _) => json!({ "mimeType": "text/plain", "text": "Nothing has changed." }),
        (_, Some(id)) if !id.is_empty() && !id.contains('/') => {
            let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
            json!({ "mimeType": "application/json", "text": data.to_string() })
        }
        _ => {
            let data = json!({ "uri": uri });
            return Err(ErrorData::resource_not_found(
                "there is no such resource",
                Some(data),
            ));
        }
    };
    content["uri"] = uri.into();
    Ok(content)
}

/// Words for a prompt's argument: those that begin with what was typed.
pub(super) fn complete(request: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let words = ["paris", "park", "party", "test"].into_iter();
    let fitting = words.filter(|word| word.starts_with(&request.argument.value));
    let fitting = CompletionInfo::with_all_values(fitting.map(str::to_owned).collect());
    let fitting = fitting.map_err(|error| ErrorData::internal_error(error, None))?;
    Ok(CompleteResult::new(fitting))
}
