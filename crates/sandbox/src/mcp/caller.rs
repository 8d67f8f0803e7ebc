//! Who is calling.

use std::sync::LazyLock;

use mcp_gateway_model::scope::{Hierarchy, Scope, ScopeSet};

/// `admin` includes `write`, which includes `read`: what the gateway has unless its operator says otherwise.
static HIERARCHY: LazyLock<Hierarchy> = LazyLock::new(Hierarchy::default);

/// Whoever sent a request, once it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What never changes about them: GitHub's number of a person, or the client that acts for itself. Their data hangs on it.
    pub user: String,
    /// The login, for reading.
    pub name: Option<String>,
    /// The OAuth client that the token was given to.
    pub client: Option<String>,
    /// What the token allows.
    pub scopes: ScopeSet,
}

impl Caller {
    /// Whether they may do what needs `scope`; a broad scope includes the narrow ones.
    #[must_use]
    pub fn may(&self, scope: &str) -> bool {
        let Ok(scope) = Scope::parse(scope) else {
            return false;
        };
        let mut held = self.scopes.scopes();
        held.any(|held| *held == scope || HIERARCHY.includes(held, &scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broad_scope_includes_the_narrow_ones_and_none_includes_a_broader() {
        for (held, read, write) in [
            ("", false, false),
            ("read", true, false),
            ("write", true, true),
            ("admin", true, true),
            ("readwrite", false, false),
        ] {
            let caller = Caller {
                user: "1".into(),
                name: None,
                client: None,
                scopes: ScopeSet::parse(held).unwrap(),
            };
            assert_eq!((caller.may("read"), caller.may("write")), (read, write), "{held}");
        }
    }
}
