//! What comes of each step.

use super::world::{
    Answer, Command, Deed, FRESH, Flaw, Hearing, LEASE, Mark, News, Next, Request, Step, Time, World,
};

impl World {
    /// What comes of a step, if it can happen.
    pub(super) fn after(&self, step: Step, flaw: Flaw) -> Option<Next> {
        let mut next = Next {
            world: self.clone(),
            deeds: vec![],
            answer: None,
        };
        let possible = match step {
            Step::Tick => next.tick(),
            Step::Prolong | Step::End | Step::Flush => next.world.change(step),
            Step::DoCommand | Step::DoRead | Step::EndTurn => next.world.work(step),
            Step::Lose { everything } => next.world.lose(everything),
            Step::Connect => next.connect(flaw),
            Step::SendPing => next.world.ping(),
            Step::Hear => next.hear(flaw),
            Step::Ask | Step::Remember => next.read(step, flaw),
            Step::Decide => next.decide(flaw),
        };
        possible.then_some(next)
    }

    fn change(&mut self, step: Step) -> bool {
        if !self.store.lives || (step == Step::Prolong && self.prolongations == 0) {
            return false;
        }
        if step == Step::Prolong {
            self.prolongations -= 1;
        } else {
            self.store.lives = false;
            self.store.ended = Some(0);
        }
        match step {
            _ if !self.store.tracked => {}
            // told at once, where the other changes wait for the end of the turn
            Step::Flush => self.store.said.push(News::Flushed),
            _ => self.store.untold = Some(step == Step::End || self.store.untold == Some(true)),
        }
        true
    }

    fn work(&mut self, step: Step) -> bool {
        match (step, self.request) {
            (Step::DoRead, Request::Asked(mark)) => {
                self.request = Request::Answered(mark, self.store.lives);
                true
            }
            (Step::DoCommand, _) if !self.commands.is_empty() => {
                let said = match self.commands.remove(0) {
                    Command::Track => {
                        self.store.tracked = true;
                        News::Tracking
                    }
                    Command::Ping => News::Pong,
                };
                self.store.said.push(said);
                true
            }
            (Step::EndTurn, _) => {
                let told = self.store.untold.take().map(|ended| News::Changed { ended });
                self.store.said.extend(told);
                let anything = !self.store.said.is_empty();
                self.news.append(&mut self.store.said);
                anything
            }
            _ => false,
        }
    }

    fn lose(&mut self, everything: bool) -> bool {
        if self.losses == 0 || self.hearing == Hearing::Nothing {
            return false;
        }
        self.losses -= 1;
        self.store.tracked = false;
        self.store.untold = None;
        self.store.said.clear();
        self.commands.clear();
        if everything {
            self.news.clear();
        }
        self.news.push(News::Closed);
        true
    }

    fn ping(&mut self) -> bool {
        match &mut self.hearing {
            Hearing::News { sent, .. } if sent.is_none() => {
                *sent = Some(0);
                self.commands.push(Command::Ping);
                true
            }
            _ => false,
        }
    }

    fn marks(&mut self) -> impl Iterator<Item = &mut Mark> {
        let asking = match &mut self.request {
            Request::None => None,
            Request::Asked(mark) | Request::Answered(mark, _) => Some(mark),
        };
        asking.into_iter().chain(&mut self.remembered)
    }

    fn end_epoch(&mut self) {
        self.marks().for_each(|mark| mark.same_epoch = false);
    }
}

/// An age one tick later, as far as it matters.
const fn older(age: Time) -> Time {
    if age < LEASE { age + 1 } else { LEASE }
}

impl Next {
    fn tick(&mut self) -> bool {
        let world = &mut self.world;
        world.lease = world.lease.saturating_sub(1);
        world.store.ended = world.store.ended.map(older);
        if let Hearing::News { answered, sent } = &mut world.hearing {
            (*answered, *sent) = (answered.map(older), sent.map(older));
        }
        self.deeds.push(Deed::Tick);
        true
    }

    fn begin(&mut self) {
        self.world.end_epoch();
        self.world.begun = true;
        self.world.lease = 0;
        self.world.hearing = Hearing::News {
            answered: None,
            sent: None,
        };
        self.deeds.push(Deed::Begin);
    }

    fn connect(&mut self, flaw: Flaw) -> bool {
        if self.world.hearing != Hearing::Nothing {
            return false;
        }
        self.world.hearing = Hearing::Asked;
        self.world.commands.push(Command::Track);
        if flaw == Flaw::BeginsUnconfirmed {
            self.begin();
        }
        true
    }

    fn hear(&mut self, flaw: Flaw) -> bool {
        if self.world.news.is_empty() {
            return false;
        }
        match (self.world.news.remove(0), flaw) {
            (News::Tracking, Flaw::BeginsUnconfirmed) => {}
            (News::Flushed, Flaw::IgnoresFlushes) => self.world.heard = true,
            (News::Tracking, Flaw::GoesOnAfterALoss) if self.world.begun => {
                self.world.hearing = Hearing::News {
                    answered: None,
                    sent: None,
                };
            }
            (News::Tracking, _) => self.begin(),
            (News::Pong, _) => self.renew(flaw),
            (News::Changed { ended }, _) => {
                self.world.marks().for_each(|mark| mark.quiet = false);
                self.world.heard |= ended;
                self.deeds.push(Deed::Touch);
            }
            (News::Flushed, _) => {
                self.world.end_epoch();
                self.world.heard = true;
                self.deeds.push(Deed::Flush);
            }
            (News::Closed, Flaw::GoesOnAfterALoss) => self.world.hearing = Hearing::Nothing,
            (News::Closed, _) => {
                // a term that never began is not lost
                if matches!(self.world.hearing, Hearing::News { .. }) {
                    self.world.end_epoch();
                    self.world.lease = 0;
                    self.deeds.push(Deed::Lose);
                }
                self.world.hearing = Hearing::Nothing;
            }
        }
        true
    }

    fn renew(&mut self, flaw: Flaw) {
        let Hearing::News { answered, sent } = self.world.hearing else {
            return;
        };
        let age = match flaw {
            Flaw::LeaseFromTheNewestPing => sent,
            Flaw::LeaseFromThePong => Some(0),
            _ => answered,
        };
        if let Some(age) = age {
            self.world.lease = self.world.lease.max(LEASE - age);
            self.deeds.push(Deed::Renew(LEASE - age));
        }
        self.world.hearing = Hearing::News {
            answered: sent,
            sent: None,
        };
    }

    fn read(&mut self, step: Step, flaw: Flaw) -> bool {
        let world = &mut self.world;
        match (step, world.request) {
            (Step::Ask, Request::None) => {
                world.request = Request::Asked(FRESH);
                self.deeds.push(Deed::Register);
            }
            (Step::Remember, Request::Answered(mark, lives)) => {
                world.request = Request::None;
                self.answer = Some(if lives { Answer::Read } else { Answer::Refused });
                let late = flaw == Flaw::RegistersAfterReading;
                let mark = if late { FRESH } else { mark };
                let worthless = flaw == Flaw::LooksAtTheFlagOnce && !mark.quiet;
                if lives && !worthless {
                    world.remembered = Some(mark);
                    self.deeds.push(Deed::Remember);
                }
            }
            _ => return false,
        }
        true
    }

    fn decide(&mut self, flaw: Flaw) -> bool {
        let Some(mark) = self.world.remembered else {
            return false;
        };
        let leased = self.world.lease > 0 || flaw == Flaw::NoLease;
        let same = mark.same_epoch || flaw == Flaw::NoEpoch;
        let quiet = mark.quiet || flaw == Flaw::LooksAtTheFlagOnce;
        self.answer = Some(match (leased && same, quiet) {
            (true, true) => Answer::Remembered,
            (true, false) if flaw == Flaw::TakesNewsForTheEnd => Answer::Refused,
            _ => Answer::Unknown,
        });
        // without a lease it may be good again a moment later
        if leased && self.answer != Some(Answer::Remembered) {
            self.world.remembered = None;
        }
        true
    }
}
