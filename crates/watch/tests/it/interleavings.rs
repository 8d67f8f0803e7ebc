//! The watch as it is, with every order in which threads can step through it, and everything that memory may show them.
//!
//! Loom runs each of these again for each of them: `just loom`.

use loom::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use mcp_gateway_watch::{Mark, Moment, Term, Watch};

const NOW: Moment = Moment::new(1, 1);

/// A watch, and whether the grant that it is about lives.
struct World {
    watch: Watch,
    lives: AtomicBool,
    /// What somebody says when they are done.
    done: AtomicBool,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            watch: Watch::new(),
            lives: AtomicBool::new(true),
            done: AtomicBool::new(false),
        })
    }

    /// One in a term that lasts.
    fn leased() -> (Arc<Self>, Term) {
        let world = Self::new();
        let term = world.watch.begin();
        world.watch.renew(term, Moment::NEVER);
        (world, term)
    }

    fn end(&self) {
        self.lives.store(false, Ordering::Release);
    }

    /// What a request remembers: what it read, if the grant lived, under a flag that was registered before.
    fn read(&self) -> Option<Mark> {
        let mark = self.watch.register("grant");
        self.lives.load(Ordering::Acquire).then_some(mark)
    }

    /// Whether somebody who was told that all is done is let in by memory.
    fn lets_in_afterwards(&self, mark: Option<&Mark>) -> bool {
        self.done.load(Ordering::Acquire) && mark.is_some_and(|mark| mark.holds(&self.watch, NOW))
    }
}

/// Somebody reads and remembers while something else happens; when that is done, memory lets nobody in.
fn reads_while(happens: fn(&World, Term)) {
    loom::model(move || {
        let (world, term) = World::leased();
        let other = Arc::clone(&world);
        let news = thread::spawn(move || {
            happens(&other, term);
            other.done.store(true, Ordering::Release);
        });
        let mark = world.read();
        assert!(!world.lets_in_afterwards(mark.as_ref()));
        news.join().unwrap();
        assert!(world.done.load(Ordering::Acquire));
        assert!(!world.lets_in_afterwards(mark.as_ref()));
    });
}

#[test]
fn what_was_read_before_the_end_is_not_believed_after_its_news() {
    reads_while(|world, _| {
        world.end();
        world.watch.touch("grant");
    });
}

#[test]
fn what_was_read_before_a_flush_is_not_believed_after_its_news() {
    reads_while(|world, _| {
        world.end();
        world.watch.flush();
    });
}

#[test]
fn what_ended_unheard_between_two_connections_is_not_believed_in_the_next_term() {
    reads_while(|world, term| {
        world.watch.lose(term);
        world.end();
        let next = world.watch.begin();
        world.watch.renew(next, Moment::NEVER);
    });
}

#[test]
fn what_ended_unheard_before_the_first_connection_is_not_believed_in_its_term() {
    loom::model(|| {
        let world = World::new();
        let other = Arc::clone(&world);
        let news = thread::spawn(move || {
            other.end();
            let term = other.watch.begin();
            other.watch.renew(term, Moment::NEVER);
        });
        let mark = world.read();
        assert!(!mark.as_ref().is_some_and(|mark| mark.holds(&world.watch, NOW)));
        news.join().unwrap();
        assert!(!mark.is_some_and(|mark| mark.holds(&world.watch, NOW)));
    });
}

#[test]
fn two_who_read_at_once_are_both_told() {
    loom::model(|| {
        let (world, _) = World::leased();
        let (other, ender) = (Arc::clone(&world), Arc::clone(&world));
        let reader = thread::spawn(move || other.read());
        let news = thread::spawn(move || {
            ender.end();
            ender.watch.touch("grant");
        });
        let mark = world.read();
        let marks = [mark, reader.join().unwrap()];
        news.join().unwrap();
        for mark in marks.iter().flatten() {
            assert!(!mark.holds(&world.watch, NOW));
        }
    });
}

#[test]
fn whoever_sees_a_lease_sees_the_news_that_came_before_it() {
    loom::model(|| {
        let world = World::new();
        let term = world.watch.begin();
        let mark = world.watch.register("grant");
        let other = Arc::clone(&world);
        let news = thread::spawn(move || {
            other.watch.touch("grant");
            other.watch.renew(term, Moment::NEVER);
        });
        assert!(!mark.holds(&world.watch, NOW));
        news.join().unwrap();
    });
}

#[test]
fn whoever_sees_the_lease_of_a_term_sees_that_it_is_another_one() {
    loom::model(|| {
        let world = World::new();
        let term = world.watch.begin();
        let mark = world.watch.register("grant");
        let other = Arc::clone(&world);
        let news = thread::spawn(move || {
            other.watch.lose(term);
            let next = other.watch.begin();
            other.watch.renew(next, Moment::NEVER);
        });
        assert!(!mark.holds(&world.watch, NOW));
        news.join().unwrap();
    });
}

#[test]
fn a_renewal_that_comes_too_late_revives_nothing() {
    loom::model(|| {
        let (world, term) = World::leased();
        let mark = world.watch.register("grant");
        let other = Arc::clone(&world);
        let late = thread::spawn(move || other.watch.renew(term, Moment::NEVER));
        world.watch.lose(term);
        assert!(!world.watch.has_lease(NOW));
        late.join().unwrap();
        assert!(!world.watch.has_lease(NOW));
        assert!(!mark.holds(&world.watch, NOW));
    });
}

#[test]
fn news_of_others_and_renewals_end_nothing() {
    loom::model(|| {
        let (world, term) = World::leased();
        let mark = world.watch.register("grant");
        let other = Arc::clone(&world);
        let news = thread::spawn(move || {
            other.watch.touch("another grant");
            other.watch.renew(term, Moment::NEVER);
        });
        assert!(mark.holds(&world.watch, NOW));
        news.join().unwrap();
        assert!(mark.holds(&world.watch, NOW));
    });
}

/// These tests can fail: whoever reads first and registers then is found out.
#[test]
#[should_panic(expected = "is believed")]
fn who_registers_after_reading_is_found_out() {
    loom::model(|| {
        let (world, _) = World::leased();
        let other = Arc::clone(&world);
        let news = thread::spawn(move || {
            other.end();
            other.watch.touch("grant");
        });
        let lives = world.lives.load(Ordering::Acquire);
        let mark = world.watch.register("grant");
        news.join().unwrap();
        assert!(
            !(lives && mark.holds(&world.watch, NOW)),
            "an ended grant is believed"
        );
    });
}
