//! Tools that are called again with what they asked for: revision 2026-07-28 lets no server send requests of its own (SEP-2322).

use std::sync::LazyLock;

use aws_lc_rs::{
    hmac::{self, HMAC_SHA256},
    rand,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rmcp::{
    ErrorData, RoleServer,
    model::{
        CallToolRequestParams, CallToolResponse, ClientCapabilities, InputRequiredResult, InputResponses,
    },
    service::RequestContext,
};
use serde_json::{Map, Value, json};

use super::{said, typed};

/// The tools that ask back.
pub(super) const NAMES: [&str; 9] = [
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_capabilities",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_streaming_elicitation",
];

/// What each round of a tool asks for.
fn rounds(tool: &str) -> &'static [&'static [&'static str]] {
    match tool {
        "test_input_required_result_sampling" => &[&["capital_question"]],
        "test_input_required_result_list_roots" => &[&["client_roots"]],
        "test_input_required_result_capabilities" => &[&["user_name", "capital_question", "client_roots"]],
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            &[&["confirm"]]
        }
        "test_input_required_result_multiple_inputs" => &[&["user_name", "greeting", "client_roots"]],
        "test_input_required_result_multi_round" => &[&["step1"], &["step2"]],
        _ => &[&["user_name"]],
    }
}

/// The request behind a key.
fn question(key: &str) -> Value {
    let form = |message: &str, field: &str, kind: &str| {
        let schema =
            json!({ "type": "object", "properties": { field: { "type": kind } }, "required": [field] });
        json!({ "method": "elicitation/create", "params": { "message": message, "requestedSchema": schema } })
    };
    let model = |words: &str| {
        let message = json!({ "role": "user", "content": { "type": "text", "text": words } });
        json!({ "method": "sampling/createMessage", "params": { "messages": [message], "maxTokens": 100 } })
    };
    match key {
        "capital_question" => model("What is the capital of France?"),
        "greeting" => model("Generate a greeting"),
        "client_roots" => json!({ "method": "roots/list", "params": {} }),
        "confirm" => form("Please confirm", "ok", "boolean"),
        "step1" => form("Step 1: What is your name?", "name", "string"),
        "step2" => form("Step 2: What is your favorite color?", "color", "string"),
        "user_context" => form("What context should the prompt use?", "context", "string"),
        _ => form("What is your name?", "name", "string"),
    }
}

/// Whether a client can be asked this.
fn can_answer(client: &ClientCapabilities, question: &Value) -> bool {
    match question["method"].as_str() {
        Some("elicitation/create") => client.elicitation.is_some(),
        Some("sampling/createMessage") => client.sampling.is_some(),
        _ => client.roots.is_some(),
    }
}

/// Asks for what these keys stand for.
pub(super) fn required(keys: &[&str], state: Option<String>) -> Result<InputRequiredResult, ErrorData> {
    let questions = keys.iter().map(|&key| (key.to_owned(), question(key)));
    let mut answer =
        json!({ "resultType": "input_required", "inputRequests": questions.collect::<Map<_, _>>() });
    if let Some(state) = state {
        answer["requestState"] = state.into();
    }
    typed(answer)
}

/// Whether each of these keys is answered by something that an answer can be.
pub(super) fn answered(keys: &[&str], responses: Option<&InputResponses>) -> bool {
    let is_answered = |key: &&str| {
        responses
            .and_then(|all| all.get(*key))
            .is_some_and(Value::is_object)
    };
    keys.iter().all(is_answered)
}

pub(super) fn call(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let tool = &*request.name;
    let rounds = rounds(tool);
    let round = match &request.request_state {
        Some(state) => opened(tool, state).filter(|round| *round < rounds.len()),
        None => Some(0),
    };
    let Some(round) = round else {
        return Err(ErrorData::invalid_params(
            "requestState is not what this server gave",
            None,
        ));
    };
    let client = context.meta.client_capabilities();
    let client = client.filter(|_| tool.ends_with("capabilities"));
    let keys = |round: usize| -> Option<Vec<&str>> {
        let keys = rounds.get(round)?.iter().copied();
        let can = |key: &&str| {
            client
                .as_ref()
                .is_none_or(|client| can_answer(client, &question(key)))
        };
        Some(keys.filter(can).collect())
    };
    let responses = request.input_responses.as_ref();
    let is_answered = keys(round).is_some_and(|keys| answered(&keys, responses));
    let next = round + usize::from(is_answered);
    let Some(keys) = keys(next) else {
        let responses = serde_json::to_value(responses).unwrap_or_default();
        return said(format!("state-ok, the answers are {responses}"));
    };
    // one round of one question needs nothing to be kept
    let is_kept = !tool.ends_with("elicitation");
    let state = is_kept.then(|| sealed(tool, next));
    required(&keys, state).map(Into::into)
}

/// The key lives as long as the process.
static KEY: LazyLock<hmac::Key> = LazyLock::new(|| {
    let mut bytes = [0; 32];
    // without randomness the state can be forged, and nothing hangs on it
    let _filled = rand::fill(&mut bytes);
    hmac::Key::new(HMAC_SHA256, &bytes)
});

/// Which round a tool is in, so that no client can make one up.
fn sealed(tool: &str, round: usize) -> String {
    let tag = hmac::sign(&KEY, format!("{tool} {round}").as_bytes());
    format!("{round}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn opened(tool: &str, state: &str) -> Option<usize> {
    let (round, tag) = state.split_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    hmac::verify(&KEY, format!("{tool} {round}").as_bytes(), &tag).ok()?;
    round.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_good_for_the_tool_and_the_round_that_it_was_given_for() {
        let state = sealed("a", 1);
        assert_eq!(opened("a", &state), Some(1));
        assert_eq!(opened("b", &state), None);
        assert_eq!(opened("a", &state.replacen('1', "0", 1)), None);
        assert_eq!(opened("a", &format!("{state}x")), None);
        assert_eq!(opened("a", "1"), None);
    }

    #[test]
    fn an_answer_that_is_none_answers_nothing() {
        let of = |value: Value| InputResponses::from([("user_name".to_owned(), value)]);
        assert!(answered(&["user_name"], Some(&of(json!({ "action": "accept" })))));
        assert!(!answered(&["user_name"], Some(&of(json!(12345)))));
        assert!(!answered(&["user_name", "step1"], Some(&of(json!({})))));
        assert!(!answered(&["user_name"], None));
    }

    #[test]
    fn each_tool_asks_for_what_can_be_asked() {
        for name in NAMES {
            for keys in rounds(name) {
                let asked = required(keys, None).unwrap().input_requests.unwrap();
                assert_eq!(asked.len(), keys.len(), "{name}");
            }
        }
    }
}
