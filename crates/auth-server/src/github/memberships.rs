//! Where a person belongs: the organisations and teams that access rules name, out of all that GitHub lists.

use std::time::Duration;

use mcp_gateway_model::{
    access::{Team, Watched},
    clock::Timestamp,
    grant::Memberships,
    id::Login,
    secret::Secret,
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::timeout;
use url::Url;

use super::{Github, GithubFault};

/// The most pages of a list that are read, of a hundred entries each.
const PAGES: usize = 50;
/// How long all of it may take: clients wait half a minute for a refreshed token.
const PATIENCE: Duration = Duration::from_secs(15);

/// What GitHub said about where a person belongs.
#[derive(Debug)]
pub(crate) struct Told {
    /// Of what access rules name, that which is theirs.
    pub(crate) memberships: Memberships,
    /// Whether they let us see it.
    pub(crate) is_shown: bool,
}

impl Github {
    /// Where the owner of `token` belongs, of what is `watched`.
    ///
    /// # Errors
    /// [`GithubFault`] says what GitHub did instead of telling.
    pub(crate) async fn memberships(
        &self,
        token: &Secret,
        watched: &Watched,
        now: Timestamp,
    ) -> Result<Told, GithubFault> {
        let asking = self.ask_memberships(token, watched, now);
        timeout(PATIENCE, asking)
            .await
            .unwrap_or_else(|_| Err(GithubFault::Unreachable("its lists take too long".into())))
    }

    async fn ask_memberships(
        &self,
        token: &Secret,
        watched: &Watched,
        now: Timestamp,
    ) -> Result<Told, GithubFault> {
        let mut memberships = Memberships {
            orgs: [].into(),
            teams: [].into(),
            checked_at: now,
        };
        let mut is_shown = true;
        if !watched.orgs.is_empty() {
            let theirs = &mut memberships.orgs;
            is_shown &= self
                .list(&self.orgs_url, token, |org: ToldOrg| {
                    theirs.extend(
                        Login::parse(&org.login)
                            .ok()
                            .filter(|org| watched.orgs.contains(org)),
                    );
                    theirs.len() < watched.orgs.len()
                })
                .await?;
        }
        if !watched.teams.is_empty() {
            let theirs = &mut memberships.teams;
            is_shown &= self
                .list(&self.teams_url, token, |team: ToldTeam| {
                    theirs.extend(team.read().filter(|team| watched.teams.contains(team)));
                    theirs.len() < watched.teams.len()
                })
                .await?;
        }
        Ok(Told {
            memberships,
            is_shown,
        })
    }

    /// Reads a list, page by page, for as long as `more` wants; `false` when it is not shown. What lies beyond the last
    /// page that is read does not count.
    async fn list<T: DeserializeOwned>(
        &self,
        url: &Url,
        token: &Secret,
        mut more: impl FnMut(T) -> bool,
    ) -> Result<bool, GithubFault> {
        let mut next = Some(url.clone());
        for _ in 0..PAGES {
            let Some(url) = next else { break };
            let Some(page) = self.wire.page(&url, token.reveal()).await? else {
                return Ok(false);
            };
            let entries: Vec<T> =
                serde_json::from_slice(&page.body).map_err(|_| GithubFault::nonsense("not the list"))?;
            if !entries.into_iter().all(&mut more) {
                break;
            }
            next = page.next;
        }
        Ok(true)
    }
}

#[derive(Deserialize)]
struct ToldOrg {
    login: String,
}

#[derive(Deserialize)]
struct ToldTeam {
    slug: String,
    organization: ToldOrg,
}

impl ToldTeam {
    fn read(&self) -> Option<Team> {
        Some(Team {
            org: Login::parse(&self.organization.login).ok()?,
            slug: Login::parse(&self.slug).ok()?,
        })
    }
}
