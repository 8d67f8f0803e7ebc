//! What is asked to be kept, checked.

use serde_json::Value;

/// How many characters a name can have.
const LONGEST_NAME: usize = 100;
/// How many bytes a value can have, as JSON.
const LARGEST_VALUE: usize = 4096;

/// A name and a value that can be kept; what is left out is not there.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::mcp) struct Draft {
    pub(super) name: Option<String>,
    pub(super) value: Option<Value>,
}

/// What is wrong with a member of what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mcp) struct Fault {
    /// The member, or nothing for all of it.
    pub(in crate::mcp) member: &'static str,
    /// What is wrong with it.
    pub(in crate::mcp) detail: String,
}

impl Fault {
    fn new(member: &'static str, detail: impl Into<String>) -> Self {
        Self {
            member,
            detail: detail.into(),
        }
    }
}

impl Draft {
    /// What a new item is made of: both are needed.
    pub(in crate::mcp) fn whole(name: Option<Value>, value: Option<Value>) -> Result<Self, Vec<Fault>> {
        let missing = [("name", name.is_none()), ("value", value.is_none())];
        let missing = missing.into_iter().filter(|(_, missing)| *missing);
        let missing: Vec<_> = missing
            .map(|(member, _)| Fault::new(member, format!("{member} is missing")))
            .collect();
        let checked = Self::checked(name, value);
        match (missing.is_empty(), checked) {
            (true, checked) => checked,
            (false, Ok(_)) => Err(missing),
            (false, Err(faults)) => Err([missing, faults].concat()),
        }
    }

    /// What an item is changed to: one of them is enough.
    pub(in crate::mcp) fn part(name: Option<Value>, value: Option<Value>) -> Result<Self, Vec<Fault>> {
        if name.is_none() && value.is_none() {
            let detail = "name and value are missing: send what is to be changed";
            return Err(vec![Fault::new("", detail)]);
        }
        Self::checked(name, value)
    }

    fn checked(name: Option<Value>, value: Option<Value>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let name = name.and_then(|name| checked_name(name).map_err(|fault| faults.push(fault)).ok());
        let size = value.as_ref().map_or(0, |value| value.to_string().len());
        if size > LARGEST_VALUE {
            let detail = format!("value has {size} bytes as JSON: the most is {LARGEST_VALUE}");
            faults.push(Fault::new("value", detail));
        }
        if faults.is_empty() {
            Ok(Self { name, value })
        } else {
            Err(faults)
        }
    }
}

fn checked_name(name: Value) -> Result<String, Fault> {
    let Value::String(name) = name else {
        return Err(Fault::new("name", "name must be a string"));
    };
    let length = name.chars().count();
    if name.trim().is_empty() {
        Err(Fault::new("name", "name is empty"))
    } else if length > LONGEST_NAME {
        let detail = format!("name has {length} characters: the most is {LONGEST_NAME}");
        Err(Fault::new("name", detail))
    } else if name.chars().any(char::is_control) {
        Err(Fault::new("name", "name must not contain control characters"))
    } else {
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(checked: Result<Draft, Vec<Fault>>) -> Vec<&'static str> {
        let faults = checked.map_or_else(|faults| faults, |_| Vec::new());
        faults.into_iter().map(|fault| fault.member).collect()
    }

    #[test]
    fn a_new_item_needs_both_and_every_fault_is_named_at_once() {
        assert_eq!(members(Draft::whole(None, None)), ["name", "value"]);
        assert_eq!(members(Draft::whole(Some(json!(7)), None)), ["value", "name"]);
        assert_eq!(
            members(Draft::whole(Some(json!("a")), Some(json!(null)))),
            [""; 0]
        );
    }

    #[test]
    fn a_change_needs_one() {
        assert_eq!(members(Draft::part(None, None)), [""]);
        assert_eq!(members(Draft::part(None, Some(json!(1)))), [""; 0]);
        assert_eq!(members(Draft::part(Some(json!("a")), None)), [""; 0]);
    }

    #[test]
    fn names_and_values_have_their_bounds() {
        for (name, good) in [
            ("x".repeat(100), true),
            ("\u{6570}".repeat(100), true),
            ("x".repeat(101), false),
            (" ".into(), false),
            ("a\nb".into(), false),
        ] {
            let named = Draft::part(Some(json!(name)), None);
            assert_eq!(named.is_ok(), good, "{name:?}");
        }
        // with its quotes
        for (size, good) in [(4094, true), (4095, false)] {
            let valued = Draft::part(None, Some(json!("x".repeat(size))));
            assert_eq!(valued.is_ok(), good, "{size}");
        }
    }
}
