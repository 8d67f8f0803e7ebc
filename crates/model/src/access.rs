//! Who may log in at all, and who may use a resource. Empty means nobody.

use std::{collections::BTreeSet, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    grant::{Memberships, User},
    id::{BadId, Login, UserId},
};

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

/// A team of an organisation at GitHub, written `organisation/slug`, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Team {
    /// The organisation.
    pub org: Login,
    /// The team's name in addresses.
    pub slug: Login,
}

impl Team {
    /// Reads `organisation/slug`.
    ///
    /// # Errors
    /// [`BadId`] when it is anything else.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let (org, slug) = text.split_once('/').ok_or(BadId)?;
        Ok(Self {
            org: Login::parse(org)?,
            slug: Login::parse(slug)?,
        })
    }
}

impl fmt::Display for Team {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.org, self.slug)
    }
}

impl From<Team> for String {
    fn from(team: Team) -> Self {
        team.to_string()
    }
}

impl TryFrom<String> for Team {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        Self::parse(&text)
    }
}

/// Who may use one resource, of those who may log in at all: whoever is listed, or belongs to an organisation or a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// The people.
    pub users: AllowedUsers,
    /// The organisations, in lower case.
    pub orgs: BTreeSet<Login>,
    /// The teams.
    pub teams: BTreeSet<Team>,
}

impl Allow {
    /// Only those listed.
    #[must_use]
    pub const fn users(users: AllowedUsers) -> Self {
        Self {
            users,
            orgs: BTreeSet::new(),
            teams: BTreeSet::new(),
        }
    }

    /// Whether somebody may be let in for where they belong, so that GitHub has to be asked.
    #[must_use]
    pub fn asks_memberships(&self) -> bool {
        !self.orgs.is_empty() || !self.teams.is_empty()
    }

    /// Whether, and by what, this user is let in. `memberships` are what is known, and fresh enough to count; the caller
    /// judges that.
    #[must_use]
    pub fn admits(&self, id: UserId, login: &Login, memberships: Option<&Memberships>) -> Admission {
        let belongs = memberships.is_some_and(|known| {
            !self.orgs.is_disjoint(&known.orgs) || !self.teams.is_disjoint(&known.teams)
        });
        if belongs {
            Admission::Admitted
        } else {
            self.users.admits(id, login)
        }
    }
}

/// Organisations and teams that access rules name: nothing else is asked about, and nothing else is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// The organisations, in lower case.
    pub orgs: BTreeSet<Login>,
    /// The teams.
    pub teams: BTreeSet<Team>,
}

impl Watched {
    /// Whether nothing has to be asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.orgs.is_empty() && self.teams.is_empty()
    }

    /// Adds what a rule names.
    pub fn add(&mut self, allow: &Allow) {
        self.orgs.extend(allow.orgs.iter().cloned());
        self.teams.extend(allow.teams.iter().cloned());
    }
}

/// For how long it counts what GitHub said about where somebody belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MembershipLife {
    /// After this time GitHub is asked again.
    pub recheck: Duration,
    /// For how much longer the old answer counts while GitHub gives no new one.
    pub grace: Duration,
}

impl Default for MembershipLife {
    /// 15 minutes, and an hour more.
    fn default() -> Self {
        Self {
            recheck: Duration::from_secs(900),
            grace: Duration::from_secs(3600),
        }
    }
}

impl MembershipLife {
    /// Whether GitHub has to be asked again at `now`.
    #[must_use]
    pub fn is_due(&self, known: &Memberships, now: Timestamp) -> bool {
        known.checked_at.plus(self.recheck).has_passed(now)
    }

    /// Whether the answer counts at `now`.
    #[must_use]
    pub fn counts(&self, known: &Memberships, now: Timestamp) -> bool {
        let most = self.recheck.saturating_add(self.grace);
        !known.checked_at.plus(most).has_passed(now)
    }
}

/// How somebody who was let in once stands with a resource's rule now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They are let in. A login that is listed counts: it was pinned when the grant began.
    Admitted,
    /// They are not.
    Refused,
    /// They would be, for where they belonged: but that was asked too long ago.
    Stale,
}

impl Allow {
    /// How `user` stands at `now`, with what is known about where they belong.
    #[must_use]
    pub fn standing(
        &self,
        user: &User,
        known: Option<&Memberships>,
        life: MembershipLife,
        now: Timestamp,
    ) -> Standing {
        let counts = known.filter(|known| life.counts(known, now));
        let admits = |known| self.admits(user.id, &user.login, known) != Admission::Refused;
        if admits(counts) {
            Standing::Admitted
        } else if admits(known) {
            Standing::Stale
        } else {
            Standing::Refused
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
    fn a_member_of_a_listed_organisation_or_team_is_let_in_and_nobody_else() {
        let login = |text: &str| Login::parse(text).unwrap();
        let allow = Allow {
            users: AllowedUsers::nobody(),
            orgs: [login("Acme")].into(),
            teams: [Team::parse("Umbrella/Platform").unwrap()].into(),
        };
        let known = |orgs: &[&str], teams: &[&str]| Memberships {
            orgs: orgs.iter().map(|o| login(o)).collect(),
            teams: teams.iter().map(|t| Team::parse(t).unwrap()).collect(),
            checked_at: crate::clock::Timestamp::from_secs(1),
        };
        let admits = |known: Option<&Memberships>| allow.admits(UserId(1), &login("octocat"), known);
        assert_eq!(admits(Some(&known(&["acme"], &[]))), Admission::Admitted);
        assert_eq!(
            admits(Some(&known(&[], &["umbrella/platform"]))),
            Admission::Admitted
        );
        for (orgs, teams) in [(&["umbrella"][..], &["umbrella/other"][..]), (&[], &[])] {
            assert_eq!(admits(Some(&known(orgs, teams))), Admission::Refused);
        }
        assert_eq!(admits(None), Admission::Refused);
        assert_eq!(Team::parse("acme"), Err(BadId));
    }

    #[test]
    fn where_somebody_belongs_counts_until_it_was_asked_too_long_ago() {
        let login = Login::parse("octocat").unwrap();
        let user = User {
            id: UserId(1),
            shown_login: "octocat".into(),
            login,
            name: None,
            email: None,
        };
        let acme = Login::parse("acme").unwrap();
        let mut allow = Allow {
            users: AllowedUsers::nobody(),
            orgs: [acme.clone()].into(),
            teams: BTreeSet::new(),
        };
        let asked = Timestamp::from_secs(1000);
        let known = Memberships {
            orgs: [acme].into(),
            teams: BTreeSet::new(),
            checked_at: asked,
        };
        let life = MembershipLife::default();
        let at = |secs| asked.plus(Duration::from_secs(secs));
        let standing = |allow: &Allow, known, secs| allow.standing(&user, known, life, at(secs));
        assert_eq!(standing(&allow, Some(&known), 0), Standing::Admitted);
        assert_eq!(standing(&allow, Some(&known), 4499), Standing::Admitted);
        assert_eq!(standing(&allow, Some(&known), 4500), Standing::Stale);
        assert_eq!(standing(&allow, None, 0), Standing::Refused);
        assert!(!life.is_due(&known, at(899)) && life.is_due(&known, at(900)));
        allow.users = AllowedUsers::parse("octocat").unwrap();
        assert_eq!(standing(&allow, Some(&known), 4500), Standing::Admitted);
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
