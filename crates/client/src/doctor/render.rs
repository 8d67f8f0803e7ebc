//! A report for people.

use std::fmt::Write as _;

use super::{Client, Finding, Report, Severity, Step};

/// How a report is to look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether colours may be used.
    pub color: bool,
    /// How many columns there are.
    pub width: usize,
    /// Whether every question is listed.
    pub steps: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            color: false,
            width: 80,
            steps: false,
        }
    }
}

/// Where the text of a finding begins.
const INDENT: usize = 7;

/// Colours of a terminal.
#[derive(Clone, Copy)]
enum Color {
    Red,
    Green,
    Yellow,
    Bold,
}

impl Look {
    fn paint(self, color: Color, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match color {
            Color::Red => "31",
            Color::Green => "32",
            Color::Yellow => "33",
            Color::Bold => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// `text` in lines that fit, each indented, the first after `head`.
    fn paragraph(self, (head, indent): (&str, usize), text: &str) -> String {
        let room = self.width.max(40) - indent;
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let at = lines.len() - 1;
            let line = &mut lines[at];
            if line.is_empty() {
                line.push_str(word);
            } else if line.chars().count() + 1 + word.chars().count() <= room {
                line.push(' ');
                line.push_str(word);
            } else {
                lines.push(word.to_owned());
            }
        }
        let mut all = String::new();
        for (at, line) in lines.iter().enumerate() {
            let before = if at == 0 { head } else { "" };
            let _ = writeln!(all, "{before:indent$}{line}");
        }
        all
    }
}

/// A report as text, with a line end at its end.
#[must_use]
pub fn render(report: &Report, look: Look) -> String {
    let mut text = look.paint(Color::Bold, report.url.as_str());
    text.push('\n');
    if report.examined != report.url {
        let _ = writeln!(text, "leads to {}", report.examined);
    }
    text.push('\n');
    for finding in &report.findings {
        text.push_str(&finding_text(finding, look));
        text.push('\n');
    }
    text.push_str(&clients(report, look));
    if look.steps {
        text.push('\n');
        for step in &report.steps {
            text.push_str(&step_text(step, look));
        }
    }
    for note in &report.notes {
        text.push('\n');
        text.push_str(&look.paragraph(("note", INDENT), note));
    }
    text.push('\n');
    text.push_str(&look.paragraph(("", 0), &summary(report)));
    text
}

fn summary(report: &Report) -> String {
    let count = |severity| {
        let of = |finding: &&Finding| finding.kind.severity == severity;
        report.findings.iter().filter(of).count()
    };
    let many = |count: usize, one: &str| match count {
        0 => format!("No {one}s"),
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let (faults, hints) = (count(Severity::Fault), count(Severity::Hint));
    let hints = many(hints, "hint").to_ascii_lowercase();
    let questions = report.steps.len();
    format!(
        "{}, {hints}; {questions} questions were asked. What only a login can show was not looked at.",
        many(faults, "fault")
    )
}

fn finding_text(finding: &Finding, look: Look) -> String {
    let kind = finding.kind;
    let (word, color) = match kind.severity {
        Severity::Fault => ("fault", Color::Red),
        Severity::Hint => ("hint", Color::Yellow),
    };
    let gap = " ".repeat(INDENT - word.len());
    let mut text = format!(
        "{}{gap}{}\n",
        look.paint(color, word),
        look.paint(Color::Bold, kind.id)
    );
    text.push_str(&look.paragraph(("", INDENT), kind.what));
    for seen in &finding.seen {
        text.push_str(&look.paragraph(("  seen", INDENT), seen));
    }
    text.push_str(&look.paragraph(("  mend", INDENT), kind.remedy));
    if !finding.stops.is_empty() {
        let stops: Vec<_> = finding.stops.iter().map(|client| client.name()).collect();
        let stops = if stops.len() == Client::ALL.len() {
            "every client".to_owned()
        } else {
            stops.join(", ")
        };
        text.push_str(&look.paragraph((" stops", INDENT), &stops));
    }
    text
}

fn clients(report: &Report, look: Look) -> String {
    let mut text = format!(
        "{:20} {:14} {:18} stopped by\n",
        "client", "gets through", "known by"
    );
    for journey in &report.clients {
        let (word, color) = if journey.passes {
            ("yes", Color::Green)
        } else {
            ("no", Color::Red)
        };
        let word = look.paint(color, &format!("{word:14}"));
        let identity = journey.identity.map_or("-", super::Identity::words);
        let stopped = journey.stopped_by.join(", ");
        let line = format!("{:20} {word} {identity:18} {stopped}", journey.name);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn step_text(step: &Step, look: Look) -> String {
    let answer = match (step.status, &step.fault) {
        (Some(status), _) => format!("{status} in {} ms", step.milliseconds.unwrap_or_default()),
        (None, Some(fault)) => fault.clone(),
        (None, None) => String::new(),
    };
    let mut text = look.paragraph(
        ("asked", INDENT),
        &format!("{} {} ({})", step.method, step.url, step.purpose),
    );
    text.push_str(&look.paragraph(("", INDENT), &format!("-> {answer}")));
    if let Some(location) = &step.location {
        text.push_str(&look.paragraph(("", INDENT), &format!("-> {location}")));
    }
    text
}
