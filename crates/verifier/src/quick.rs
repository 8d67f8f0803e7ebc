//! The short way to a yes: for nearly every request everything that is needed to let it through is known already.

use std::{fmt, rc::Rc, sync::Arc, time::Duration};

use actix_web::{
    dev::RequestHead,
    http::header::{HeaderName, HeaderValue},
};
use mcp_gateway_model::rule::Demand;
use mcp_gateway_store::Moment;

use crate::{
    discovery,
    holder::{self, Holder},
    operation::{self, Need},
    verifier::Verifier,
    worker::Worker,
};

/// Answers what is certain to be let through, from what this thread remembers, without a router and without waiting. It
/// decides with the same steps as the handler of `/verify`, and shares with it what is remembered; whatever is not a plain yes it
/// leaves to the handler. Belongs to the thread it was made on.
#[derive(Clone)]
pub struct Quick(Rc<Worker>);

/// A request that may pass.
pub struct Admitted(Rc<Holder>);

impl Verifier {
    /// The short way of this thread.
    #[must_use]
    pub fn quick(self: &Arc<Self>) -> Quick {
        Quick(Worker::here(self))
    }
}

impl Quick {
    /// Whether a request to `/verify` is certain to be answered by 200, judged by its head alone.
    #[must_use]
    pub fn answer(&self, head: &RequestHead, now: Moment) -> Option<Admitted> {
        let worker = &self.0;
        let asked = worker.asked(head).ok()?;
        if discovery::is_sought(asked.path) {
            return None;
        }
        let protected = asked.protected()?;
        let Ok(Need::Known(demand @ Demand::Scopes(_))) = operation::need(&head.headers, &asked, protected)
        else {
            return None;
        };
        let holder = holder::remembered(worker, &head.headers, protected, now)?;
        holder.may(demand).then_some(Admitted(holder))
    }

    /// Counts a request that was admitted, and how long it took.
    pub fn admitted(&self, time: Duration) {
        let metrics = &self.0.verifier.metrics;
        metrics.admitted();
        metrics.took(time);
    }
}

impl fmt::Debug for Quick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quick").finish_non_exhaustive()
    }
}

impl Admitted {
    /// The headers of the answer, which has the status 200 and no body: who is calling, and that nobody else may keep it.
    pub fn headers(&self) -> impl Iterator<Item = (&'static HeaderName, &HeaderValue)> {
        self.0.identity.headers()
    }
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted").finish_non_exhaustive()
    }
}
