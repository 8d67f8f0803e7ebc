//! What is wrong with a configuration: everything at once.

use std::fmt;

/// The faults of a configuration, each with the name of its setting.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults(Vec<(String, String)>);

impl Faults {
    /// Adds one. The problem reads on from the name and never shows a secret.
    pub(crate) fn add(&mut self, setting: impl Into<String>, problem: impl Into<String>) {
        let fault = (setting.into(), problem.into());
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(setting, problem)| (setting.as_str(), problem.as_str()))
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the configuration has {} fault(s):", self.0.len())?;
        for (setting, problem) in &self.0 {
            writeln!(f, "  {setting}: {problem}")?;
        }
        write!(
            f,
            "see docs/configuration.md, or run: mcp-oauth-gateway serve --help"
        )
    }
}
