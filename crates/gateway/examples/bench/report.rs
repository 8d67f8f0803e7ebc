//! What was measured, beside what it should be.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use crate::samples::{Figure, Of, Samples};

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

/// A number with so many places; nothing for what was not measured.
fn places(number: f64, places: usize) -> String {
    if number.is_nan() {
        String::new()
    } else {
        format!("{number:.places$}")
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
        if !self.samples.is_empty() {
            text.push('\n');
            text.push_str(&self.runs());
            let idle = self.idle();
            if !idle.is_empty() {
                let _infallible = writeln!(
                    text,
                    "\nNot the server but something else was the limit, at 32 connections, in: {}.",
                    idle.join("; ")
                );
            }
        }
        text
    }

    /// What did not keep its server busy over 32 connections.
    fn idle(&self) -> Vec<&str> {
        let of_32 = self
            .samples
            .iter()
            .filter(|((_, connections), _)| *connections == 32);
        of_32
            .filter(|(_, samples)| {
                let busy: Vec<_> = samples.iter().map(|s| s.busy).collect();
                Figure::of(&busy).is_some_and(|busy| busy.median < 0.9)
            })
            .map(|((name, _), _)| name.as_str())
            // there, the verifier and the server behind share Traefik's core
            .filter(|name| !name.starts_with("through Traefik"))
            .collect()
    }

    /// The single rates, which hold for this machine only.
    fn runs(&self) -> String {
        let rows = self.samples.iter().map(|((name, connections), samples)| {
            let median = |of: Of| {
                let values: Vec<_> = samples.iter().map(of).collect();
                Figure::of(&values).map_or(f64::NAN, |figure| figure.median)
            };
            vec![
                name.clone(),
                connections.to_string(),
                places(median(|s| s.rate), 0),
                places(median(|s| s.p50), 0),
                places(median(|s| s.p99), 0),
                places(median(|s| s.processor), 1),
                places(median(|s| s.busy) * 100.0, 0),
            ]
        });
        let head = [
            "asked",
            "connections",
            "a second",
            "p50 us",
            "p99 us",
            "cpu us",
            "server busy %",
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
        let runs = self.samples.iter().flat_map(|((name, connections), samples)| {
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
    use crate::samples::Sample;

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
    fn a_rate_that_something_else_limited_is_pointed_out() {
        let mut report = report();
        assert!(report.idle().is_empty());
        let lazy = Sample {
            rate: 10.0,
            p50: 1.0,
            p99: 2.0,
            processor: 3.0,
            busy: 0.5,
        };
        report.samples.push("lazy", 32, lazy);
        assert_eq!(report.idle(), ["lazy"]);
        assert!(report.text().contains("at 32 connections, in: lazy."));
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
