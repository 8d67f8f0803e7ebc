//! What is remembered of a grant is believed no longer than it may be, in whatever order things happen; and each part of the
//! protocol is needed: without it, an order is found in which something goes wrong.

mod search;
mod steps;
mod world;

use search::search;
use world::Flaw;

#[test]
fn no_order_of_events_lets_an_ended_grant_through_or_refuses_a_living_one() {
    let found = search(Flaw::None);
    assert_eq!(found.objection, None);
    assert!(found.remembered > 100 && found.prolonged > 100, "{found:?}");
}

#[test]
fn every_part_of_the_protocol_is_needed() {
    for flaw in [
        Flaw::RegistersAfterReading,
        Flaw::LooksAtTheFlagOnce,
        Flaw::LeaseFromTheNewestPing,
        Flaw::LeaseFromThePong,
        Flaw::NoLease,
        Flaw::NoEpoch,
        Flaw::BeginsUnconfirmed,
        Flaw::GoesOnAfterALoss,
        Flaw::IgnoresFlushes,
        Flaw::TakesNewsForTheEnd,
    ] {
        let found = search(flaw);
        assert!(found.objection.is_some(), "{flaw:?} does no harm: {found:?}");
    }
}
