//! What is counted. Labels come from enums, never from a client.

use prometheus::{Histogram, HistogramOpts, HistogramTimer, IntCounter, IntCounterVec, Opts, Registry};

use crate::reason::Reason;

/// Counters and the histogram of `/verify`.
pub(crate) struct Metrics {
    admitted: IntCounter,
    refused: [IntCounter; Reason::ALL.len()],
    seconds: Histogram,
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let outcomes = IntCounterVec::new(
            Opts::new(
                "mcp_gateway_verify_total",
                "Requests that were verified, by outcome.",
            ),
            &["outcome"],
        )?;
        let seconds = Histogram::with_opts(
            HistogramOpts::new("mcp_gateway_verify_seconds", "How long verifying took.").buckets(vec![
                0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5,
            ]),
        )?;
        registry.register(Box::new(outcomes.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self {
            admitted: outcomes.with_label_values(&["admitted"]),
            refused: Reason::ALL.map(|reason| outcomes.with_label_values(&[reason.code()])),
            seconds,
        })
    }

    /// Measures until it is dropped.
    pub(crate) fn time(&self) -> HistogramTimer {
        self.seconds.start_timer()
    }

    /// A request was let through.
    pub(crate) fn admitted(&self) {
        self.admitted.inc();
    }

    /// A request was not let through.
    pub(crate) fn refused(&self, reason: Reason) {
        if let Some(counter) = self.refused.get(reason as usize) {
            counter.inc();
        }
    }
}
