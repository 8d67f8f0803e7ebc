//! What is wrong with a configuration: everything at once.

use std::fmt;

/// The faults of a configuration, each with the name of its setting.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    all: Vec<(String, String)>,
    /// What may have caused them: names that are nearly those of settings.
    hints: Vec<String>,
}

impl Faults {
    /// Adds one. The problem reads on from the name and never shows a secret.
    pub(crate) fn add(&mut self, setting: impl Into<String>, problem: impl Into<String>) {
        let fault = (setting.into(), problem.into());
        if !self.all.contains(&fault) {
            self.all.push(fault);
        }
    }

    /// With what may have caused them.
    pub(crate) fn with_hints(mut self, hints: &[String]) -> Self {
        self.hints.extend_from_slice(hints);
        self
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Each one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all
            .iter()
            .map(|(setting, problem)| (setting.as_str(), problem.as_str()))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the configuration has {} fault(s):", self.all.len())?;
        for (setting, problem) in &self.all {
            writeln!(f, "  {setting}: {problem}")?;
        }
        for hint in &self.hints {
            writeln!(f, "note: {hint}")?;
        }
        write!(
            f,
            "see docs/configuration.md, or run: mcp-oauth-gateway serve --help"
        )
    }
}
