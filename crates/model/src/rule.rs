//! Rules: which scopes a request to a protected server needs, by method, path, MCP method and tool.
//!
//! All rules that match a request add up; one that no rule matches needs the resource's default scopes. What cannot be
//! told apart for certain is not let through.

mod message;
mod pattern;
mod policy;

pub use message::{BadBody, Message};
pub use pattern::{BadPattern, HttpMethod, Likeness, NamePattern, PathPattern};
pub use policy::{Demand, Policy, Unclear};

use crate::scope::ScopeSet;

/// A request as rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation<'r> {
    /// The HTTP method.
    pub http_method: &'r str,
    /// The path without the query, which could not mean another path.
    pub path: &'r str,
    /// What is asked for in the body: each message of a batch; nothing if there is no body.
    pub calls: &'r [Call<'r>],
}

/// What one message asks the server for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call<'r> {
    /// The MCP method; a response has none.
    pub method: Option<&'r str>,
    /// The tool of `tools/call`.
    pub tool: Option<&'r str>,
}

/// The MCP method that calls a tool.
pub const TOOLS_CALL: &str = "tools/call";

/// One rule: it matches a request that each of its lists matches; an empty list matches every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Any of these HTTP methods.
    pub http_methods: Vec<HttpMethod>,
    /// Any of these paths.
    pub paths: Vec<PathPattern>,
    /// Any of these MCP methods.
    pub mcp_methods: Vec<NamePattern>,
    /// A call of any of these tools.
    pub tools: Vec<NamePattern>,
    /// What follows.
    pub effect: Effect,
}

/// What follows from a rule that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// These scopes are needed.
    Needs(ScopeSet),
    /// No token is needed, unless another rule that matches needs scopes.
    Public,
}

impl Rule {
    /// Whether the rule looks at messages.
    #[must_use]
    pub const fn reads_messages(&self) -> bool {
        !self.mcp_methods.is_empty() || !self.tools.is_empty()
    }

    /// Whether the rule matches a request with this one message, or without any.
    #[must_use]
    pub fn matches(&self, http_method: &str, path: &str, call: Call<'_>) -> Likeness {
        let method = any(&self.http_methods, |m| m.matches(http_method));
        if method == Likeness::Different {
            return method;
        }
        let path = any(&self.paths, |p| p.matches(path));
        let named = |patterns: &[NamePattern], name: Option<&str>| {
            any(patterns, |p| {
                name.map_or(Likeness::Different, |name| p.matches(name))
            })
        };
        let mcp_method = named(&self.mcp_methods, call.method);
        method
            .min(path)
            .min(mcp_method)
            .min(named(&self.tools, call.tool))
    }
}

/// The best match in a list; an empty one matches.
fn any<T>(list: &[T], matches: impl Fn(&T) -> Likeness) -> Likeness {
    list.iter().map(matches).max().unwrap_or(Likeness::Same)
}
