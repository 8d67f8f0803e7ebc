//! Which scope counts as which others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Scope, ScopeSet};

/// What each scope includes besides itself: whoever has `admin` need not have `write`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// With everything that follows: `admin` has `write` and `read`.
    includes: BTreeMap<Scope, BTreeSet<Scope>>,
}

impl Hierarchy {
    /// None: each scope stands for itself.
    #[must_use]
    pub const fn flat() -> Self {
        Self {
            includes: BTreeMap::new(),
        }
    }

    /// From what each scope includes at once; what these include follows.
    ///
    /// # Errors
    /// [`Circular`] when a scope would include itself.
    pub fn new(direct: &BTreeMap<Scope, BTreeSet<Scope>>) -> Result<Self, Circular> {
        let mut includes = BTreeMap::new();
        for scope in direct.keys() {
            let below = reachable(scope, direct);
            if below.contains(scope) {
                return Err(Circular(scope.clone()));
            }
            includes.insert(scope.clone(), below);
        }
        Ok(Self { includes })
    }

    /// Whether `broad` includes `narrow`; no scope includes itself.
    #[must_use]
    pub fn includes(&self, broad: &Scope, narrow: &Scope) -> bool {
        self.includes
            .get(broad)
            .is_some_and(|below| below.contains(narrow))
    }

    /// Those of `scopes` that include no other of them: the least that one can have.
    #[must_use]
    pub fn lowest(&self, scopes: &ScopeSet) -> ScopeSet {
        let all = || scopes.scopes();
        let is_lowest = |scope: &&Scope| !all().any(|other| self.includes(scope, other));
        all().filter(is_lowest).cloned().collect()
    }
}

impl Default for Hierarchy {
    /// `admin` includes `write`, which includes `read`.
    fn default() -> Self {
        let scope = |text: &str| Scope(text.to_owned());
        let direct = [("admin", "write"), ("write", "read")];
        let direct = direct.map(|(broad, narrow)| (scope(broad), BTreeSet::from([scope(narrow)])));
        let direct = BTreeMap::from(direct);
        Self {
            includes: direct
                .keys()
                .map(|s| (s.clone(), reachable(s, &direct)))
                .collect(),
        }
    }
}

/// Everything that is included in what is included in `scope`, and so on.
fn reachable(scope: &Scope, direct: &BTreeMap<Scope, BTreeSet<Scope>>) -> BTreeSet<Scope> {
    let mut found = BTreeSet::new();
    let mut next = vec![scope];
    while let Some(scope) = next.pop() {
        for below in direct.get(scope).into_iter().flatten() {
            if found.insert(below.clone()) {
                next.push(below);
            }
        }
    }
    found
}

/// A scope that would include itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" would include itself", .0.as_str())]
pub struct Circular(Scope);

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    fn of(pairs: &[(&str, &[&str])]) -> Result<Hierarchy, Circular> {
        let set = |names: &[&str]| names.iter().map(|name| scope(name)).collect();
        Hierarchy::new(&pairs.iter().map(|(b, n)| (scope(b), set(n))).collect())
    }

    #[test]
    fn admin_includes_write_which_includes_read_unless_the_operator_says_otherwise() {
        let default = Hierarchy::default();
        assert_eq!(
            of(&[("admin", &["write"]), ("write", &["read"])]),
            Ok(default.clone())
        );
        assert!(default.includes(&scope("admin"), &scope("read")));
        assert!(!default.includes(&scope("read"), &scope("write")));
        assert!(!default.includes(&scope("read"), &scope("read")));
        assert!(!Hierarchy::flat().includes(&scope("admin"), &scope("read")));
        assert_eq!(of(&[]), Ok(Hierarchy::flat()));
    }

    #[test]
    fn a_scope_that_includes_itself_is_refused_however_long_the_way() {
        assert!(of(&[("a", &["a"])]).is_err());
        assert!(of(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"])]).is_err());
        assert!(of(&[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d"])]).is_ok());
    }

    #[test]
    fn the_lowest_scopes_are_those_that_include_no_other() {
        let lowest = |hierarchy: Hierarchy, scopes: &str| {
            hierarchy.lowest(&ScopeSet::parse(scopes).unwrap()).to_string()
        };
        assert_eq!(lowest(Hierarchy::default(), "read write admin"), "read");
        assert_eq!(lowest(Hierarchy::default(), "admin"), "admin");
        assert_eq!(lowest(Hierarchy::default(), "admin files read"), "files read");
        assert_eq!(lowest(Hierarchy::flat(), "read write"), "read write");
    }
}
