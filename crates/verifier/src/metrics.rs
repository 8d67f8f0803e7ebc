//! What is counted. Labels come from enums, never from a client.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use mcp_gateway_model::tally::Tally;
use prometheus::{
    Registry,
    core::{Collector, Desc},
    proto::{Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

use crate::reason::Reason;

const TOTAL: &str = "mcp_gateway_verify_total";
const TOTAL_HELP: &str = "Requests that were verified, by outcome.";
const SECONDS: &str = "mcp_gateway_verify_seconds";
const SECONDS_HELP: &str = "How long verifying took.";
/// The bounds of the histogram: nanoseconds, and the same in seconds.
const BOUNDS: [(u64, f64); 11] = [
    (100_000, 0.000_1),
    (250_000, 0.000_25),
    (500_000, 0.000_5),
    (1_000_000, 0.001),
    (2_500_000, 0.002_5),
    (5_000_000, 0.005),
    (10_000_000, 0.01),
    (25_000_000, 0.025),
    (100_000_000, 0.1),
    (500_000_000, 0.5),
    (2_500_000_000, 2.5),
];

// where each number stands in the tally
const REASONS: usize = 0;
const ADMITTED: usize = REASONS + Reason::ALL.len();
const BUCKETS: usize = ADMITTED + 1;
const NANOS: usize = BUCKETS + BOUNDS.len() + 1;
const NUMBERS: usize = NANOS + 1;

/// Counters and the histogram of `/verify`, each thread's own.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Counted>);

struct Counted {
    tally: Tally<NUMBERS>,
    descriptions: [Desc; 2],
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let description = |name: &str, help: &str, labels: &[&str]| {
            let labels = labels.iter().map(|&label| label.to_owned()).collect();
            Desc::new(name.to_owned(), help.to_owned(), labels, HashMap::new())
        };
        let counted = Counted {
            tally: Tally::default(),
            descriptions: [
                description(TOTAL, TOTAL_HELP, &["outcome"])?,
                description(SECONDS, SECONDS_HELP, &[])?,
            ],
        };
        let metrics = Self(Arc::new(counted));
        registry.register(Box::new(metrics.clone()))?;
        Ok(metrics)
    }

    /// Measures until it is dropped.
    #[expect(
        clippy::disallowed_methods,
        reason = "measured at the outermost edge, where the request comes in"
    )]
    pub(crate) fn time(&self) -> Timer<'_> {
        Timer(self, Instant::now())
    }

    /// A request took so long.
    pub(crate) fn took(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().take_while(|(bound, _)| nanos > *bound).count();
        self.0.tally.add(BUCKETS + bucket, 1);
        self.0.tally.add(NANOS, nanos);
    }

    /// A request was let through.
    pub(crate) fn admitted(&self) {
        self.0.tally.add(ADMITTED, 1);
    }

    /// A request was not let through.
    pub(crate) fn refused(&self, reason: Reason) {
        self.0.tally.add(REASONS + reason as usize, 1);
    }
}

/// Counts how long something took when it is dropped.
pub(crate) struct Timer<'m>(&'m Metrics, Instant);

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.0.took(self.1.elapsed());
    }
}

impl Collector for Metrics {
    fn desc(&self) -> Vec<&Desc> {
        self.0.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let sums = self.0.tally.sums();
        vec![outcomes(&sums), seconds(&sums)]
    }
}

fn outcomes(sums: &[u64; NUMBERS]) -> MetricFamily {
    let codes = Reason::ALL.map(Reason::code).into_iter().chain(["admitted"]);
    let metrics = codes.zip(sums).map(|(code, count)| {
        let mut label = LabelPair::default();
        label.set_name("outcome".to_owned());
        label.set_value(code.to_owned());
        let mut counter = Counter::default();
        counter.set_value(float(*count));
        let mut metric = Metric::from_label(vec![label]);
        metric.set_counter(counter);
        metric
    });
    let mut metrics: Vec<_> = metrics.collect();
    metrics.sort_by(|a, b| a.get_label().cmp(b.get_label()));
    family((TOTAL, TOTAL_HELP), MetricType::COUNTER, metrics)
}

fn seconds(sums: &[u64; NUMBERS]) -> MetricFamily {
    let mut count = 0;
    let mut buckets = Vec::new();
    let counts = sums.iter().skip(BUCKETS);
    for (more, (_, bound)) in counts.zip(BOUNDS) {
        count += more;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(count);
        buckets.push(bucket);
    }
    let above = sums.get(BUCKETS + BOUNDS.len()).copied().unwrap_or_default();
    let nanos = sums.get(NANOS).copied().unwrap_or_default();
    let mut histogram = Histogram::default();
    histogram.set_sample_count(count + above);
    histogram.set_sample_sum(float(nanos) / 1e9);
    histogram.set_bucket(buckets);
    let mut metric = Metric::default();
    metric.set_histogram(histogram);
    family((SECONDS, SECONDS_HELP), MetricType::HISTOGRAM, vec![metric])
}

fn family((name, help): (&str, &str), kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floating point; counts beyond 2^53 do not occur"
)]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn times_are_counted_in_the_bucket_of_the_next_bound_and_in_all_above() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        for micros in [0, 100, 101, 1_000, 2_500_000, 2_500_001] {
            metrics.took(Duration::from_micros(micros));
        }
        metrics.admitted();
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            "# TYPE mcp_gateway_verify_seconds histogram",
            "mcp_gateway_verify_seconds_bucket{le=\"0.0001\"} 2",
            "mcp_gateway_verify_seconds_bucket{le=\"0.00025\"} 3",
            "mcp_gateway_verify_seconds_bucket{le=\"0.0005\"} 3",
            "mcp_gateway_verify_seconds_bucket{le=\"0.001\"} 4",
            "mcp_gateway_verify_seconds_bucket{le=\"0.5\"} 4",
            "mcp_gateway_verify_seconds_bucket{le=\"2.5\"} 5",
            "mcp_gateway_verify_seconds_bucket{le=\"+Inf\"} 6",
            "mcp_gateway_verify_seconds_sum 5.001202",
            "mcp_gateway_verify_seconds_count 6",
            "# TYPE mcp_gateway_verify_total counter",
            "mcp_gateway_verify_total{outcome=\"admitted\"} 1",
            "mcp_gateway_verify_total{outcome=\"no_token\"} 0",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} in {text}");
        }
    }

    #[test]
    fn a_registry_has_them_once() {
        let registry = Registry::new();
        assert!(Metrics::register(&registry).is_ok());
        assert!(Metrics::register(&registry).is_err());
    }

    #[test]
    fn the_bounds_are_the_same_in_both_units() {
        for (nanos, seconds) in BOUNDS {
            assert!((float(nanos) / 1e9 - seconds).abs() < 1e-12, "{seconds}");
        }
    }
}
