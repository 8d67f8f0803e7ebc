//! The short way: what one worker admits without asking anybody.

use std::{fmt, sync::Arc, time::Duration};

use actix_web::{
    dev::RequestHead,
    http::header::{HeaderName, HeaderValue},
};
use mcp_gateway_store::Moment;

use crate::verifier::Verifier;

/// What one worker remembers, to admit what it has admitted before. Whoever it does not answer goes the usual way.
pub struct Quick {
    verifier: Arc<Verifier>,
}

impl Verifier {
    /// The short way of one worker.
    #[must_use]
    pub fn quick(self: &Arc<Self>) -> Quick {
        Quick {
            verifier: Arc::clone(self),
        }
    }
}

impl Quick {
    /// The answer to a request for `/verify` that is certainly 200; all others are decided in the handler. Nothing is
    /// remembered yet, so there is none.
    #[must_use]
    pub fn answer(&self, _head: &RequestHead, _now: Moment) -> Option<Admitted> {
        None
    }

    /// Counts a request that was admitted, and how long it took.
    pub fn admitted(&self, time: Duration) {
        self.verifier.metrics.admitted();
        self.verifier.metrics.took(time);
    }
}

impl fmt::Debug for Quick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quick").finish_non_exhaustive()
    }
}

/// A request that is let through.
#[derive(Debug)]
pub struct Admitted(Vec<(HeaderName, HeaderValue)>);

impl Admitted {
    /// The headers of its answer, which has the status 200 and no body.
    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}
