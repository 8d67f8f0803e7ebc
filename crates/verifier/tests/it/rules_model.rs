//! What rules mean, written down as simply as possible and without any of the verifier's code: patterns are tables of what
//! they match, scopes are letters, and everything is tried.

use std::collections::BTreeSet;

/// The scopes of these tests; each may include later ones.
pub(crate) const SCOPES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Patterns for HTTP methods, with what they match.
pub(crate) const METHODS: [(&str, &[&str]); 4] = [
    ("GET", &["GET", "HEAD"]),
    ("POST", &["POST"]),
    ("DELETE", &["DELETE"]),
    ("put", &["PUT"]),
];
/// Patterns for paths, with what they match.
pub(crate) const PATHS: [(&str, &[&str]); 5] = [
    ("/mcp", &["/mcp", "/mcp/"]),
    ("/mcp/x", &["/mcp/x"]),
    ("/mcp/x/*", &["/mcp/x", "/mcp/x/y"]),
    (
        "/mcp/*",
        &["/mcp", "/mcp/", "/mcp/x", "/mcp/x/y", "/mcp/xy", "/mcp/X"],
    ),
    ("/mcp/xy", &["/mcp/xy"]),
];
/// Patterns for paths that the path `/mcp/X` is like in another case.
const PATHS_LIKE_UPPER_X: [&str; 2] = ["/mcp/x", "/mcp/x/*"];
/// Patterns for MCP methods, with what they match.
pub(crate) const MCP_METHODS: [(&str, &[&str]); 5] = [
    ("*", &["ping", "tools/list", "tools/call", "resources/read"]),
    ("tools/*", &["tools/list", "tools/call"]),
    ("tools/call", &["tools/call"]),
    ("*s/*", &["tools/list", "tools/call", "resources/read"]),
    ("ping", &["ping"]),
];
/// Patterns for tools, with what they match.
pub(crate) const TOOLS: [(&str, &[&str]); 5] = [
    ("t*", &["t1", "t2"]),
    ("*2", &["t2", "u_2"]),
    ("t1", &["t1"]),
    ("u_*", &["u_2"]),
    ("*", &["t1", "t2", "u_2", "other"]),
];

/// A rule: indexes of patterns, and of scopes; none of these means public.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) methods: BTreeSet<usize>,
    pub(crate) paths: BTreeSet<usize>,
    pub(crate) mcp_methods: BTreeSet<usize>,
    pub(crate) tools: BTreeSet<usize>,
    pub(crate) scopes: BTreeSet<usize>,
}

/// A resource.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) catalogue: BTreeSet<usize>,
    /// What includes what at once: from a scope to a later one.
    pub(crate) includes: BTreeSet<(usize, usize)>,
    pub(crate) default: BTreeSet<usize>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) trusts_headers: bool,
}

/// A message: its MCP method, if it is no response, and the tool or resource that it names.
pub(crate) type Message = (Option<&'static str>, Option<&'static str>);

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// The messages of the body, if there is one.
    pub(crate) body: Option<Vec<Message>>,
    /// `Mcp-Method` and `Mcp-Name`.
    pub(crate) headers: (Option<&'static str>, Option<&'static str>),
    pub(crate) revision: Option<&'static str>,
    /// The scopes of the token, if there is one.
    pub(crate) token: Option<BTreeSet<usize>>,
}

/// Whether the request is let through.
pub(crate) fn lets_through(setup: &Setup, request: &Request) -> bool {
    let Some(messages) = messages(setup, request) else {
        return false;
    };
    let mut needed = BTreeSet::new();
    let mut all_public = true;
    for message in messages {
        let mut matching = Vec::new();
        for rule in &setup.rules {
            if !matches_all_but_path(rule, request, message) {
                continue;
            }
            if matches_path(rule, request.path) {
                matching.push(rule);
            } else if request.path == "/mcp/X" && is_like_upper_x(rule) {
                return false;
            }
        }
        let needing: Vec<_> = matching.iter().filter(|rule| !rule.scopes.is_empty()).collect();
        if needing.is_empty() && !matching.is_empty() {
            continue;
        }
        all_public = false;
        if needing.is_empty() {
            needed.extend(&setup.default);
        }
        needed.extend(needing.iter().flat_map(|rule| &rule.scopes));
    }
    if all_public {
        return true;
    }
    let Some(token) = &request.token else {
        return false;
    };
    needed
        .iter()
        .all(|need| token.iter().any(|has| covers(setup, *has, *need)))
}

/// What is asked for; `None` if that cannot be known, or is said in two ways.
fn messages(setup: &Setup, request: &Request) -> Option<Vec<Message>> {
    let nothing = vec![(None, None)];
    let looks = |rule: &Rule| !rule.tools.is_empty() || !rule.mcp_methods.is_empty();
    if !setup.rules.iter().any(looks) {
        return Some(nothing);
    }
    let (method, name) = request.headers;
    if let Some(messages) = &request.body {
        for (own_method, own_name) in messages {
            if method.is_some() && method != *own_method {
                return None;
            }
            if name.is_some() && own_name.is_some() && name != *own_name {
                return None;
            }
            if name.is_some() && own_name.is_none() && *own_method == Some("tools/call") {
                return None;
            }
        }
        return Some(messages.clone());
    }
    if ["GET", "HEAD", "DELETE"].contains(&request.method) {
        return Some(nothing);
    }
    let checked = request.revision == Some("2026-07-28");
    if !setup.trusts_headers || !checked || method.is_none() {
        return None;
    }
    if method == Some("tools/call") && name.is_none() {
        return None;
    }
    Some(vec![(method, name)])
}

fn matches_all_but_path(rule: &Rule, request: &Request, (method, name): Message) -> bool {
    let one = |chosen: &BTreeSet<usize>, table: &[(&str, &[&str])], text: Option<&str>| {
        chosen.is_empty()
            || chosen
                .iter()
                .any(|i| text.is_some_and(|text| table[*i].1.contains(&text)))
    };
    let tool = name.filter(|_| method == Some("tools/call"));
    one(&rule.methods, &METHODS, Some(request.method))
        && one(&rule.mcp_methods, &MCP_METHODS, method)
        && one(&rule.tools, &TOOLS, tool)
}

fn matches_path(rule: &Rule, path: &str) -> bool {
    rule.paths.is_empty() || rule.paths.iter().any(|i| PATHS[*i].1.contains(&path))
}

fn is_like_upper_x(rule: &Rule) -> bool {
    let mut own = rule.paths.iter().map(|i| PATHS[*i].0);
    own.any(|pattern| PATHS_LIKE_UPPER_X.contains(&pattern))
}

/// Whether somebody with one scope of this resource has another.
fn covers(setup: &Setup, has: usize, need: usize) -> bool {
    fn reaches(setup: &Setup, from: usize, to: usize) -> bool {
        let mut next = setup.includes.iter().filter(|(broad, _)| *broad == from);
        from == to || next.any(|(_, narrow)| reaches(setup, *narrow, to))
    }
    setup.catalogue.contains(&has) && reaches(setup, has, need)
}
