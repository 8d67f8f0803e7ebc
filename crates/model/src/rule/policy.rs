//! All rules of one resource, ready to judge.

use super::{Call, Effect, Likeness, Operation, Rule};
use crate::scope::{Catalogue, Hierarchy, ScopeSet, Subset};

/// What requests to one resource need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    catalogue: Catalogue,
    rules: Vec<(Rule, Option<Subset>)>,
    unmatched: Subset,
    reads: Reads,
    has_public: bool,
    /// Whether `Mcp-Method` and `Mcp-Name` count where there is no body to read.
    pub trust_mcp_headers: bool,
    /// The most bytes of a body that are read.
    pub max_body: usize,
}

/// What a policy looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reads {
    http_methods: bool,
    paths: bool,
    messages: bool,
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Not even a token.
    Public,
    /// A valid token with these scopes.
    Scopes(Subset),
}

/// A request that matches a rule only where the case of letters does not matter: what the server makes of it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a method, a path or a name is written in another case than in the rules")]
pub struct Unclear;

impl Policy {
    /// The most bytes of a body that are read unless the operator says otherwise.
    pub const MAX_BODY: usize = 1024 * 1024;

    /// A resource with `scopes`, of which a request that no rule matches needs `unmatched`.
    #[must_use]
    pub fn new(scopes: &ScopeSet, unmatched: &ScopeSet, rules: Vec<Rule>, hierarchy: &Hierarchy) -> Self {
        let catalogue = Catalogue::new(scopes, hierarchy);
        let reads = Reads {
            http_methods: rules.iter().any(|r| !r.http_methods.is_empty()),
            paths: rules.iter().any(|r| !r.paths.is_empty()),
            messages: rules.iter().any(Rule::reads_messages),
        };
        let has_public = rules.iter().any(|r| r.effect == Effect::Public);
        let needed = |rule: Rule| {
            let scopes = match &rule.effect {
                Effect::Needs(scopes) => Some(catalogue.exactly(scopes)),
                Effect::Public => None,
            };
            (rule, scopes)
        };
        Self {
            unmatched: catalogue.exactly(unmatched),
            rules: rules.into_iter().map(needed).collect(),
            catalogue,
            reads,
            has_public,
            trust_mcp_headers: false,
            max_body: Self::MAX_BODY,
        }
    }

    /// How many rules there are.
    #[must_use]
    pub const fn rules(&self) -> usize {
        self.rules.len()
    }

    /// Whether any rule looks at HTTP methods.
    #[must_use]
    pub const fn reads_http_methods(&self) -> bool {
        self.reads.http_methods
    }

    /// Whether any rule looks at paths.
    #[must_use]
    pub const fn reads_paths(&self) -> bool {
        self.reads.paths
    }

    /// Whether any rule looks at what is asked for in bodies.
    #[must_use]
    pub const fn reads_messages(&self) -> bool {
        self.reads.messages
    }

    /// Whether any rule lets requests through without a token.
    #[must_use]
    pub const fn has_public(&self) -> bool {
        self.has_public
    }

    /// What `operation` needs: everything that any rule asks for any of its messages. It needs no token only if, for each
    /// message, a public rule matches and no other does.
    ///
    /// # Errors
    /// [`Unclear`] when the case of letters decides.
    pub fn judge(&self, operation: &Operation<'_>) -> Result<Demand, Unclear> {
        let nothing = [Call::default()];
        let calls = if operation.calls.is_empty() {
            &nothing
        } else {
            operation.calls
        };
        let (mut needed, mut public) = (Subset::default(), true);
        for call in calls {
            match self.judge_one(operation, *call)? {
                Demand::Public => {}
                Demand::Scopes(scopes) => {
                    needed = needed.with(scopes);
                    public = false;
                }
            }
        }
        Ok(if public {
            Demand::Public
        } else {
            Demand::Scopes(needed)
        })
    }

    fn judge_one(&self, operation: &Operation<'_>, call: Call<'_>) -> Result<Demand, Unclear> {
        let (mut needed, mut public) = (None::<Subset>, false);
        for (rule, scopes) in &self.rules {
            match (rule.matches(operation.http_method, operation.path, call), scopes) {
                (Likeness::Different, _) => {}
                (Likeness::Alike, _) => return Err(Unclear),
                (Likeness::Same, None) => public = true,
                (Likeness::Same, Some(scopes)) => needed = Some(needed.unwrap_or_default().with(*scopes)),
            }
        }
        Ok(match needed {
            Some(needed) => Demand::Scopes(needed),
            None if public => Demand::Public,
            None => Demand::Scopes(self.unmatched),
        })
    }

    /// What somebody with `scopes` has here: those of the catalogue, and what they include. Decided once, it need not be
    /// decided again for each request.
    #[must_use]
    pub fn held(&self, scopes: &ScopeSet) -> Subset {
        self.catalogue.held(scopes)
    }

    /// The words for what is needed.
    #[must_use]
    pub fn names(&self, needed: Subset) -> ScopeSet {
        self.catalogue.names(needed)
    }
}

#[cfg(test)]
mod tests;
