//! A store, a connection that brings its news, and one who remembers a grant: all that can happen, one step at a time.
//!
//! The store is Redis. It works in turns: what clients asked is done and answered, then what changed meanwhile is told to those
//! who follow, **behind** the answers, and only then the answers leave. The network keeps the order of one connection and
//! takes as long as it likes.
//!
//! Times are ages, and no age matters beyond a lease: so there are finitely many states, however long it goes on.

/// Ticks of a clock.
pub(super) type Time = u8;

/// How long a lease is.
pub(super) const LEASE: Time = 2;

/// What could be wrong with whoever remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// The flag is registered when the answer has come, and not before the question is sent.
    RegistersAfterReading,
    /// The flag is looked at when something is remembered, and never again.
    LooksAtTheFlagOnce,
    /// The lease begins when the newest PING was sent, and not the one before.
    LeaseFromTheNewestPing,
    /// The lease begins when a PONG came.
    LeaseFromThePong,
    /// The lease is not looked at.
    NoLease,
    /// The epoch is not looked at.
    NoEpoch,
    /// A term begins when news were asked for, and not when they were promised.
    BeginsUnconfirmed,
    /// A lost connection is not noticed until the lease has ended, and the next one goes on with its term.
    GoesOnAfterALoss,
    /// A flush is nothing.
    IgnoresFlushes,
    /// News mean that a grant has ended.
    TakesNewsForTheEnd,
}

/// What goes to the store on the connection that brings the news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Command {
    Track,
    Ping,
}

/// What comes from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum News {
    Tracking,
    Pong,
    /// There was a change of the grant; whether it ended.
    Changed {
        ended: bool,
    },
    /// Everything is gone.
    Flushed,
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Store {
    pub(super) lives: bool,
    /// How long ago the grant ended.
    pub(super) ended: Option<Time>,
    pub(super) tracked: bool,
    /// A change in this turn that nobody was told yet; whether the grant ended.
    pub(super) untold: Option<bool>,
    /// What was said in this turn, and leaves when it is over.
    pub(super) said: Vec<News>,
}

/// Who hears the news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Hearing {
    Nothing,
    Asked,
    /// How long ago the last PING that was answered was sent, and the one that is under way.
    News {
        answered: Option<Time>,
        sent: Option<Time>,
    },
}

/// What somebody knew when they registered a flag, and whether it is still so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mark {
    pub(super) same_epoch: bool,
    pub(super) quiet: bool,
}

/// Just registered.
pub(super) const FRESH: Mark = Mark {
    same_epoch: true,
    quiet: true,
};

/// A request that asks the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    None,
    Asked(Mark),
    Answered(Mark, bool),
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) store: Store,
    pub(super) commands: Vec<Command>,
    pub(super) news: Vec<News>,
    pub(super) hearing: Hearing,
    /// A term began once.
    pub(super) begun: bool,
    /// How much of the lease is left.
    pub(super) lease: Time,
    /// The news of the end have been taken in.
    pub(super) heard: bool,
    pub(super) request: Request,
    pub(super) remembered: Option<Mark>,
    pub(super) prolongations: u8,
    pub(super) losses: u8,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Tick,
    Prolong,
    End,
    Flush,
    DoCommand,
    DoRead,
    EndTurn,
    /// The connection ends, behind what was said, or with the loss of all that is under way.
    Lose {
        everything: bool,
    },
    Connect,
    SendPing,
    Hear,
    /// A request registers its flag and asks the store.
    Ask,
    /// The answer is remembered, and given.
    Remember,
    /// A request is answered from memory.
    Decide,
}

/// Every step.
pub(super) const STEPS: [Step; 15] = [
    Step::Tick,
    Step::Prolong,
    Step::End,
    Step::Flush,
    Step::DoCommand,
    Step::DoRead,
    Step::EndTurn,
    Step::Lose { everything: false },
    Step::Lose { everything: true },
    Step::Connect,
    Step::SendPing,
    Step::Hear,
    Step::Ask,
    Step::Remember,
    Step::Decide,
];

/// What a step did to the watch: the same is done to the real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Begin,
    /// The lease lasts for so long from now on.
    Renew(Time),
    Tick,
    Touch,
    Flush,
    Lose,
    Register,
    /// What was registered last is what is remembered.
    Remember,
}

/// An answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// 200, from memory.
    Remembered,
    /// Memory said nothing: the store is asked.
    Unknown,
    /// 200, of the store.
    Read,
    /// 401.
    Refused,
}

/// What came of a step.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) world: World,
    pub(super) deeds: Vec<Deed>,
    pub(super) answer: Option<Answer>,
}

impl World {
    /// A grant that lives; nobody knows anything yet.
    pub(super) fn new() -> Self {
        Self {
            store: Store {
                lives: true,
                ended: None,
                tracked: false,
                untold: None,
                said: vec![],
            },
            commands: vec![],
            news: vec![],
            hearing: Hearing::Nothing,
            begun: false,
            lease: 0,
            heard: false,
            request: Request::None,
            remembered: None,
            prolongations: 1,
            losses: 1,
        }
    }

    /// Why an answer must not be given, if it must not.
    pub(super) fn objection(&self, answer: Answer) -> Option<&'static str> {
        match answer {
            Answer::Remembered if self.heard => Some("remembered after the news of the end were taken in"),
            Answer::Remembered if self.store.ended.is_some_and(|ago| ago >= LEASE) => {
                Some("remembered when a lease had passed since the end")
            }
            Answer::Refused if self.store.ended.is_none() => Some("refused while the grant lives"),
            _ => None,
        }
    }

    /// Whether the grant was prolonged and has not ended.
    pub(super) const fn is_prolonged(&self) -> bool {
        self.store.lives && self.prolongations == 0
    }
}
