//! Why a call brought no answer.

use std::{error::Error, time::Duration};

/// Why a call brought no answer. Where strangers name the addresses, none of the texts tells anything about a network that
/// they cannot see themselves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// The address itself says that it will not be asked.
    #[error("its address {0}")]
    Refused(RefusedTarget),
    /// No answer in time.
    #[error("it takes longer than {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// The name has no address, or none that may be asked.
    #[error("its name has no address that can be asked: {0}")]
    Name(String),
    /// Nobody listens there.
    #[error("it cannot be connected to: {0}")]
    Unreachable(String),
    /// TLS: the certificate is not trusted, or is another host's.
    #[error("no trusted TLS connection to it comes about: {0}")]
    Tls(String),
    /// The connection ended in the middle, or what came is not HTTP.
    #[error("it broke the connection off: {0}")]
    Broken(String),
    /// More than can be read.
    #[error("its answer has more than {0} bytes")]
    TooLarge(usize),
}

/// Why an address will not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedTarget {
    /// Neither https nor http.
    #[error("must begin with https")]
    NotHttp,
    /// http to another machine: tokens and codes could be read on the way.
    #[error("must begin with https; http is for this machine only")]
    PlainHttp,
    /// It hides the host.
    #[error("must not have user information")]
    UserInformation,
    /// It has no host.
    #[error("must have a host")]
    NoHost,
    /// It leads to a network that may not be asked.
    #[error("must be one of the public internet")]
    NotPublic,
    /// A server of the public internet leads inside of a network.
    #[error(
        "leads inside of a network, and a server of the public internet named it: if that is meant, say where the name is \
         (mcp-oauth --resolve)"
    )]
    Inside,
}

impl From<RefusedTarget> for HttpFault {
    fn from(refused: RefusedTarget) -> Self {
        Self::Refused(refused)
    }
}

/// No address of a name may be asked.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum BadName {
    #[error("no name server knows one")]
    Unresolved,
    #[error("one is not of the public internet")]
    NotPublic,
}

impl HttpFault {
    /// What went wrong; with its causes only if `tells`.
    pub(super) fn of(error: &reqwest::Error, tells: bool, patience: Duration) -> Self {
        if error.is_timeout() {
            return Self::TimedOut(patience);
        }
        let said = |text: String| if tells { text } else { "no more is told".to_owned() };
        if let Some(name) = cause::<BadName>(error) {
            // which of the two it is would tell of names that only our network knows
            return Self::Name(said(name.to_string()));
        }
        let text = chain(error);
        if error.is_connect() {
            let lower = text.to_ascii_lowercase();
            if lower.contains("dns error") {
                return Self::Name(said(text));
            }
            // which of the two it is tells whether something listens there
            if tells
                && (lower.contains("certificate") || lower.contains("tls") || lower.contains("handshake"))
            {
                return Self::Tls(text);
            }
            return Self::Unreachable(said(text));
        }
        Self::Broken(said(text))
    }

    /// Whether trying again a little later may help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::TimedOut(_) | Self::Name(_) | Self::Unreachable(_) | Self::Broken(_)
        )
    }
}

/// The innermost causes of `error`, without its address.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut at = error.source();
    while let Some(error) = at {
        let text = error.to_string();
        if texts.last().is_none_or(|last| !last.ends_with(&text)) {
            texts.push(text);
        }
        at = error.source();
    }
    if texts.is_empty() {
        return "no cause is known".to_owned();
    }
    texts.join(": ")
}

fn cause<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        at = error.source();
    }
    None
}

/// Settings that no client can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// The additional root certificates.
    #[error("the additional root certificates cannot be read: {0}")]
    Roots(String),
    /// The name servers.
    #[error("the name servers cannot be used: {0}")]
    Names(String),
    /// The rest: this system has no root certificates, or the `User-Agent` is not one.
    #[error("no HTTP client can be made: {0}")]
    Client(String),
}
