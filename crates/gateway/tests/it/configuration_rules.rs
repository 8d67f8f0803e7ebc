//! Scopes and rules of resources: what is wrong with them is said at once, with its place.

use crate::support::run::Asked;

/// A configuration with one resource that has these lines.
fn resource(lines: &str) -> Asked {
    Asked::small().toml(&format!(
        "[[resource]]\nuri = \"https://echo.gateway.test/mcp\"\n{lines}\n"
    ))
}

#[tokio::test]
async fn scopes_and_rules_of_every_kind_are_accepted_by_every_role() {
    let whole = "scope_hierarchy = { Owner = [\"issues:write\"], \"issues:write\" = [\"issues:read\"] }
[[resource]]
uri = \"https://*.gateway.test\"
scopes = [\"issues:read\", \"issues:write\", \"Owner\"]
default_scopes = [\"issues:read\"]
trust_mcp_headers = true
max_body = 65536
rule = [
  { tools = [\"create_*\", \"delete_*\"], scopes = [\"issues:write\"] },
  { mcp_methods = [\"resources/*\"], scopes = [\"issues:write\"] },
  { methods = [\"DELETE\"], paths = [\"/mcp/archive/*\"], scopes = [\"Owner\", \"issues:read\"] },
  { paths = [\"/mcp/health\"], public = true },
]
";
    Asked::small().toml(whole).is_fine("serve").await;
    let apart = Asked::small()
        .without("DATA_DIR")
        .with("REDIS_URL", "redis://127.0.0.1:9")
        .with("STORE_ENCRYPTION_KEY", crate::support::run::SECRET)
        .toml(whole);
    for role in ["serve", "auth-server", "verifier"] {
        apart.is_fine(role).await;
    }
    Asked::small()
        .toml("scope_hierarchy = {}\n")
        .is_fine("serve")
        .await;
}

#[tokio::test]
async fn what_is_wrong_with_scopes_is_named() {
    for (line, key, problem) in [
        ("scopes = []", "scopes", "1 to 100"),
        ("scopes = \"read\"", "scopes", "list"),
        ("scopes = [1]", "scopes", "list of texts"),
        ("scopes = [\"a b\"]", "scopes", "printable"),
        (
            "scopes = [\"read\", \"openid\"]",
            "scopes",
            "not about a resource",
        ),
        ("default_scopes = []", "default_scopes", "1 to 100"),
        (
            "default_scopes = [\"mcp\"]",
            "default_scopes",
            "none of the scopes of this resource: admin read write",
        ),
        (
            "trust_mcp_headers = \"yes\"",
            "trust_mcp_headers",
            "true or false",
        ),
        ("max_body = 10", "max_body", "between 1024"),
        ("max_body = 99999999", "max_body", "between 1024"),
        ("max_body = \"1 MiB\"", "max_body", "between 1024"),
        ("rule = {}", "rule", "list of tables"),
        ("rules = []", "rules", "is not a key of [[resource]]"),
    ] {
        resource(line)
            .has_one_fault(&format!("resource 1: {key}"), problem)
            .await;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_rule_is_named() {
    for (rule, key, problem) in [
        (
            "tools = [\"a\"], scopes = [\"mcp\"]",
            ": scopes",
            "none of the scopes",
        ),
        ("tools = [\"a\"]", ": scopes", "is not set"),
        ("tools = [\"a\"], scopes = []", ": scopes", "1 to 100"),
        ("tools = [], scopes = [\"read\"]", ": tools", "1 to 100"),
        (
            "tools = [\" a\"], scopes = [\"read\"]",
            ": tools",
            "must be a name",
        ),
        ("tools = [\"a\"], public = true", ": tools", "cannot be public"),
        (
            "paths = [\"/mcp/a\"], public = true, scopes = [\"read\"]",
            ": scopes",
            "public = true",
        ),
        ("paths = [\"/mcp/a\"], public = 1", ": public", "true or false"),
        (
            "paths = [\"/mcp/a/../b\"], public = true",
            ": paths",
            "dot segments",
        ),
        (
            "paths = [\"/mcp/%2e\"], scopes = [\"read\"]",
            ": paths",
            "dot segments",
        ),
        (
            "paths = [\"/mcp/*/x\"], scopes = [\"read\"]",
            ": paths",
            "a star stands only at the end",
        ),
        (
            "paths = [\"/other\"], scopes = [\"read\"]",
            ": paths",
            "lie outside",
        ),
        (
            "methods = [\"GET POST\"], scopes = [\"read\"]",
            ": methods",
            "HTTP method",
        ),
        (
            "tools = [\"a\"], mcp_methods = [\"resources/*\"], scopes = [\"read\"]",
            ": tools",
            "tools/call",
        ),
        (
            "tools = [\"a\"], scope = [\"read\"], scopes = [\"read\"]",
            ": scope",
            "is not a key of a rule",
        ),
        ("scopes = [\"read\"]", "", "matches everything"),
    ] {
        let lines = format!("rule = [{{ paths = [\"/mcp/x\"], scopes = [\"write\"] }}, {{ {rule} }}]");
        let faults = resource(&lines).faults_of("serve").await;
        let setting = format!("resource 1: rule 2{key}");
        let named = faults.iter().any(|(s, p)| *s == setting && p.contains(problem));
        assert!(named, "{rule}: {faults:?}");
    }
}

#[tokio::test]
async fn a_hierarchy_that_goes_in_circles_is_a_fault() {
    for (line, setting, problem) in [
        (
            "scope_hierarchy = { a = [\"a\"] }",
            "scope_hierarchy",
            "include itself",
        ),
        (
            "scope_hierarchy = { a = [\"b\"], b = [\"a\"] }",
            "scope_hierarchy",
            "include itself",
        ),
        ("scope_hierarchy = { a = [] }", "scope_hierarchy.a", "1 to 100"),
        ("scope_hierarchy = { a = \"b\" }", "scope_hierarchy.a", "list"),
        (
            "scope_hierarchy = { \"a b\" = [\"b\"] }",
            "scope_hierarchy.a b",
            "printable",
        ),
        ("scope_hierarchy = 1", "scope_hierarchy", "must be a table"),
    ] {
        Asked::small().toml(line).has_one_fault(setting, problem).await;
    }
}

#[tokio::test]
async fn check_config_says_whether_bodies_have_to_be_handed_on() {
    for (lines, said) in [
        (
            "rule = [{ tools = [\"x\"], scopes = [\"write\"] }]",
            "(forwardBody)",
        ),
        (
            "rule = [{ methods = [\"DELETE\"], scopes = [\"write\"] }]",
            "no bodies are read",
        ),
        (
            "trust_mcp_headers = true\nrule = [{ tools = [\"x\"], scopes = [\"write\"] }]",
            "Mcp-Name are believed",
        ),
    ] {
        let (value, _) = resource(lines).effective("rules").await;
        assert!(
            value.starts_with("https://echo.gateway.test/mcp: 1 of them"),
            "{value}"
        );
        assert!(
            value.contains("admin read write") && value.contains(said),
            "{value}"
        );
    }
}
