//! What requests to a resource need: its catalogue of scopes, and its rules.

use std::collections::{BTreeMap, BTreeSet};

use config::{Map, Value, ValueKind};
use mcp_gateway_model::{
    resource::Resource,
    rule::{BadPattern, Effect, HttpMethod, Likeness, NamePattern, PathPattern, Policy, Rule, TOOLS_CALL},
    scope::{Hierarchy, IDENTITY, OFFLINE_ACCESS, Scope, ScopeSet},
};

use super::reader::Reader;

/// The keys of `[[resource]]` that are read here.
pub(super) const KEYS: [&str; 5] = [
    "scopes",
    "default_scopes",
    "rule",
    "trust_mcp_headers",
    "max_body",
];
/// The keys of a rule.
const OF_A_RULE: [&str; 6] = ["tools", "mcp_methods", "methods", "paths", "scopes", "public"];
/// The bounds of `max_body`.
const BODY: std::ops::RangeInclusive<usize> = 1024..=16 * 1024 * 1024;

/// Which scope includes which others (`scope_hierarchy`).
pub(super) fn hierarchy(r: &mut Reader<'_>) -> Hierarchy {
    let Some(table) = &r.sources.scope_hierarchy else {
        return Hierarchy::default();
    };
    let mut direct = BTreeMap::new();
    for (broad, narrow) in table {
        let setting = format!("scope_hierarchy.{broad}");
        let narrow = list(r, &setting, narrow, |word| {
            Scope::parse(word).map_err(|bad| bad.to_string())
        });
        match Scope::parse(broad) {
            Ok(broad) => {
                direct.insert(broad, BTreeSet::from_iter(narrow));
            }
            Err(bad) => r.faults.add(setting, bad.to_string()),
        }
    }
    Hierarchy::new(&direct).unwrap_or_else(|circular| {
        r.faults.add("scope_hierarchy", circular.to_string());
        Hierarchy::flat()
    })
}

/// What a `[[resource]]` says about scopes.
pub(super) struct Governing<'a> {
    hierarchy: &'a Hierarchy,
    scopes: ScopeSet,
    default_scopes: Option<ScopeSet>,
    rules: Vec<Rule>,
    trust_mcp_headers: bool,
    max_body: usize,
}

impl<'a> Governing<'a> {
    /// Reads the keys of one table; `path` is the path of its URI.
    pub(super) fn read(
        r: &mut Reader<'_>,
        setting: &str,
        (table, path): (&Map<String, Value>, &str),
        hierarchy: &'a Hierarchy,
    ) -> Self {
        let scopes = match table.get("scopes") {
            Some(value) => list(r, &format!("{setting}: scopes"), value, of_a_resource)
                .into_iter()
                .collect(),
            None => ScopeSet::usual(),
        };
        let default_scopes = table
            .get("default_scopes")
            .map(|value| some_of(r, &format!("{setting}: default_scopes"), value, &scopes));
        Self {
            hierarchy,
            default_scopes,
            rules: rules(r, setting, table, (&scopes, path)),
            trust_mcp_headers: boolean(r, setting, table, "trust_mcp_headers"),
            max_body: max_body(r, setting, table),
            scopes,
        }
    }

    /// A resource to which that applies.
    pub(super) fn apply(self, resource: Resource) -> Resource {
        let mut resource = resource.governed(self.scopes, self.default_scopes, self.rules, self.hierarchy);
        resource.policy.trust_mcp_headers = self.trust_mcp_headers;
        resource.policy.max_body = self.max_body;
        resource
    }
}

fn rules(
    r: &mut Reader<'_>,
    setting: &str,
    table: &Map<String, Value>,
    resource: (&ScopeSet, &str),
) -> Vec<Rule> {
    let Some(value) = table.get("rule") else {
        return Vec::new();
    };
    let ValueKind::Array(all) = &value.kind else {
        r.faults.add(
            format!("{setting}: rule"),
            "must be a list of tables: rule = [{ ... }]",
        );
        return Vec::new();
    };
    let mut rules = Vec::new();
    for (index, one) in all.iter().enumerate() {
        let setting = format!("{setting}: rule {}", index + 1);
        match &one.kind {
            ValueKind::Table(table) => rules.extend(rule(r, &setting, table, resource)),
            _ => r
                .faults
                .add(setting, "must be a table: { tools = [...], scopes = [...] }"),
        }
    }
    rules
}

fn rule(
    r: &mut Reader<'_>,
    setting: &str,
    table: &Map<String, Value>,
    (scopes, path): (&ScopeSet, &str),
) -> Option<Rule> {
    for key in table.keys().filter(|key| !OF_A_RULE.contains(&key.as_str())) {
        let problem = format!("is not a key of a rule: there are {}", OF_A_RULE.join(", "));
        r.faults.add(format!("{setting}: {key}"), problem);
    }
    let effect = effect(r, setting, table, scopes)?;
    let rule = Rule {
        http_methods: patterns(r, setting, (table, "methods"), HttpMethod::parse),
        paths: patterns(r, setting, (table, "paths"), PathPattern::parse),
        mcp_methods: patterns(r, setting, (table, "mcp_methods"), NamePattern::parse),
        tools: patterns(r, setting, (table, "tools"), NamePattern::parse),
        effect,
    };
    if !OF_A_RULE[..4].iter().any(|key| table.contains_key(*key)) {
        r.faults.add(
            setting,
            "matches everything: name tools, mcp_methods, methods or paths, or use default_scopes",
        );
    }
    if !rule.paths.iter().all(|pattern| pattern.reaches(path)) {
        let problem = "lie outside of the resource: paths begin with that of its uri";
        r.faults.add(format!("{setting}: paths"), problem);
    }
    let calls_no_tool = |p: &NamePattern| p.matches(TOOLS_CALL) == Likeness::Different;
    if !rule.tools.is_empty() && !rule.mcp_methods.is_empty() && rule.mcp_methods.iter().all(calls_no_tool) {
        return fault(
            r,
            setting,
            "tools",
            "are called by tools/call, which mcp_methods leaves out",
        );
    }
    Some(rule)
}

/// What follows from a rule: the scopes that it names, or that nothing is needed.
fn effect(
    r: &mut Reader<'_>,
    setting: &str,
    table: &Map<String, Value>,
    scopes: &ScopeSet,
) -> Option<Effect> {
    let public = boolean(r, setting, table, "public");
    let needed = table
        .get("scopes")
        .map(|value| some_of(r, &format!("{setting}: scopes"), value, scopes));
    match needed {
        Some(_) if public => fault(r, setting, "scopes", "cannot stand beside public = true"),
        None if public && table.contains_key("tools") => fault(
            r,
            setting,
            "tools",
            "cannot be public: name the scopes that they need",
        ),
        None if public => Some(Effect::Public),
        None => fault(
            r,
            setting,
            "scopes",
            "is not set: name what is needed, or say public = true",
        ),
        Some(needed) => Some(Effect::Needs(needed)),
    }
}

fn fault<T>(r: &mut Reader<'_>, setting: &str, key: &str, problem: &str) -> Option<T> {
    r.faults.add(format!("{setting}: {key}"), problem);
    None
}

fn patterns<T>(
    r: &mut Reader<'_>,
    setting: &str,
    (table, key): (&Map<String, Value>, &str),
    parse: impl Fn(&str) -> Result<T, BadPattern>,
) -> Vec<T> {
    table.get(key).map_or_else(Vec::new, |value| {
        list(r, &format!("{setting}: {key}"), value, |text| {
            parse(text).map_err(|bad| format!("{bad}, not \"{text}\""))
        })
    })
}

/// Scopes, all of which are in the catalogue.
fn some_of(r: &mut Reader<'_>, setting: &str, value: &Value, catalogue: &ScopeSet) -> ScopeSet {
    let known = |word: &str| {
        let scope = Scope::parse(word).map_err(|bad| bad.to_string())?;
        if catalogue.has(&scope) {
            Ok(scope)
        } else {
            Err(format!(
                "\"{word}\" is none of the scopes of this resource: {catalogue}"
            ))
        }
    };
    list(r, setting, value, known).into_iter().collect()
}

fn of_a_resource(word: &str) -> Result<Scope, String> {
    if word == OFFLINE_ACCESS || IDENTITY.contains(&word) {
        return Err(format!("\"{word}\" is not about a resource: leave it out"));
    }
    Scope::parse(word).map_err(|bad| bad.to_string())
}

/// A list of at least one and at most 100 texts; each fault is named.
fn list<T>(
    r: &mut Reader<'_>,
    setting: &str,
    value: &Value,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let entries = match &value.kind {
        ValueKind::Array(entries) if (1..=100).contains(&entries.len()) => entries.as_slice(),
        _ => &[],
    };
    if entries.is_empty() {
        r.faults
            .add(setting, "must be a list of 1 to 100 texts, such as [\"read\"]");
    }
    let mut parsed = Vec::new();
    for entry in entries {
        let result = match &entry.kind {
            ValueKind::String(text) => parse(text),
            _ => Err("must be a list of texts, such as [\"read\"]".to_owned()),
        };
        match result {
            Ok(one) => parsed.push(one),
            Err(problem) => r.faults.add(setting, problem),
        }
    }
    parsed
}

fn boolean(r: &mut Reader<'_>, setting: &str, table: &Map<String, Value>, key: &str) -> bool {
    match table.get(key).map(|value| &value.kind) {
        None => false,
        Some(ValueKind::Boolean(value)) => *value,
        Some(_) => {
            r.faults.add(format!("{setting}: {key}"), "must be true or false");
            false
        }
    }
}

fn max_body(r: &mut Reader<'_>, setting: &str, table: &Map<String, Value>) -> usize {
    let Some(value) = table.get("max_body") else {
        return Policy::MAX_BODY;
    };
    let bytes = value
        .clone()
        .into_uint()
        .ok()
        .and_then(|n| usize::try_from(n).ok());
    bytes.filter(|n| BODY.contains(n)).unwrap_or_else(|| {
        r.faults.add(
            format!("{setting}: max_body"),
            "must be a number of bytes between 1024 and 16777216",
        );
        Policy::MAX_BODY
    })
}
