//! Asks GitHub again, between refreshes, where the people belong whose access tokens live. Several servers share the work:
//! each grant is taken on by one of them.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use mcp_gateway_model::{
    access::Admission,
    clock::Timestamp,
    grant::{Grant, Memberships},
    id::{RequestId, UserId},
    secret::Secret,
};
use mcp_gateway_store::StoreError;
use tracing::warn;

use crate::{
    audit::{Event, Line},
    github::GithubFault,
    memberships,
    metrics::Ended,
    state::AuthServer,
};

/// For how long a grant is taken on. Whoever fails leaves it to the next after that.
const CLAIM: Duration = Duration::from_secs(60);
/// How many people are asked about at once.
const AT_ONCE: usize = 8;

/// What a round of rechecks did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rechecked {
    /// How many grants GitHub gave an answer for.
    pub confirmed: usize,
    /// How many ended.
    pub ended: usize,
    /// How many got no answer: what GitHub said last counts for a while.
    pub unanswered: usize,
}

impl AuthServer {
    /// How often a round of rechecks is due; `None` when nobody is let in for where they belong.
    #[must_use]
    pub fn recheck_interval(&self) -> Option<Duration> {
        let recheck = self.settings.memberships.recheck;
        let interval = (recheck / 4).clamp(Duration::from_secs(1), Duration::from_secs(30));
        (!self.watched.is_empty()).then_some(interval)
    }

    /// A round: asks about every person whose last answer is older than `MEMBERSHIP_RECHECK` and who has an access token
    /// that lives, and ends the grants of those who no longer belong. One person's grants share one answer.
    ///
    /// # Errors
    /// The store cannot be asked; what was done until then is done.
    pub async fn recheck_memberships(&self) -> Result<Rechecked, StoreError> {
        let now = self.clock.now();
        let life = self.settings.memberships;
        let mut people = BTreeMap::<UserId, Vec<Grant>>::new();
        for grant in self.store.rechecks(now).await? {
            let known = grant.memberships.as_ref();
            let is_due = known.is_some_and(|known| life.is_due(known, now));
            if let Some(user) = grant.user.as_ref().filter(|_| is_due) {
                people.entry(user.id).or_default().push(grant);
            }
        }
        let mut done = Rechecked::default();
        let people: Vec<_> = people.into_values().collect();
        for some in people.chunks(AT_ONCE) {
            let rounds = some.iter().map(|grants| self.recheck_person(grants, now));
            let mut may_go_on = true;
            for round in join_all(rounds).await {
                let (one, goes_on) = round?;
                done.confirmed += one.confirmed;
                done.ended += one.ended;
                done.unanswered += one.unanswered;
                may_go_on &= goes_on;
            }
            if !may_go_on {
                break;
            }
        }
        Ok(done)
    }

    /// One person's grants. Also whether it makes sense to ask GitHub about others.
    async fn recheck_person(
        &self,
        grants: &[Grant],
        now: Timestamp,
    ) -> Result<(Rechecked, bool), StoreError> {
        let mut done = Rechecked::default();
        let mut told = None;
        // not for longer than until the next recheck is due
        let until = now.plus(CLAIM.min(self.settings.memberships.recheck));
        for grant in grants {
            let claimed = self.store.claim_recheck(&grant.id, until, now).await?;
            let Some(sealed) = claimed else { continue };
            let token = memberships::open(self, &grant.id, &sealed).ok();
            let answer = match (&told, token) {
                (_, None) => Err(GithubFault::TokenEnded),
                (Some(known), Some(_)) => Ok(Clone::clone(known)),
                (None, Some(token)) => self.ask(&token, now).await,
            };
            match answer {
                Ok(memberships) if self.still_lets_in(grant, &memberships) => {
                    self.store.note_memberships(&grant.id, &memberships, now).await?;
                    told = Some(memberships);
                    done.confirmed += 1;
                }
                Ok(memberships) => {
                    self.end(grant, "not_a_member", now).await?;
                    told = Some(memberships);
                    done.ended += 1;
                }
                Err(fault @ GithubFault::TokenEnded) => {
                    self.end(grant, fault.reason(), now).await?;
                    done.ended += 1;
                }
                Err(fault) => {
                    warn!(reason = fault.reason(), %fault, "GitHub does not say where a user belongs");
                    done.unanswered += 1;
                    return Ok((done, false));
                }
            }
        }
        Ok((done, true))
    }

    async fn ask(&self, token: &Secret, now: Timestamp) -> Result<Memberships, GithubFault> {
        let told = self.desk.github.memberships(token, &self.watched, now).await?;
        Ok(told.memberships)
    }

    /// Whether any resource of the grant still lets its user in. Each request asks for its own anyway.
    fn still_lets_in(&self, grant: &Grant, memberships: &Memberships) -> bool {
        grant.user.as_ref().is_some_and(|user| {
            grant.audiences.iter().any(|audience| {
                let protected = self.settings.resources.of_audience(audience.as_str());
                protected.is_some_and(|p| {
                    let admits = |allow: &mcp_gateway_model::access::Allow| {
                        allow.admits(user.id, &user.login, Some(memberships)) != Admission::Refused
                    };
                    p.resource.allow.as_ref().is_none_or(admits)
                })
            })
        })
    }

    async fn end(&self, grant: &Grant, reason: &'static str, now: Timestamp) -> Result<(), StoreError> {
        let lived = self.store.end_grant(&grant.id, now).await?;
        self.metrics.ended(Ended::NotAdmitted, u64::from(lived));
        let request_id = RequestId::generate();
        let mut line = Line::of_grant(Event::MembershipEnded, &request_id, grant);
        line.reason = Some(reason);
        line.write();
        Ok(())
    }
}
