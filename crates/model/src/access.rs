//! Who may log in at all, and who may use a resource. Empty means nobody.

mod allow;

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::id::{BadId, Login, UserId};

pub use allow::{Allow, MembershipLife, Standing, Team, Watched};

/// The users that the operator lets in: everywhere (`ALLOWED_GITHUB_USERS`), or at one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedUsers {
    /// `*`.
    Everybody,
    /// Those listed; an empty list admits nobody.
    Listed {
        /// By login. A login is pinned to the first user it admits, because logins can be renamed and reused.
        logins: BTreeSet<Login>,
        /// By GitHub's number.
        ids: BTreeSet<UserId>,
    },
}

/// By what a user is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Everybody is, or the user's number is listed.
    Admitted,
    /// The login is listed: it must still be pinned to this user's number.
    IfPinned(Login),
    /// Not listed.
    Refused,
}

impl AllowedUsers {
    /// Nobody.
    #[must_use]
    pub const fn nobody() -> Self {
        Self::Listed {
            logins: BTreeSet::new(),
            ids: BTreeSet::new(),
        }
    }

    /// Reads a list separated by commas: logins in any case, numbers, or `*` alone or among others.
    ///
    /// # Errors
    /// [`BadUser`] with the entry that is neither.
    pub fn parse(text: &str) -> Result<Self, BadUser> {
        Self::of(text.split(',').map(str::trim).filter(|entry| !entry.is_empty()))
    }

    /// Reads entries: each a login in any case, a number, or `*`.
    ///
    /// # Errors
    /// [`BadUser`] with the entry that is neither.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, BadUser> {
        let (mut logins, mut ids, mut everybody) = (BTreeSet::new(), BTreeSet::new(), false);
        for entry in entries {
            if entry == "*" {
                everybody = true;
            } else if let Ok(id) = entry.parse() {
                ids.insert(UserId(id));
            } else {
                logins.insert(Login::parse(entry).map_err(|BadId| BadUser(entry.to_owned()))?);
            }
        }
        Ok(if everybody {
            Self::Everybody
        } else {
            Self::Listed { logins, ids }
        })
    }

    /// Whether, and by what, this user is let in.
    #[must_use]
    pub fn admits(&self, id: UserId, login: &Login) -> Admission {
        match self {
            Self::Everybody => Admission::Admitted,
            Self::Listed { ids, .. } if ids.contains(&id) => Admission::Admitted,
            Self::Listed { logins, .. } if logins.contains(login) => Admission::IfPinned(login.clone()),
            Self::Listed { .. } => Admission::Refused,
        }
    }
}

/// A GitHub account as an operator names it: by its number, which never changes, or by the login that it has now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Person {
    /// By number.
    Id(UserId),
    /// By login.
    Login(Login),
}

impl Person {
    /// Reads a number or a login in any case.
    ///
    /// # Errors
    /// [`BadUser`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, BadUser> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(UserId(id)));
        }
        Login::parse(text)
            .map(Self::Login)
            .map_err(|BadId| BadUser(text.to_owned()))
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Login(login) => login.fmt(f),
        }
    }
}

/// An entry that is neither a login, nor a number, nor `*`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither a GitHub login, nor a numeric GitHub id, nor *")]
pub struct BadUser(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(list: &str, id: u64, login: &str) -> Admission {
        AllowedUsers::parse(list)
            .unwrap()
            .admits(UserId(id), &Login::parse(login).unwrap())
    }

    #[test]
    fn an_empty_allow_list_admits_nobody() {
        assert_eq!(admits("", 1, "octocat"), Admission::Refused);
        assert_eq!(admits(" , ", 1, "octocat"), Admission::Refused);
        assert_eq!(AllowedUsers::parse(""), Ok(AllowedUsers::nobody()));
    }

    #[test]
    fn logins_in_any_case_numbers_and_the_star_admit() {
        assert_eq!(
            admits("OctoCat", 1, "octocat"),
            Admission::IfPinned(Login::parse("octocat").unwrap())
        );
        assert_eq!(admits("hubot, 1", 1, "octocat"), Admission::Admitted);
        assert_eq!(admits("*", 1, "octocat"), Admission::Admitted);
        assert_eq!(admits("hubot", 1, "octocat"), Admission::Refused);
    }

    #[test]
    fn an_entry_of_a_list_is_one_user() {
        let both = AllowedUsers::of(["octocat", "1"]);
        assert_eq!(both, AllowedUsers::parse("octocat,1"));
        for entry in ["octocat,1", ""] {
            assert!(AllowedUsers::of([entry]).is_err(), "{entry}");
        }
        assert_eq!(AllowedUsers::of([]), Ok(AllowedUsers::nobody()));
    }

    #[test]
    fn an_entry_that_is_nothing_is_named() {
        assert_eq!(
            AllowedUsers::parse("a,b c")
                .unwrap_err()
                .to_string()
                .split(' ')
                .next(),
            Some("\"b")
        );
    }
}
