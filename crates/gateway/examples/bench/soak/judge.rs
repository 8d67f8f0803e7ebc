//! What each answer says about the protocol.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use mcp_gateway_model::id::GrantId;

use super::VERIFIERS;

/// How long after the acknowledged end memory may let somebody through.
const LEASE: Duration = Duration::from_millis(250);

/// A grant, and what has become of it.
pub(super) struct Grant {
    pub(super) id: GrantId,
    /// A question of Traefik's with a token of it.
    pub(super) request: String,
    /// When the end was about to be sent to Redis.
    pub(super) ending: Cell<Option<Instant>>,
    /// When the end was acknowledged.
    pub(super) ended: Cell<Option<Instant>>,
    /// Both verifiers have certainly heard of the end.
    pub(super) fenced: Cell<bool>,
    /// Somebody asked about it after that.
    asked_behind: Cell<bool>,
    /// How long after the end a request was sent that was let through.
    late: Cell<Duration>,
    /// How often each verifier has let it through.
    pub(super) admitted: [Cell<usize>; VERIFIERS],
}

impl Grant {
    pub(super) const fn new(id: GrantId, request: String) -> Self {
        Self {
            id,
            request,
            ending: Cell::new(None),
            ended: Cell::new(None),
            fenced: Cell::new(false),
            asked_behind: Cell::new(false),
            late: Cell::new(Duration::ZERO),
            admitted: [const { Cell::new(0) }; VERIFIERS],
        }
    }
}

/// What was known when a request was sent.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) fenced: bool,
}

/// What was seen, and what was wrong with it.
pub(super) struct Judge {
    /// Whether times are judged, and not only the order of events.
    by_time: bool,
    pub(super) requests: usize,
    pub(super) admitted: usize,
    pub(super) refused: usize,
    pub(super) refused_living: usize,
    /// How often 503 was the answer where no time is judged: nobody was let in, and nobody was told that the grant has ended.
    pub(super) unanswered: usize,
    pub(super) let_through: usize,
    pub(super) prolonged: usize,
    /// How many ended grants were asked about after both verifiers had certainly heard.
    pub(super) fenced: usize,
    ends: RefCell<Vec<Rc<Grant>>>,
    pub(super) objections: Vec<String>,
}

impl Judge {
    pub(super) const fn new(by_time: bool) -> Self {
        Self {
            by_time,
            requests: 0,
            admitted: 0,
            refused: 0,
            refused_living: 0,
            unanswered: 0,
            let_through: 0,
            prolonged: 0,
            fenced: 0,
            ends: RefCell::new(Vec::new()),
            objections: Vec::new(),
        }
    }

    /// An answer has come, just now.
    pub(super) fn answered(&mut self, grant: &Grant, verifier: usize, sent: Sent, status: u16) {
        self.requests += 1;
        if sent.fenced && !grant.asked_behind.replace(true) {
            self.fenced += 1;
        }
        match (status, grant.ending.get()) {
            (200, _) => self.let_in(grant, verifier, sent),
            (401, Some(_)) => self.refused += 1,
            (503, _) if !self.by_time => self.unanswered += 1,
            (_, None) => {
                self.refused_living += 1;
                self.object(
                    grant,
                    &format!("verifier {verifier} answered {status} while it lived"),
                );
            }
            // in doubt about a grant that has ended, or is about to: no is never wrong, but this is not the answer either
            (_, Some(_)) => self.object(
                grant,
                &format!("verifier {verifier} answered {status} to its end"),
            ),
        }
    }

    fn let_in(&mut self, grant: &Grant, verifier: usize, sent: Sent) {
        self.admitted += 1;
        grant.admitted[verifier].set(grant.admitted[verifier].get() + 1);
        let late = grant
            .ended
            .get()
            .map_or(Duration::ZERO, |ended| sent.at.saturating_duration_since(ended));
        grant.late.set(grant.late.get().max(late));
        if sent.fenced {
            let what = format!("verifier {verifier} let it through after it had heard of its end");
            self.object(grant, &what);
        }
        if self.by_time && late > LEASE {
            self.let_through += 1;
            self.object(
                grant,
                &format!("verifier {verifier} let it through {late:?} after its end"),
            );
        }
    }

    /// Whether more than one request in a hundred had no answer: more than a busy machine explains.
    pub(super) const fn is_mute(&self) -> bool {
        self.unanswered * 100 > self.requests
    }

    /// Something is wrong.
    pub(super) fn object(&mut self, grant: &Grant, what: &str) {
        self.objections.push(format!("grant {}: {what}", grant.id));
    }

    /// A grant has ended, and both verifiers have refused it.
    pub(super) fn end(&self, grant: Rc<Grant>) {
        self.ends.borrow_mut().push(grant);
    }

    /// How many grants ended.
    pub(super) fn ended(&self) -> usize {
        self.ends.borrow().len()
    }

    /// How late each ended grant was let through for the last time, sorted.
    pub(super) fn lates(&self) -> Vec<Duration> {
        let mut lates: Vec<_> = self.ends.borrow().iter().map(|grant| grant.late.get()).collect();
        lates.sort_unstable();
        lates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::now;

    fn grant() -> Grant {
        Grant::new(GrantId::generate(), String::new())
    }

    fn sent(fenced: bool) -> Sent {
        Sent { at: now(), fenced }
    }

    #[test]
    fn who_is_refused_while_the_grant_lives_objects() {
        for (by_time, status) in [(false, 401), (false, 403), (false, 500), (true, 401), (true, 503)] {
            let (mut judge, grant) = (Judge::new(by_time), grant());
            judge.answered(&grant, 0, sent(false), 200);
            assert!(judge.objections.is_empty());
            judge.answered(&grant, 0, sent(false), status);
            assert_eq!((judge.objections.len(), judge.refused_living), (1, 1), "{status}");
        }
    }

    #[test]
    fn one_in_a_hundred_may_go_unanswered_where_no_time_counts() {
        let (mut judge, grant) = (Judge::new(false), grant());
        for _ in 0..99 {
            judge.answered(&grant, 0, sent(false), 200);
        }
        judge.answered(&grant, 0, sent(false), 503);
        assert!(judge.objections.is_empty() && !judge.is_mute());
        judge.answered(&grant, 1, sent(false), 503);
        assert!(judge.objections.is_empty() && judge.is_mute());
    }

    #[test]
    fn who_is_let_through_after_the_news_have_certainly_come_objects() {
        let (mut judge, grant) = (Judge::new(false), grant());
        grant.ending.set(Some(now()));
        grant.ended.set(Some(now()));
        judge.answered(&grant, 1, sent(false), 200);
        judge.answered(&grant, 1, sent(true), 401);
        assert!(judge.objections.is_empty(), "{:?}", judge.objections);
        judge.answered(&grant, 1, sent(true), 200);
        assert_eq!((judge.objections.len(), judge.fenced), (1, 1));
    }

    #[test]
    fn who_is_let_through_a_lease_after_the_end_objects_where_times_count() {
        for (by_time, objections) in [(true, 1), (false, 0)] {
            let (mut judge, grant) = (Judge::new(by_time), Rc::new(grant()));
            let long_ago = now().checked_sub(LEASE * 2).unwrap();
            grant.ending.set(Some(long_ago));
            grant.ended.set(Some(long_ago));
            judge.answered(&grant, 0, sent(false), 200);
            assert_eq!(judge.objections.len(), objections);
            judge.end(Rc::clone(&grant));
            assert!(judge.lates()[0] >= LEASE);
        }
    }
}
