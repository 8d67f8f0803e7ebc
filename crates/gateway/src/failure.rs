//! How a command fails, and the exit code that says so.

use std::{fmt, process::ExitCode};

use crate::config::Faults;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration has faults: 64 (`EX_USAGE` of sysexits.h).
    Configuration(String),
    /// It did not work: 1.
    Runtime(String),
}

impl Failure {
    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Runtime(_) => 1,
            Self::Configuration(_) => 64,
        })
    }

    /// A failure at run time.
    pub(crate) fn runtime(problem: impl fmt::Display) -> Self {
        Self::Runtime(problem.to_string())
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Configuration(faults.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Configuration(text) | Self::Runtime(text)) = self;
        f.write_str(text)
    }
}
