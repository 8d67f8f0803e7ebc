//! Answers by status, as `/metrics` has them.

use std::{collections::HashMap, sync::Arc};

use actix_web::http::StatusCode;
use mcp_gateway_model::tally::Tally;
use prometheus::{
    Registry,
    core::{Collector, Desc},
    proto::{Counter, LabelPair, Metric, MetricFamily, MetricType},
};

const NAME: &str = "mcp_gateway_http_answers_total";
const HELP: &str = "Answers by status";
/// Statuses below it are all that there are.
const MOST: usize = 600;

/// How often each status was answered.
#[derive(Clone, Debug)]
pub(crate) struct Answers(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    tally: Tally<MOST>,
    description: Desc,
}

impl Answers {
    /// The counter in `registry`.
    ///
    /// # Errors
    /// When the registry has such a counter already.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let labels = vec!["status".to_owned()];
        let answers = Self(Arc::new(Counted {
            tally: Tally::default(),
            description: Desc::new(NAME.to_owned(), HELP.to_owned(), labels, HashMap::new())?,
        }));
        registry.register(Box::new(answers.clone()))?;
        Ok(answers)
    }

    /// Counts an answer.
    pub(crate) fn count(&self, status: StatusCode) {
        self.0.tally.add(usize::from(status.as_u16()), 1);
    }
}

impl Collector for Answers {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let sums = self.0.tally.sums();
        let answered = sums.iter().enumerate().filter(|(_, count)| **count > 0);
        let metrics = answered.map(|(status, count)| metric(status, *count)).collect();
        let mut family = MetricFamily::default();
        family.set_name(NAME.to_owned());
        family.set_help(HELP.to_owned());
        family.set_field_type(MetricType::COUNTER);
        family.set_metric(metrics);
        vec![family]
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floating point; counts beyond 2^53 do not occur"
)]
fn metric(status: usize, count: u64) -> Metric {
    let mut label = LabelPair::default();
    label.set_name("status".to_owned());
    label.set_value(status.to_string());
    let mut counter = Counter::default();
    counter.set_value(count as f64);
    let mut metric = Metric::from_label(vec![label]);
    metric.set_counter(counter);
    metric
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn each_status_that_was_answered_has_a_count() {
        let registry = Registry::new();
        let answers = Answers::register(&registry).unwrap();
        for status in [200, 404, 200] {
            answers.count(StatusCode::from_u16(status).unwrap());
        }
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert_eq!(
            text,
            "# HELP mcp_gateway_http_answers_total Answers by status\n\
             # TYPE mcp_gateway_http_answers_total counter\n\
             mcp_gateway_http_answers_total{status=\"200\"} 2\n\
             mcp_gateway_http_answers_total{status=\"404\"} 1\n"
        );
        assert!(Answers::register(&registry).is_err());
    }
}
