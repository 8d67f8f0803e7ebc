//! What was measured, round by round.

use std::collections::BTreeMap;

/// A number that was measured several times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Figure {
    /// The median and the spread.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Some(Self { median, least, most })
    }

    /// Something that was measured once.
    pub(crate) const fn once(value: f64) -> Self {
        Self {
            median: value,
            least: value,
            most: value,
        }
    }
}

/// One run against one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    /// Microseconds.
    pub(crate) p99: f64,
    /// Microseconds of processor time of the server for each request.
    pub(crate) processor: f64,
    /// The share of the run in which the server was on its processor.
    pub(crate) busy: f64,
}

/// All runs: by what was asked and over how many connections.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<(String, usize), Vec<Sample>>);

/// Which number of a sample.
pub(crate) type Of = fn(&Sample) -> f64;

impl Samples {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&(String, usize), &Vec<Sample>)> {
        self.0.iter()
    }

    pub(crate) fn push(&mut self, name: &str, connections: usize, sample: Sample) {
        self.0
            .entry((name.to_owned(), connections))
            .or_default()
            .push(sample);
    }

    fn get(&self, name: &str, connections: usize) -> &[Sample] {
        self.0
            .get(&(name.to_owned(), connections))
            .map_or(&[], Vec::as_slice)
    }

    /// A number of each run.
    pub(crate) fn all(&self, name: &str, connections: usize, of: Of) -> Vec<f64> {
        self.get(name, connections).iter().map(of).collect()
    }

    /// Compares two, round by round.
    pub(crate) fn compare(
        &self,
        (one, other): (&str, &str),
        connections: usize,
        of: Of,
        with: fn(f64, f64) -> f64,
    ) -> Result<Figure, String> {
        let one = self.all(one, connections, of);
        let other = self.all(other, connections, of);
        let rounds: Vec<_> = one.iter().zip(&other).map(|(a, b)| with(*a, *b)).collect();
        Figure::of(&rounds).ok_or_else(|| "nothing to compare with".into())
    }

    /// The ratio of two, round by round.
    pub(crate) fn ratio(&self, pair: (&str, &str), connections: usize, of: Of) -> Result<Figure, String> {
        self.compare(pair, connections, of, |a, b| a / b)
    }
}
