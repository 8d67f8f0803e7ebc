//! What the page says.

const PAGE: &str = include_str!("../../../../../docs/guides/curl.md");

/// The address in a document, where the page says at which of ours a line is asked.
const ELSEWHERE: &str = "http://localhost:8000";

/// A table: its first column has the lines.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
}

/// A row of it.
pub(super) struct Row {
    pub(super) line: String,
    cells: Vec<(&'static str, &'static str)>,
}

impl Row {
    /// What the row has in a column. `the same` is what the column before has.
    pub(super) fn cell(&self, column: &str) -> &'static str {
        let index = self.cells.iter().position(|(name, _)| *name == column);
        let index = index.unwrap_or_else(|| panic!("no column {column}"));
        match self.cells[index].1 {
            "the same" => self.cells[index - 1].1,
            cell => cell,
        }
    }
}

impl Table {
    /// The table below a heading.
    pub(super) fn read(heading: &str) -> Self {
        let lines = section(heading).lines().filter(|line| line.starts_with('|'));
        let mut lines = lines.map(cells);
        let head = lines.next().unwrap();
        let rows = lines.skip(1).map(|cells| {
            assert_eq!(cells.len(), head.len(), "{cells:?}");
            let mut line = code(cells[0]).to_owned();
            if head[1] == "asked at" {
                assert!(line.contains(ELSEWHERE), "{line}");
                line = line.replace(ELSEWHERE, code(cells[1]));
            }
            Row {
                line,
                cells: head.iter().copied().zip(cells).skip(1).collect(),
            }
        });
        Self { rows: rows.collect() }
    }
}

/// What is between two backticks.
fn code(cell: &'static str) -> &'static str {
    let code = cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`'));
    code.unwrap_or_else(|| panic!("no code: {cell}"))
}

fn section(heading: &str) -> &'static str {
    let section = PAGE.split(&format!("\n## {heading}\n")).nth(1);
    let section = section.unwrap_or_else(|| panic!("no section {heading}"));
    section.split("\n## ").next().unwrap()
}

/// The cells of a row; a bar with a backslash before it ends none.
fn cells(row: &'static str) -> Vec<&'static str> {
    let row = row.trim().trim_start_matches('|').trim_end_matches('|');
    row.split(" | ").map(str::trim).collect()
}

/// The settings in one of the pieces of code below a heading: names and values.
pub(super) fn settings(heading: &str, piece: usize) -> Vec<(&'static str, &'static str)> {
    let code = section(heading)
        .split("```")
        .skip(1)
        .step_by(2)
        .nth(piece)
        .unwrap();
    let lines = code.lines().skip(1).filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once('=').unwrap()).collect()
}
