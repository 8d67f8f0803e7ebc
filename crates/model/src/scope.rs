//! Scopes (RFC 6749 §3.3).

mod catalogue;
mod hierarchy;

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

pub use catalogue::{Catalogue, Subset};
pub use hierarchy::{Circular, Hierarchy};

/// The scopes of a resource whose configuration names none.
pub const USUAL: [&str; 3] = ["read", "write", "admin"];
/// The scope that asks for a refresh token (OpenID Connect Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";
/// The scope that asks who the person is ([OpenID Connect Core
/// §3.1.2.1](https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest)).
pub const OPENID: &str = "openid";
/// The scope that asks for their name, beside [`OPENID`].
pub const PROFILE: &str = "profile";
/// The scope that asks for their e-mail address, beside [`OPENID`].
pub const EMAIL: &str = "email";
/// Scopes about the person, not about a resource: they open no resource.
pub const IDENTITY: [&str; 3] = [OPENID, PROFILE, EMAIL];

/// One scope: printable ASCII without space, quote and backslash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

impl Scope {
    /// Reads one scope.
    ///
    /// # Errors
    /// [`BadScope`] when a character is not allowed, or it is empty or longer than 128 characters.
    pub fn parse(text: &str) -> Result<Self, BadScope> {
        let fits = !text.is_empty()
            && text.len() <= 128
            && text
                .bytes()
                .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadScope)
        }
    }

    /// The scope as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

impl TryFrom<String> for Scope {
    type Error = BadScope;

    fn try_from(text: String) -> Result<Self, BadScope> {
        Self::parse(&text)
    }
}

/// The text is not a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "scopes are words of printable ASCII characters without quotes and backslashes, separated by single spaces"
)]
pub struct BadScope;

/// A set of scopes, written as words separated by spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// The scopes of a resource whose configuration names none: [`USUAL`].
    #[must_use]
    pub fn usual() -> Self {
        Self(USUAL.map(|word| Scope(word.to_owned())).into())
    }

    /// Reads words separated by spaces; an empty text is the empty set. Repeated spaces are forgiven, clients send them.
    ///
    /// # Errors
    /// [`BadScope`] when a word is not a scope, or there are more than 100.
    pub fn parse(text: &str) -> Result<Self, BadScope> {
        let set: BTreeSet<_> = text
            .split(' ')
            .filter(|w| !w.is_empty())
            .map(Scope::parse)
            .collect::<Result<_, _>>()?;
        if set.len() > 100 {
            Err(BadScope)
        } else {
            Ok(Self(set))
        }
    }

    /// Whether every scope of `needed` is here.
    #[must_use]
    pub fn covers(&self, needed: &Self) -> bool {
        needed.0.is_subset(&self.0)
    }

    /// The scopes that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The scopes that are in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// The scopes that `keep` accepts.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|s| keep(s.as_str())).cloned().collect())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `scope` is here.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|s| s.as_str() == scope)
    }

    /// The scopes themselves, in alphabetical order.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Whether this scope is here.
    #[must_use]
    pub fn has(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// The scopes in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Scope::as_str)
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

impl From<ScopeSet> for String {
    fn from(set: ScopeSet) -> Self {
        set.to_string()
    }
}

impl TryFrom<String> for ScopeSet {
    type Error = BadScope;

    fn try_from(text: String) -> Result<Self, BadScope> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_written_sorted_and_once() {
        assert_eq!(
            ScopeSet::parse("write  read write").unwrap().to_string(),
            "read write"
        );
        assert!(ScopeSet::parse("").unwrap().is_empty());
    }

    #[test]
    fn characters_that_break_a_challenge_are_refused() {
        for text in ["a\"b", "a\\b", "a\tb", "é"] {
            assert_eq!(ScopeSet::parse(text), Err(BadScope));
        }
    }
}
