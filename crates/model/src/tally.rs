//! Numbers that many threads count in, each in a place of its own: no thread waits for another, and whoever wants to know adds
//! them up.

use std::{
    cell::Cell,
    sync::{
        OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// How many threads have a place of their own; those that come later share one.
const PLACES: usize = 128;

/// The number of this thread.
fn number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    NUMBER.with(|number| {
        number.get().unwrap_or_else(|| {
            let new = NEXT.fetch_add(1, Ordering::Relaxed);
            number.set(Some(new));
            new
        })
    })
}

/// `N` numbers.
#[derive(Debug)]
pub struct Tally<const N: usize> {
    places: [OnceLock<Box<Place<N>>>; PLACES],
    shared: Place<N>,
}

/// Numbers that lie apart from those of other threads, so that processors do not take them from each other.
#[derive(Debug)]
#[repr(align(128))]
struct Place<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Place<N> {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; N])
    }
}

impl<const N: usize> Default for Tally<N> {
    fn default() -> Self {
        Self {
            places: [const { OnceLock::new() }; PLACES],
            shared: Place::default(),
        }
    }
}

impl<const N: usize> Tally<N> {
    /// Adds to one of the numbers; one that is not there is nobody's.
    pub fn add(&self, which: usize, more: u64) {
        let Some(place) = self.places.get(number()) else {
            if let Some(number) = self.shared.0.get(which) {
                number.fetch_add(more, Ordering::Relaxed);
            }
            return;
        };
        if let Some(number) = place.get_or_init(Box::default).0.get(which) {
            // nobody else writes here
            number.store(
                number.load(Ordering::Relaxed).wrapping_add(more),
                Ordering::Relaxed,
            );
        }
    }

    /// The sums over all threads.
    #[must_use]
    pub fn sums(&self) -> [u64; N] {
        let places = self.places.iter().filter_map(OnceLock::get).map(AsRef::as_ref);
        let mut sums = [0_u64; N];
        for place in places.chain([&self.shared]) {
            for (sum, number) in sums.iter_mut().zip(&place.0) {
                *sum = sum.wrapping_add(number.load(Ordering::Relaxed));
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn nothing_is_lost_among_more_threads_than_there_are_places() {
        let tally = Arc::new(Tally::<3>::default());
        let threads: Vec<_> = (0..PLACES + 20)
            .map(|_| {
                let tally = Arc::clone(&tally);
                thread::spawn(move || {
                    for _ in 0..1000 {
                        tally.add(0, 1);
                        tally.add(2, 5);
                        tally.add(3, 1);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let each = u64::try_from(PLACES + 20).unwrap() * 1000;
        assert_eq!(tally.sums(), [each, 0, 5 * each]);
    }

    #[test]
    fn two_tallies_of_one_thread_are_two() {
        let (one, another) = (Tally::<1>::default(), Tally::<1>::default());
        one.add(0, 1);
        another.add(0, 2);
        assert_eq!((one.sums(), another.sums()), ([1], [2]));
    }
}
