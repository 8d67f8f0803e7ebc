//! Whose turn it is to have a signature checked. Checking one takes longer than everything else, and anybody can make one up;
//! so a thread checks a few, looks at all else there is to do, and checks the next few. Whoever needs no check never waits for more
//! than that. Those that wait are few: who comes when all places are taken is asked to come again.
//!
//! Addresses that bad tokens came from a moment ago, with a bad signature or without a grant that lives, wait in a line of their own, behind the others.

use std::{
    cell::{Cell, RefCell},
    collections::{VecDeque, hash_map::RandomState},
    hash::BuildHasher,
    net::IpAddr,
    rc::Rc,
};

use actix_web::rt;
use mcp_gateway_store::Moment;
use tokio::{sync::oneshot, task::yield_now};

use crate::reason::Reason;

/// How many are checked before everything else that is to do has its turn.
const EACH: usize = 8;
/// How many may wait whose address is not known for bad tokens: some 50 ms of work.
const PLACES: usize = 2048;
/// How many may wait whose address is.
const PLACES_OF_SUSPECTS: usize = 64;

/// The turns of one thread.
#[derive(Default)]
pub(crate) struct Turns(Rc<Lines>);

#[derive(Default)]
struct Lines {
    /// How many more were begun in this round.
    begun: Cell<usize>,
    /// Whether somebody will end this round.
    ends: Cell<bool>,
    others: RefCell<VecDeque<oneshot::Sender<()>>>,
    suspects: RefCell<VecDeque<oneshot::Sender<()>>>,
    known: Suspects,
}

impl Turns {
    /// Waits for a turn.
    pub(crate) async fn take(&self, source: impl Fn() -> IpAddr, now: Moment) -> Result<(), Reason> {
        let lines = &self.0;
        if lines.begun.get() < EACH {
            lines.begun.set(lines.begun.get() + 1);
            lines.end_later();
            return Ok(());
        }
        let (line, places) = if lines.known.has(source(), now) {
            (&lines.suspects, PLACES_OF_SUSPECTS)
        } else {
            (&lines.others, PLACES)
        };
        let turn = {
            let mut line = line.borrow_mut();
            if line.len() >= places {
                line.retain(|waiting| !waiting.is_closed());
            }
            if line.len() >= places {
                return Err(Reason::Busy);
            }
            let (calls, turn) = oneshot::channel();
            line.push_back(calls);
            turn
        };
        turn.await.map_err(|_| Reason::Busy)
    }

    /// A token from there was refused that cost a turn.
    pub(crate) fn suspect(&self, source: IpAddr, now: Moment) {
        self.0.known.add(source, now);
    }
}

impl Lines {
    /// Ends the round when everything else had its turn, and all others until nobody waits.
    fn end_later(self: &Rc<Self>) {
        if !self.ends.replace(true) {
            let lines = Rc::clone(self);
            rt::spawn(async move {
                while lines.ends.get() {
                    yield_now().await;
                    lines.next_round();
                }
            });
        }
    }

    /// Calls those whose turn it is: of the suspects one, and more only if nobody else waits.
    fn next_round(&self) {
        let mut called = usize::from(call(&self.suspects));
        while called < EACH && (call(&self.others) || call(&self.suspects)) {
            called += 1;
        }
        self.begun.set(called);
        self.ends.set(called > 0);
    }
}

/// Calls the first who still waits in a line.
fn call(line: &RefCell<VecDeque<oneshot::Sender<()>>>) -> bool {
    let mut line = line.borrow_mut();
    while let Some(first) = line.pop_front() {
        if first.send(()).is_ok() {
            return true;
        }
    }
    false
}

/// Addresses that such tokens came from. It takes always the same room: two addresses may be taken for each other, which only
/// makes one of them wait longer.
#[derive(Default)]
struct Suspects {
    /// Until which second each place is suspect.
    until: RefCell<Vec<u32>>,
    hash: RandomState,
}

impl Suspects {
    const PLACES: usize = 8192;
    /// How long an address is suspect, in seconds.
    const FOR: u32 = 10;

    fn has(&self, source: IpAddr, now: Moment) -> bool {
        let until = self.until.borrow();
        until
            .get(self.place(source))
            .is_some_and(|until| second(now) < *until)
    }

    fn add(&self, source: IpAddr, now: Moment) {
        let mut until = self.until.borrow_mut();
        if until.is_empty() {
            until.resize(Self::PLACES, 0);
        }
        if let Some(until) = until.get_mut(self.place(source)) {
            *until = second(now).saturating_add(Self::FOR);
        }
    }

    /// Where an address stands. A home or a company has as many IPv6 addresses as it likes, with one beginning.
    fn place(&self, source: IpAddr) -> usize {
        let network = match source {
            IpAddr::V4(address) => u64::from(address.to_bits()),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        };
        let places = Self::PLACES as u64;
        usize::try_from(self.hash.hash_one(network) % places).unwrap_or_default()
    }
}

/// Seconds on the clock that is never set.
fn second(now: Moment) -> u32 {
    u32::try_from(now.ticks() / 1_000_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, net::Ipv4Addr};

    use super::*;

    const NOW: Moment = Moment::new(1_000_000_000, 0);
    const FLOOD: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10));

    /// Somebody comes for a turn; who had one is noted.
    fn come(turns: &Rc<Turns>, source: IpAddr, name: usize, had: &Rc<RefCell<Vec<usize>>>) -> Come {
        let (turns, had) = (Rc::clone(turns), Rc::clone(had));
        rt::spawn(async move {
            turns.take(|| source, NOW).await?;
            had.borrow_mut().push(name);
            Ok(())
        })
    }

    type Come = rt::task::JoinHandle<Result<(), Reason>>;

    #[actix_web::test]
    async fn whoever_comes_alone_does_not_wait() {
        let turns = Turns::default();
        for _ in 0..3 * EACH {
            turns.take(|| FLOOD, NOW).await.unwrap();
            yield_now().await;
        }
    }

    #[actix_web::test]
    async fn others_are_looked_after_between_a_few_checks() {
        let (turns, had) = (Rc::default(), Rc::default());
        let all: Vec<_> = (0..40).map(|n| come(&turns, OTHER, n, &had)).collect();
        let mut before = 0;
        while had.borrow().len() < 40 {
            yield_now().await;
            let now = had.borrow().len();
            assert!(now - before <= EACH, "{now} after {before}");
            before = now;
        }
        for one in all {
            one.await.unwrap().unwrap();
        }
        assert_eq!(
            *had.borrow(),
            (0..40).collect::<Vec<_>>(),
            "who came first is first"
        );
    }

    #[actix_web::test]
    async fn those_that_wait_are_few_and_the_rest_is_told_at_once() {
        for (known, places) in [(false, PLACES), (true, PLACES_OF_SUSPECTS)] {
            let (turns, had) = (Rc::<Turns>::default(), Rc::default());
            if known {
                turns.suspect(FLOOD, NOW);
            }
            let all: Vec<_> = (0..2 * PLACES).map(|n| come(&turns, FLOOD, n, &had)).collect();
            let mut refused = 0;
            for one in all {
                refused += usize::from(one.await.unwrap() == Err(Reason::Busy));
            }
            assert_eq!(had.borrow().len() + refused, 2 * PLACES);
            assert!(
                refused >= PLACES - EACH && had.borrow().len() >= places,
                "{refused}"
            );
        }
    }

    #[actix_web::test]
    async fn who_sent_no_bad_signature_overtakes_who_did() {
        let (turns, had) = (Rc::<Turns>::default(), Rc::default());
        turns.suspect(FLOOD, NOW);
        let flood: Vec<_> = (0..40).map(|n| come(&turns, FLOOD, n, &had)).collect();
        let honest = come(&turns, OTHER, 1000, &had);
        honest.await.unwrap().unwrap();
        assert!(had.borrow().len() <= 3 * EACH, "{:?}", had.borrow());
        for one in flood {
            one.await.unwrap().unwrap();
        }
    }

    #[actix_web::test]
    async fn suspects_have_one_turn_in_each_round_however_many_others_there_are() {
        let (turns, had) = (Rc::<Turns>::default(), Rc::default());
        turns.suspect(FLOOD, NOW);
        let others: Vec<_> = (0..100).map(|n| come(&turns, OTHER, n, &had)).collect();
        let suspect = come(&turns, FLOOD, 1000, &had);
        suspect.await.unwrap().unwrap();
        assert!(had.borrow().len() <= 3 * EACH, "{:?}", had.borrow());
        for one in others {
            one.await.unwrap().unwrap();
        }
    }

    #[actix_web::test]
    async fn who_gave_up_waiting_takes_nobodys_turn() {
        let (turns, had) = (Rc::default(), Rc::default());
        let gone: Vec<_> = (0..PLACES + EACH).map(|n| come(&turns, OTHER, n, &had)).collect();
        yield_now().await;
        gone.iter().for_each(rt::task::JoinHandle::abort);
        come(&turns, OTHER, 1000, &had).await.unwrap().unwrap();
        assert!(had.borrow().len() <= 3 * EACH, "{:?}", had.borrow());
    }

    #[test]
    fn an_address_is_suspect_for_ten_seconds_and_so_is_all_of_its_network() {
        let suspects = Suspects::default();
        let home: IpAddr = "2001:db8:1:2::3".parse().unwrap();
        suspects.add(home, NOW);
        let later = |secs: u64| Moment::new(NOW.ticks() + secs * 1_000_000_000, 0);
        assert!(suspects.has("2001:db8:1:2:ffff::9".parse().unwrap(), later(9)));
        assert!(!suspects.has(home, later(10)));
        let strangers = (0..100).filter(|n| suspects.has(IpAddr::from([192, 0, 2, *n]), NOW));
        assert!(strangers.count() <= 2);
    }
}
