//! What a person sees while it runs.

use std::time::{Duration, Instant};

/// A line on standard error; the table alone goes to standard output.
#[expect(
    clippy::print_stderr,
    reason = "a program for a terminal: this is where it says what it does"
)]
pub(crate) fn note(text: &str) {
    eprintln!("{text}");
}

/// What was asked for, on standard output.
#[expect(clippy::print_stdout, reason = "a program for a terminal: this is its result")]
pub(crate) fn result(text: &str) {
    println!("{text}");
}

/// The time, for measuring.
#[expect(
    clippy::disallowed_methods,
    reason = "a program that measures: this is its one clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Microseconds, with their fraction.
pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Milliseconds, with their fraction.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
