//! What is written for the person or program that called us.

use std::{
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use mcp_gateway_client::words;

use super::failure::Failure;

/// The most characters of a complaint or a remark: whose words are in it is not known here.
const LONGEST: usize = 20_000;

/// Writes to standard output: as it is for a program or a file, and without what moves a cursor for a person. That nobody
/// reads it is no reason to fail.
pub(crate) fn say(text: &str) {
    if io::stdout().is_terminal() {
        say_painted(&words::lines(text, usize::MAX));
    } else {
        say_painted(text);
    }
}

/// The same for a text whose control characters are our own.
pub(crate) fn say_painted(text: &str) {
    let _unread = writeln!(io::stdout(), "{text}");
}

/// Writes a line to standard error.
pub(crate) fn complain(line: &str) {
    remark(&format!("mcp-oauth: {line}"));
}

/// Writes to standard error what goes with a line on standard output.
pub(crate) fn remark(line: &str) {
    let _unread = writeln!(io::stderr(), "{}", words::lines(line, LONGEST));
}

/// Writes a value as JSON to standard output.
pub(crate) fn say_json(value: &impl serde::Serialize) {
    if let Ok(text) = serde_json::to_string_pretty(value) {
        say_painted(&words::json(&text));
    }
}

/// Says why something was not done: as JSON for a program that reads it.
pub(crate) fn fail(failure: &Failure, json: bool) {
    if json {
        say_json(&failure.json());
    } else {
        complain(&failure.to_string());
    }
}

/// Whether a line of progress stands on the screen.
static IS_DRAWN: AtomicBool = AtomicBool::new(false);

/// Shows how far something is, where a person looks on: one line that is written over and over.
pub(crate) fn progress(line: &str) {
    if io::stderr().is_terminal() {
        IS_DRAWN.store(true, Ordering::Relaxed);
        let _unread = write!(io::stderr(), "\r\u{1b}[K{}", words::shown(line));
        let _unread = io::stderr().flush();
    }
}

/// Takes the line of progress away.
pub(crate) fn end_progress() {
    if IS_DRAWN.swap(false, Ordering::Relaxed) {
        let _unread = write!(io::stderr(), "\r\u{1b}[K");
    }
}

/// Lines of cells, each column as wide as its widest cell.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let lines = rows.iter().map(|row| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let padding = width(column).saturating_sub(cell.chars().count());
            format!("{cell}{}", " ".repeat(padding))
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(table(&[row(["é", "one"]), row(["abc", ""])]), "é    one\nabc");
    }
}
