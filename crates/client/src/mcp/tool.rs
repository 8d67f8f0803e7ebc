//! Tools and what they answer.

use std::collections::HashSet;

use reqwest::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::{McpFault, header};

/// How deep a schema is looked into.
const DEEPEST: usize = 16;

/// A tool of a server.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does, in the server's words.
    pub description: String,
    /// What it takes: a JSON Schema.
    pub input_schema: Value,
    /// All that the server says about it.
    pub raw: Value,
    /// Arguments that go into header fields too, each with the way to it.
    mirrors: Vec<(HeaderName, Vec<String>)>,
}

impl Tool {
    /// A tool of which only the name is known.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: String::new(),
            input_schema: Value::Null,
            raw: Value::Null,
            mirrors: Vec::new(),
        }
    }

    /// A tool as the server lists it; or why it cannot be used.
    pub(super) fn read(raw: &Value) -> Result<Self, String> {
        let name = raw["name"].as_str().ok_or("a tool without a name is left out")?;
        let schema = &raw["inputSchema"];
        let mirrors =
            mirrors(schema).map_err(|problem| format!("the tool \"{name}\" is left out: {problem}"))?;
        Ok(Self {
            name: name.to_owned(),
            description: raw["description"].as_str().unwrap_or_default().to_owned(),
            input_schema: schema.clone(),
            raw: raw.clone(),
            mirrors,
        })
    }

    /// The header fields that repeat arguments
    /// ([Custom Headers](https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#custom-headers-from-tool-parameters)).
    pub(super) fn mirrored(&self, arguments: &Map<String, Value>) -> Vec<(HeaderName, HeaderValue)> {
        let mut fields = Vec::new();
        for (name, path) in &self.mirrors {
            let (first, rest) = path
                .split_first()
                .map_or(("", path.as_slice()), |(f, rest)| (f, rest));
            let value = rest
                .iter()
                .try_fold(arguments.get(first), |at, key| Some(at?.get(key)));
            let text = match value.flatten() {
                Some(Value::String(text)) => text.clone(),
                Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
                _ => continue,
            };
            fields.push((name.clone(), header::value(&text)));
        }
        fields
    }
}

/// The annotations of a schema; or what is wrong with one.
fn mirrors(schema: &Value) -> Result<Vec<(HeaderName, Vec<String>)>, &'static str> {
    let mut found = Vec::new();
    let reachable = properties(schema, &mut Vec::new(), &mut found)?;
    if reachable != count(schema, 0) {
        return Err("an x-mcp-header stands where it must not");
    }
    let names: HashSet<_> = found.iter().map(|(name, _)| name).collect();
    if names.len() == found.len() {
        Ok(found)
    } else {
        Err("two x-mcp-header are the same")
    }
}

/// Collects the annotations that only `properties` lead to; answers how many there are.
fn properties(
    schema: &Value,
    path: &mut Vec<String>,
    found: &mut Vec<(HeaderName, Vec<String>)>,
) -> Result<usize, &'static str> {
    let mut reached = 0;
    let Some(members) = schema["properties"].as_object().filter(|_| path.len() < DEEPEST) else {
        return Ok(0);
    };
    for (key, property) in members {
        path.push(key.clone());
        if let Some(annotation) = property.get("x-mcp-header") {
            let text = annotation.as_str().filter(|text| !text.is_empty());
            let name = text.and_then(|text| HeaderName::try_from(format!("mcp-param-{text}")).ok());
            let name = name.ok_or("an x-mcp-header is not a header's name")?;
            if !matches!(property["type"].as_str(), Some("integer" | "string" | "boolean")) {
                return Err("an x-mcp-header belongs to an argument that is no text, integer or boolean");
            }
            found.push((name, path.clone()));
            reached += 1;
        }
        reached += properties(property, path, found)?;
        path.pop();
    }
    Ok(reached)
}

/// How many annotations there are anywhere. What is called so as a property is none.
fn count(schema: &Value, depth: usize) -> usize {
    if depth > 4 * DEEPEST {
        return 0;
    }
    match schema {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| match (key.as_str(), value) {
                ("x-mcp-header", _) => 1,
                ("properties", Value::Object(named)) => named.values().map(|one| count(one, depth + 2)).sum(),
                ("const" | "default" | "enum" | "examples", _) => 0,
                _ => count(value, depth + 1),
            })
            .sum(),
        Value::Array(all) => all.iter().map(|one| count(one, depth + 1)).sum(),
        _ => 0,
    }
}

/// What a tool answered.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether the tool says that it failed.
    pub is_error: bool,
    /// The whole result.
    pub raw: Value,
}

impl Outcome {
    pub(super) fn read<F>(raw: Value) -> Result<Self, McpFault<F>> {
        match raw.get("resultType").and_then(Value::as_str) {
            None | Some("complete") => {}
            Some("input_required") => {
                let requests = raw["inputRequests"].as_object();
                let mut methods: Vec<_> = requests
                    .into_iter()
                    .flat_map(|all| all.values())
                    .filter_map(|one| one["method"].as_str())
                    .collect();
                methods.dedup();
                return Err(McpFault::InputRequired(methods.join(", ")));
            }
            Some(_) => return Err(McpFault::NotMcp("a type of result that nobody asked for")),
        }
        Ok(Self {
            is_error: raw["isError"] == true,
            raw,
        })
    }

    /// The result for a person: its texts, and a line for each part that is none.
    #[must_use]
    pub fn text(&self) -> String {
        let content = self.raw["content"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let parts: Vec<_> = content.iter().map(part).collect();
        match &self.raw["structuredContent"] {
            Value::Null => parts.join("\n"),
            structured if parts.is_empty() => format!("{structured:#}"),
            _ => parts.join("\n"),
        }
    }
}

fn part(content: &Value) -> String {
    let text = |name: &str| content[name].as_str().unwrap_or_default();
    let size = |base64: &str| base64.len() / 4 * 3;
    match text("type") {
        "text" => text("text").to_owned(),
        kind @ ("image" | "audio") => {
            format!(
                "[{kind}: {}, about {} bytes; --json shows it]",
                text("mimeType"),
                size(text("data"))
            )
        }
        "resource_link" => format!("[{}]", text("uri")),
        "resource" => match content["resource"]["text"].as_str() {
            Some(text) => text.to_owned(),
            None => format!(
                "[resource: {}; --json shows it]",
                content["resource"]["uri"].as_str().unwrap_or_default()
            ),
        },
        kind => format!("[{kind}; --json shows it]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(schema: &Value) -> Result<Tool, String> {
        Tool::read(&json!({ "name": "t", "inputSchema": schema }))
    }

    #[test]
    fn annotated_arguments_are_mirrored_where_they_have_a_value() {
        let tool = tool(&json!({ "type": "object", "properties": {
            "region": { "type": "string", "x-mcp-header": "Region" },
            "deep": { "type": "object", "properties": { "n": { "type": "integer", "x-mcp-header": "N" } } },
            "flag": { "type": "boolean", "x-mcp-header": "Flag" },
            "x-mcp-header": { "type": "string" },
        } }))
        .unwrap();
        let arguments = json!({ "region": "é", "deep": { "n": 7 }, "flag": null, "x-mcp-header": "no" });
        let mut mirrored = tool.mirrored(arguments.as_object().unwrap());
        mirrored.sort_by_key(|(name, _)| name.to_string());
        let expected = [("mcp-param-n", "7"), ("mcp-param-region", "=?base64?w6k=?=")];
        let mirrored: Vec<_> = mirrored
            .iter()
            .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
            .collect();
        assert_eq!(mirrored, expected);
    }

    #[test]
    fn a_tool_with_a_bad_annotation_is_left_out() {
        for (property, problem) in [
            (
                json!({ "type": "string", "x-mcp-header": "" }),
                "not a header's name",
            ),
            (
                json!({ "type": "string", "x-mcp-header": "a b" }),
                "not a header's name",
            ),
            (
                json!({ "type": "string", "x-mcp-header": "a\r\nb" }),
                "not a header's name",
            ),
            (
                json!({ "type": "number", "x-mcp-header": "a" }),
                "no text, integer",
            ),
            (
                json!({ "type": "array", "items": { "type": "string", "x-mcp-header": "a" } }),
                "must not",
            ),
            (
                json!({ "anyOf": [{ "type": "string", "x-mcp-header": "a" }] }),
                "must not",
            ),
        ] {
            let refused = tool(&json!({ "properties": { "p": property } })).unwrap_err();
            assert!(refused.contains(problem), "{refused}");
        }
        let twice = json!({ "properties": {
            "a": { "type": "string", "x-mcp-header": "Same" },
            "b": { "type": "string", "x-mcp-header": "same" },
        } });
        assert!(tool(&twice).unwrap_err().contains("the same"));
    }

    #[test]
    fn a_result_is_shown_as_its_texts() {
        let shown = |raw: Value| Outcome::read::<()>(raw).unwrap().text();
        let parts = json!([
            { "type": "text", "text": "one" },
            { "type": "image", "mimeType": "image/png", "data": "AAAA" },
        ]);
        assert_eq!(
            shown(json!({ "content": parts })),
            "one\n[image: image/png, about 3 bytes; --json shows it]"
        );
        assert_eq!(
            shown(json!({ "content": [], "structuredContent": { "a": 1 } })),
            "{\n  \"a\": 1\n}"
        );
        let asks = json!({ "resultType": "input_required", "inputRequests": { "x": { "method": "elicitation/create" } } });
        let refused = Outcome::read::<()>(asks).unwrap_err();
        assert!(matches!(refused, McpFault::InputRequired(what) if what == "elicitation/create"));
    }
}
