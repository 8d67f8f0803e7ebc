//! Who may use one resource: people, and whoever belongs to an organisation or a team, for as long as that is known.

use std::{collections::BTreeSet, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Admission, AllowedUsers};
use crate::{
    clock::Timestamp,
    grant::{Memberships, User},
    id::{BadId, Login, UserId},
};

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
        !self.ends(known).has_passed(now)
    }

    /// Until when the answer counts.
    #[must_use]
    pub fn ends(&self, known: &Memberships) -> Timestamp {
        known.checked_at.plus(self.recheck.saturating_add(self.grace))
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

#[cfg(test)]
mod tests {
    use super::*;

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
            checked_at: Timestamp::from_secs(1),
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
}
