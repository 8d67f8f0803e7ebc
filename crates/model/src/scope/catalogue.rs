//! The scopes of one resource, numbered: what a request needs and what a token has are compared without looking at words.

use super::{Hierarchy, Scope, ScopeSet};

/// The scopes that can be asked for at one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// Each with itself and everything that it includes.
    scopes: Vec<(Scope, Subset)>,
}

/// Some of the scopes of one catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subset(u128);

impl Subset {
    /// What is in either.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether everything in `needed` is here.
    #[must_use]
    pub const fn covers(self, needed: Self) -> bool {
        needed.0 & !self.0 == 0
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Catalogue {
    /// Numbers `scopes`, of which there are at most 100 ([`ScopeSet::parse`]); more than 128 could not be numbered, and
    /// are left out.
    #[must_use]
    pub fn new(scopes: &ScopeSet, hierarchy: &Hierarchy) -> Self {
        let all: Vec<&Scope> = scopes.scopes().take(128).collect();
        let covered = |broad: &Scope| {
            let covered = all.iter().enumerate();
            let covered = covered.filter(|(_, s)| **s == broad || hierarchy.includes(broad, s));
            covered.fold(Subset::default(), |set, (i, _)| set.with(Subset(1 << i)))
        };
        Self {
            scopes: all.iter().map(|s| ((*s).clone(), covered(s))).collect(),
        }
    }

    /// The scopes of `set` that are in the catalogue, without what they include.
    #[must_use]
    pub fn exactly(&self, set: &ScopeSet) -> Subset {
        let here = self.scopes.iter().enumerate();
        let here = here.filter(|(_, (scope, _))| set.has(scope));
        here.fold(Subset::default(), |all, (i, _)| all.with(Subset(1 << i)))
    }

    /// What somebody with `set` has: the scopes that are in the catalogue, and what these include.
    #[must_use]
    pub fn held(&self, set: &ScopeSet) -> Subset {
        let here = self.scopes.iter().filter(|(scope, _)| set.has(scope));
        here.fold(Subset::default(), |all, (_, covered)| all.with(*covered))
    }

    /// The scopes in words.
    #[must_use]
    pub fn names(&self, subset: Subset) -> ScopeSet {
        let here = self.scopes.iter().enumerate();
        let here = here.filter(|(i, _)| subset.0 >> i & 1 == 1);
        here.map(|(_, (scope, _))| scope.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    #[test]
    fn a_broad_scope_covers_narrow_ones_and_not_the_other_way_round() {
        let catalogue = Catalogue::new(&set("read write admin other"), &Hierarchy::default());
        let covers =
            |held: &str, needed: &str| catalogue.held(&set(held)).covers(catalogue.exactly(&set(needed)));
        assert!(covers("admin", "read write") && covers("write", "read") && covers("", ""));
        assert!(!covers("write", "admin") && !covers("admin", "other") && !covers("", "read"));
        assert_eq!(
            catalogue.names(catalogue.exactly(&set("write read"))),
            set("read write")
        );
    }

    #[test]
    fn a_scope_that_the_resource_does_not_have_covers_nothing_there() {
        let catalogue = Catalogue::new(&set("read write"), &Hierarchy::default());
        assert!(catalogue.held(&set("admin other")).is_empty());
        let gap = Catalogue::new(&set("read admin"), &Hierarchy::default());
        assert!(gap.held(&set("admin")).covers(gap.exactly(&set("read"))));
    }

    #[test]
    fn as_many_scopes_as_a_set_can_have_are_told_apart() {
        let all = (0..100).map(|n| format!("s{n:03}")).collect::<Vec<_>>().join(" ");
        let catalogue = Catalogue::new(&set(&all), &Hierarchy::flat());
        assert_eq!(catalogue.names(catalogue.held(&set(&all))), set(&all));
        assert!(
            !catalogue
                .held(&set("s098"))
                .covers(catalogue.exactly(&set("s099")))
        );
    }
}
