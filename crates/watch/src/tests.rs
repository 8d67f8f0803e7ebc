use super::*;

const START: Moment = Moment::new(5_000_000_000, 1_800_000_000_000);

/// A watch whose lease ends 250 ms after [`START`].
fn leased() -> (Watch, Term) {
    let watch = Watch::new();
    let term = watch.begin();
    watch.renew(term, START.plus_millis(250));
    (watch, term)
}

#[test]
fn nothing_holds_without_a_lease() {
    let watch = Watch::new();
    let mark = watch.register("a");
    assert!(!mark.holds(&watch, START));
    let _term = watch.begin();
    assert!(!watch.register("a").holds(&watch, START));
}

#[test]
fn what_was_registered_holds_until_the_lease_ends_on_either_clock() {
    let (watch, term) = leased();
    let mark = watch.register("a");
    assert!(mark.holds(&watch, START));
    assert!(mark.holds(&watch, START.plus_millis(249)));
    assert!(!mark.holds(&watch, START.plus_millis(250)));
    let slept = Moment::new(START.ticks(), START.wall() + 3_600_000);
    assert!(
        !mark.holds(&watch, slept),
        "the clock that is never set stood still"
    );
    let set_back = Moment::new(START.plus_millis(250).ticks(), START.wall() - 3_600_000);
    assert!(!mark.holds(&watch, set_back), "the wall's clock was set back");
    watch.renew(term, START.plus_millis(300));
    assert!(mark.holds(&watch, START.plus_millis(250)));
}

#[test]
fn news_end_what_was_registered_and_nothing_else() {
    let (watch, _) = leased();
    let (before, other) = (watch.register("a"), watch.register("b"));
    let also = watch.register("a");
    watch.touch("a");
    assert!(!before.holds(&watch, START));
    assert!(!also.holds(&watch, START));
    assert!(other.holds(&watch, START));
    assert!(
        watch.register("a").holds(&watch, START),
        "read again after the news"
    );
}

#[test]
fn a_flush_ends_everything_and_keeps_the_lease() {
    let (watch, _) = leased();
    let mark = watch.register("a");
    watch.flush();
    assert!(!mark.holds(&watch, START));
    assert!(watch.register("a").holds(&watch, START));
}

#[test]
fn a_lost_term_ends_everything_and_cannot_be_renewed() {
    let (watch, term) = leased();
    let mark = watch.register("a");
    watch.lose(term);
    watch.renew(term, START.plus_millis(1000));
    assert!(!mark.holds(&watch, START));
    assert!(!watch.register("a").holds(&watch, START));
    let next = watch.begin();
    watch.renew(next, START.plus_millis(1000));
    assert!(!mark.holds(&watch, START), "of another epoch");
    watch.lose(term);
    assert!(
        watch.register("a").holds(&watch, START),
        "a loss of an earlier term came late"
    );
}

#[test]
fn flags_without_readers_go() {
    let (watch, _) = leased();
    let kept: Vec<_> = (0..10).map(|n| watch.register(&format!("kept {n}"))).collect();
    for n in 0..100_000 {
        drop(watch.register(&n.to_string()));
    }
    assert!(watch.flags() <= 1024, "{}", watch.flags());
    assert!(kept.iter().all(|mark| mark.holds(&watch, START)));
    watch.touch("kept 3");
    assert!(!kept[3].holds(&watch, START));
}

#[test]
fn a_store_in_the_same_process_needs_no_lease() {
    let watch = Watch::unfailing();
    let mark = watch.register("a");
    assert!(mark.holds(&watch, Moment::new(u64::MAX - 1, u64::MAX - 1)));
    watch.touch("a");
    assert!(!mark.holds(&watch, START));
}
