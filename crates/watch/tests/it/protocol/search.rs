//! Every order of steps, each state of the world once.

use std::collections::HashSet;

use mcp_gateway_watch::{Mark, Moment, Term, Watch};

use super::world::{Answer, Deed, Flaw, STEPS, Step, World};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) states: usize,
    /// Answers from memory, and those to a grant that had been prolonged.
    pub(super) remembered: usize,
    pub(super) prolonged: usize,
    /// Something that must not happen, and the steps that lead to it.
    pub(super) objection: Option<(&'static str, Vec<Step>)>,
}

/// How a state came to be.
struct Way {
    from: usize,
    step: Step,
    deeds: Vec<Deed>,
}

/// Goes through all states, breadth first, until something is found that must not happen.
///
/// # Panics
/// When the real watch judges otherwise than a flawless one in the same place.
pub(super) fn search(flaw: Flaw) -> Found {
    let start = World::new();
    let mut found = Found::default();
    let mut known = HashSet::from([start.clone()]);
    let mut worlds = vec![start];
    let mut ways = vec![Way {
        from: 0,
        step: Step::Tick,
        deeds: vec![],
    }];
    let mut at = 0;
    while at < worlds.len() {
        let world = worlds[at].clone();
        for step in STEPS {
            let Some(next) = world.after(step, flaw) else {
                continue;
            };
            if let Some(answer) = next.answer {
                if let Some(objection) = world.objection(answer) {
                    let mut steps = path(&ways, at);
                    steps.push(step);
                    found.objection = Some((objection, steps));
                    return found;
                }
                let holds = answer == Answer::Remembered;
                found.remembered += usize::from(holds);
                found.prolonged += usize::from(holds && world.is_prolonged());
                if step == Step::Decide && flaw == Flaw::None {
                    let real = real(&ways, at);
                    assert_eq!(real, holds, "{:?}", path(&ways, at));
                }
            }
            if known.insert(next.world.clone()) {
                worlds.push(next.world);
                ways.push(Way {
                    from: at,
                    step,
                    deeds: next.deeds,
                });
            }
        }
        at += 1;
    }
    found.states = worlds.len();
    found
}

/// The steps that lead to a state.
fn path(ways: &[Way], to: usize) -> Vec<Step> {
    let mut steps: Vec<_> = back(ways, to).map(|way| way.step).collect();
    steps.reverse();
    steps
}

/// From a state back to the first one.
fn back(ways: &[Way], mut to: usize) -> impl Iterator<Item = &Way> {
    std::iter::from_fn(move || {
        let way = (to > 0).then(|| &ways[to])?;
        to = way.from;
        Some(way)
    })
}

/// What the real watch says of what is remembered, after all that was done on the way.
fn real(ways: &[Way], to: usize) -> bool {
    let mut deeds: Vec<_> = back(ways, to).flat_map(|way| way.deeds.iter().rev()).collect();
    deeds.reverse();
    let (watch, mut now) = (Watch::new(), Moment::new(0, 0));
    let (mut term, mut mark, mut remembered) = (Term::default(), None::<Mark>, None::<Mark>);
    for deed in deeds {
        match deed {
            Deed::Begin => term = watch.begin(),
            Deed::Renew(ticks) => watch.renew(term, now.plus_millis(u64::from(*ticks))),
            Deed::Tick => now = now.plus_millis(1),
            Deed::Touch => watch.touch("grant"),
            Deed::Flush => watch.flush(),
            Deed::Lose => watch.lose(term),
            Deed::Register => mark = Some(watch.register("grant")),
            Deed::Remember => remembered = mark.take(),
        }
    }
    remembered.is_some_and(|mark| mark.holds(&watch, now))
}
