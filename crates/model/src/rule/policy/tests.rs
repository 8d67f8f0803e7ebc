use super::*;
use crate::rule::{HttpMethod, NamePattern, PathPattern};

fn rule(effect: Effect) -> Rule {
    Rule {
        http_methods: vec![],
        paths: vec![],
        mcp_methods: vec![],
        tools: vec![],
        effect,
    }
}

fn needs(scopes: &str) -> Rule {
    rule(Effect::Needs(ScopeSet::parse(scopes).unwrap()))
}

fn tools(pattern: &str, scopes: &str) -> Rule {
    Rule {
        tools: vec![NamePattern::parse(pattern).unwrap()],
        ..needs(scopes)
    }
}

fn paths(pattern: &str, rule: Rule) -> Rule {
    Rule {
        paths: vec![PathPattern::parse(pattern).unwrap()],
        ..rule
    }
}

fn policy(default: &str, rules: Vec<Rule>) -> Policy {
    let default = ScopeSet::parse(default).unwrap();
    Policy::new(&ScopeSet::usual(), &default, rules, &Hierarchy::default())
}

fn judged(policy: &Policy, method: &str, path: &str, tools: &[Option<&str>]) -> Result<String, Unclear> {
    let calls: Vec<_> = tools
        .iter()
        .map(|tool| Call {
            method: Some(tool.map_or("ping", |_| "tools/call")),
            tool: *tool,
        })
        .collect();
    let operation = Operation {
        http_method: method,
        path,
        calls: &calls,
    };
    Ok(match policy.judge(&operation)? {
        Demand::Public => "public".to_owned(),
        Demand::Scopes(needed) => policy.names(needed).to_string(),
    })
}

#[test]
fn all_rules_that_match_add_up_and_none_means_the_default() {
    let policy = policy(
        "read",
        vec![
            tools("create_*", "write"),
            tools("*_key", "admin"),
            paths("/mcp/x", needs("admin")),
        ],
    );
    let judged = |path, tools| judged(&policy, "POST", path, tools).unwrap();
    assert_eq!(judged("/mcp", &[Some("create_key")]), "admin write");
    assert_eq!(judged("/mcp", &[Some("create_issue")]), "write");
    assert_eq!(judged("/mcp/x", &[Some("create_issue")]), "admin write");
    assert_eq!(judged("/mcp", &[Some("echo")]), "read");
    assert_eq!(judged("/mcp", &[None]), "read");
    assert_eq!(judged("/mcp", &[]), "read");
}

#[test]
fn a_batch_needs_what_its_messages_need_together() {
    let policy = policy("read", vec![tools("create_*", "write"), tools("drop_*", "admin")]);
    let judged = |tools| judged(&policy, "POST", "/mcp", tools).unwrap();
    assert_eq!(judged(&[Some("create_a"), Some("drop_a")]), "admin write");
    assert_eq!(judged(&[Some("create_a"), Some("echo")]), "read write");
    assert_eq!(judged(&[Some("create_a"), None]), "read write");
}

#[test]
fn only_what_no_other_rule_matches_is_public() {
    let policy = policy(
        "read",
        vec![
            paths("/mcp/health", rule(Effect::Public)),
            tools("create_*", "write"),
            Rule {
                http_methods: vec![HttpMethod::parse("DELETE").unwrap()],
                ..needs("admin")
            },
        ],
    );
    let judged = |method, path, tools| judged(&policy, method, path, tools).unwrap();
    assert_eq!(judged("GET", "/mcp/health", &[]), "public");
    assert_eq!(judged("POST", "/mcp/health", &[None, Some("echo")]), "public");
    assert_eq!(judged("POST", "/mcp/health", &[None, Some("create_a")]), "write");
    assert_eq!(judged("DELETE", "/mcp/health", &[]), "admin");
    assert_eq!(judged("GET", "/mcp", &[]), "read");
}

#[test]
fn a_rule_of_several_lists_matches_only_what_each_of_them_does() {
    let both = Rule {
        http_methods: vec![HttpMethod::parse("DELETE").unwrap()],
        ..paths("/mcp/archive/*", needs("write"))
    };
    let policy = policy("", vec![both]);
    let judged = |method, path| judged(&policy, method, path, &[]).unwrap();
    assert_eq!(judged("DELETE", "/mcp/archive/1"), "write");
    assert_eq!(judged("GET", "/mcp/archive/1"), "");
    assert_eq!(judged("DELETE", "/mcp"), "");
}

#[test]
fn what_matches_only_in_another_case_is_unclear() {
    let policy = policy("", vec![paths("/mcp/archive/*", tools("create_*", "write"))]);
    let judged = |path, tool| judged(&policy, "POST", path, &[Some(tool)]);
    assert_eq!(judged("/mcp/Archive/1", "create_x"), Err(Unclear));
    assert_eq!(judged("/mcp/archive/1", "Create_x"), Err(Unclear));
    assert_eq!(judged("/mcp/Archive/1", "echo"), Ok(String::new()));
    assert_eq!(judged("/mcp/archive/1", "create_x"), Ok("write".to_owned()));
}

#[test]
fn a_broad_scope_is_enough_for_narrow_ones() {
    let policy = policy("read", vec![]);
    let Ok(Demand::Scopes(needed)) = policy.judge(&Operation {
        http_method: "GET",
        path: "/",
        calls: &[],
    }) else {
        panic!("it needs a scope")
    };
    for (scopes, enough) in [
        ("read", true),
        ("admin", true),
        ("write", true),
        ("", false),
        ("openid", false),
    ] {
        assert_eq!(
            policy.held(&ScopeSet::parse(scopes).unwrap()).covers(needed),
            enough,
            "{scopes}"
        );
    }
}
