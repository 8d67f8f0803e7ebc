//! What was measured, beside what it should be.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

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

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// None: it explains others.
    Told,
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Line {
    name: String,
    unit: &'static str,
    goal: Goal,
    found: Result<Figure, String>,
}

impl Line {
    fn verdict(&self) -> String {
        let Ok(figure) = &self.found else {
            return "not measured".into();
        };
        let met = match self.goal {
            Goal::AtLeast(goal) => figure.median >= goal,
            Goal::AtMost(goal) => figure.median <= goal,
            Goal::Told => return String::new(),
        };
        if met { "met".into() } else { "missed".into() }
    }

    fn goal(&self) -> String {
        match self.goal {
            Goal::AtLeast(goal) => format!("≥ {}{}", short(goal), unit(self.unit)),
            Goal::AtMost(goal) => format!("≤ {}{}", short(goal), unit(self.unit)),
            Goal::Told => String::new(),
        }
    }

    fn found(&self) -> String {
        match &self.found {
            Ok(figure) => format!("{}{}", short(figure.median), unit(self.unit)),
            Err(why) => why.clone(),
        }
    }

    fn spread(&self) -> String {
        match &self.found {
            Ok(figure) if figure.most > figure.least => {
                format!("{} to {}", short(figure.least), short(figure.most))
            }
            _ => String::new(),
        }
    }
}

fn unit(unit: &str) -> String {
    if unit.is_empty() {
        String::new()
    } else {
        format!(" {unit}")
    }
}

/// A number with as many places as it needs.
fn short(number: f64) -> String {
    match number.abs() {
        n if n >= 1000.0 => format!("{number:.0}"),
        n if n >= 10.0 => format!("{number:.1}"),
        n if n >= 1.0 || n == 0.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
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

/// Everything of one run.
#[derive(Debug)]
pub(crate) struct Report {
    /// What was measured: `speed` or `growth`.
    pub(crate) name: &'static str,
    lines: Vec<Line>,
    pub(crate) samples: Samples,
    machine: Vec<(&'static str, String)>,
    /// What others used of the processors before it began, in percent.
    pub(crate) others: u64,
}

impl Report {
    /// A report with nothing in it yet.
    pub(crate) fn new(name: &'static str, machine: Vec<(&'static str, String)>) -> Self {
        Self {
            name,
            lines: Vec::new(),
            samples: Samples::default(),
            machine,
            others: 0,
        }
    }

    /// Notes where it was measured.
    pub(crate) fn note(&mut self, name: &'static str, value: String) {
        self.machine.push((name, value));
    }

    /// A figure with its goal.
    pub(crate) fn line(
        &mut self,
        name: impl Into<String>,
        unit: &'static str,
        goal: Goal,
        found: Result<Figure, String>,
    ) {
        self.lines.push(Line {
            name: name.into(),
            unit,
            goal,
            found,
        });
    }

    /// How many goals were missed.
    pub(crate) fn missed(&self) -> usize {
        let missed = |line: &&Line| line.verdict() == "missed";
        self.lines.iter().filter(missed).count()
    }

    /// The tables.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.machine {
            let _infallible = writeln!(text, "{name}: {value}");
        }
        let goals = self.lines.iter().map(|line| {
            vec![
                line.name.clone(),
                line.goal(),
                line.found(),
                line.spread(),
                line.verdict(),
            ]
        });
        let head = ["figure", "goal", "measured", "spread", ""];
        text.push('\n');
        text.push_str(&table(&head, &goals.collect::<Vec<_>>()));
        if !self.samples.0.is_empty() {
            text.push('\n');
            text.push_str(&self.runs());
        }
        text
    }

    /// The single rates, which hold for this machine only.
    fn runs(&self) -> String {
        let rows = self.samples.0.iter().map(|((name, connections), samples)| {
            let median = |of: Of| {
                let values: Vec<_> = samples.iter().map(of).collect();
                Figure::of(&values).map_or(f64::NAN, |figure| figure.median)
            };
            vec![
                name.clone(),
                connections.to_string(),
                format!("{:.0}", median(|s| s.rate)),
                format!("{:.0}", median(|s| s.p50)),
                format!("{:.0}", median(|s| s.p99)),
                format!("{:.1}", median(|s| s.processor)),
                format!("{:.0} %", median(|s| s.busy) * 100.0),
            ]
        });
        let head = [
            "asked",
            "connections",
            "a second",
            "p50 us",
            "p99 us",
            "cpu us",
            "server busy",
        ];
        table(&head, &rows.collect::<Vec<_>>())
    }

    /// The same for programs.
    pub(crate) fn json(&self) -> Value {
        let figures = self.lines.iter().map(|line| {
            let (least, most) = match line.goal {
                Goal::AtLeast(goal) => (Some(goal), None),
                Goal::AtMost(goal) => (None, Some(goal)),
                Goal::Told => (None, None),
            };
            json!({
                "name": line.name, "unit": line.unit, "at_least": least, "at_most": most,
                "median": line.found.as_ref().ok().map(|f| f.median),
                "least": line.found.as_ref().ok().map(|f| f.least),
                "most": line.found.as_ref().ok().map(|f| f.most),
                "not_measured": line.found.as_ref().err(), "verdict": line.verdict(),
            })
        });
        let runs = self.samples.0.iter().flat_map(|((name, connections), samples)| {
            samples.iter().map(move |s| {
                json!({
                    "asked": name, "connections": connections, "rate": s.rate, "p50_us": s.p50, "p99_us": s.p99,
                    "processor_us": s.processor, "busy": s.busy,
                })
            })
        });
        let machine: BTreeMap<_, _> = self.machine.iter().cloned().collect();
        json!({
            "machine": machine,
            "figures": figures.collect::<Vec<_>>(),
            "runs": runs.collect::<Vec<_>>(),
        })
    }
}

/// Columns as wide as they need to be.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let wide = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(wide).collect();
    let row = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let mut text = row(&mut head.iter().copied());
    let rule: Vec<_> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let _infallible = writeln!(text, "|{}|", rule.join("|"));
    for cells in rows {
        text.push_str(&row(&mut cells.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new("speed", vec![("date", "today".into())]);
        let sample = |rate| Sample {
            rate,
            p50: 1.0,
            p99: 2.0,
            processor: 3.0,
            busy: 1.0,
        };
        for (one, other) in [(90.0, 100.0), (50.0, 100.0), (99.0, 110.0)] {
            report.samples.push("one", 32, sample(one));
            report.samples.push("other", 32, sample(other));
        }
        report
    }

    #[test]
    fn a_ratio_is_taken_in_each_round_and_its_median_counts() {
        let mut report = report();
        let figure = report.samples.ratio(("one", "other"), 32, |s| s.rate).unwrap();
        assert_eq!(
            format!("{:.2} {:.2} {:.2}", figure.median, figure.least, figure.most),
            "0.90 0.50 0.90"
        );
        report.line("ratio", "", Goal::AtLeast(0.95), Ok(figure));
        assert_eq!(report.missed(), 1);
        assert!(report.text().contains("missed"), "{}", report.text());
    }

    #[test]
    fn what_was_not_measured_says_why_and_is_neither_met_nor_missed() {
        let mut report = report();
        let nothing = report.samples.ratio(("one", "third"), 32, |s| s.rate);
        assert!(nothing.is_err());
        report.line("left out", "ms", Goal::AtMost(1.0), Err("there was none".into()));
        assert_eq!(report.missed(), 0);
        assert!(report.text().contains("there was none"), "{}", report.text());
        assert_eq!(report.json()["figures"][0]["verdict"], "not measured");
    }
}
