//! What is written for the person or program that called us.

use std::{
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

/// Writes a line to standard output. That nobody reads it is no reason to fail.
pub(crate) fn say(line: &str) {
    let _unread = writeln!(io::stdout(), "{line}");
}

/// Writes a line to standard error.
pub(crate) fn complain(line: &str) {
    let _unread = writeln!(io::stderr(), "mcp-oauth: {line}");
}

/// Writes to standard error what goes with a line on standard output.
pub(crate) fn remark(line: &str) {
    let _unread = writeln!(io::stderr(), "{line}");
}

/// Writes a value as JSON to standard output.
pub(crate) fn say_json(value: &impl serde::Serialize) {
    if let Ok(text) = serde_json::to_string_pretty(value) {
        say(&text);
    }
}

/// Whether a line of progress stands on the screen.
static IS_DRAWN: AtomicBool = AtomicBool::new(false);

/// Shows how far something is, where a person looks on: one line that is written over and over.
pub(crate) fn progress(line: &str) {
    if io::stderr().is_terminal() {
        IS_DRAWN.store(true, Ordering::Relaxed);
        let _unread = write!(io::stderr(), "\r\u{1b}[K{line}");
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
