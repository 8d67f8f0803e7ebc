//! Why nothing was read.

/// What is wrong with an address, or with what it answers. The texts are for developers of clients and for the log; none
/// tells anything about networks that the client cannot see anyway.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchFault {
    /// The address itself says that it will not be asked.
    #[error("its address {0}")]
    Refused(&'static str),
    /// Its name has no address, or one that is not public. Which of the two is nobody's business: it would tell of names that
    /// only our own network knows.
    #[error("its name has no address of the public internet, or no name server answers")]
    Name(NameFault),
    /// Too much is being read at the moment.
    #[error("this server reads too many descriptions at the moment")]
    Busy,
    /// Nobody answers there, or not now.
    #[error("{0}")]
    Unreachable(&'static str),
    /// Somebody answers, and says that there is no such document, or something that is none.
    #[error("{0}")]
    Unacceptable(String),
    /// It was read, and is not what it should be.
    #[error("{0}")]
    Invalid(String),
}

/// What is wrong with a name: for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameFault {
    /// No address is known.
    Unresolved,
    /// An address is not public.
    NotPublic,
}

impl FetchFault {
    /// Whether asking again a little later may help.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Name(_) | Self::Busy)
    }

    /// Whether it is something about the address, not about us.
    pub(super) const fn is_of_the_address(&self) -> bool {
        !matches!(self, Self::Busy)
    }

    /// The reason as a code, for the log.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Refused(_) => "fetch_refused",
            Self::Name(NameFault::Unresolved) => "fetch_unresolved",
            Self::Name(NameFault::NotPublic) => "fetch_not_public",
            Self::Busy => "fetch_busy",
            Self::Unreachable(_) => "fetch_unreachable",
            Self::Unacceptable(_) => "fetch_unacceptable",
            Self::Invalid(_) => "fetch_invalid",
        }
    }
}
