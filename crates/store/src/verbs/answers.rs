//! What the verbs of the store answer.

use std::time::Duration;

use mcp_gateway_model::{grant::Grant, id::UserId};

use crate::records::{Block, Login};

/// A refresh token that a client presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// Its place in the chain of rotations, from 1.
    pub generation: u64,
    /// How long the token before the current one still works.
    pub grace: Duration,
}

/// Whether a replacement took place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It did.
    Done,
    /// Another came first, or the record is gone.
    Outdated,
}

/// What taking a login gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The caller has it, and nobody else.
    Login(Box<Login>),
    /// It never was, has ended, or another took it.
    Nothing,
}

/// Whether a grant began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It did.
    Yes,
    /// Its client or its user was removed meanwhile.
    Refused,
}

/// What using a code gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redemption {
    /// The first use.
    Granted {
        /// The grant, prolonged.
        grant: Box<Grant>,
        /// The generation of its refresh token to hand out.
        current: u64,
    },
    /// The code was used before. The caller ends the grant.
    Replayed,
    /// No such code, or it has ended, or its grant has.
    Unknown,
    /// The first use, but its client or its user was removed: the grant has been ended.
    Ended,
}

/// What prolonging a grant gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prolonged {
    /// It lives, with this generation of its refresh token current.
    Lives(u64),
    /// It has ended.
    Ended,
}

/// What using a refresh token gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The next generation is current.
    Turned {
        /// The grant, prolonged.
        grant: Box<Grant>,
        /// The generation to hand out.
        current: u64,
    },
    /// The token was used moments ago: the same next generation is handed out again.
    Again {
        /// The grant, prolonged.
        grant: Box<Grant>,
        /// The generation to hand out.
        current: u64,
    },
    /// An old token came back: the grant has been ended.
    Replayed,
    /// The user is blocked: the grant has been ended.
    Blocked,
    /// The grant has ended, or the generation was never issued.
    Unknown,
}

/// Whether the ring of keys was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// It was.
    Done,
    /// Another process came first.
    Outdated,
}

/// Whom a login is pinned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// To this user, from now on or already.
    Theirs,
    /// To another one.
    Taken(UserId),
}

/// What blocking somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The block.
    pub block: Block,
    /// How many grants ended.
    pub grants: u64,
}

/// That the store answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// How far the store's clock is from the caller's; zero for the embedded engine.
    pub clock_skew: Duration,
}

/// Something an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub String);

/// Why the store gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time.
    #[error("the store cannot be asked: {0}")]
    Unavailable(String),
    /// It answered that this is not allowed, or refused the password.
    #[error("the store refuses: {0}")]
    Refused(String),
    /// A record is not what was written.
    #[error("the record {key} in the store cannot be read: {reason}")]
    Corrupt {
        /// Where it lies.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It was written by a newer release.
    #[error("the store was written by a newer release (schema {found}, this one knows {known})")]
    TooNew {
        /// What lies there.
        found: u32,
        /// What is known here.
        known: u32,
    },
    /// The address of the store cannot be understood.
    #[error("{0}")]
    Misconfigured(String),
}
