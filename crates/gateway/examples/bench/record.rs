//! The document that keeps the figures of a run.

use std::{fs, path::Path};

use crate::{Answer, report::Report};

/// What begins and ends the part of the document that a run replaces.
const BEGIN: &str = "<!-- measured:";
const END: &str = "<!-- end of measured:";

/// What others may use of the processors, in percent.
const QUIET: u64 = 3;

/// Whether a run is worth recording; asked before it as well, so that nobody waits for nothing.
///
/// # Errors
/// For a quick run, and on a machine that is not quiet.
pub(crate) fn allowed(report: &Report, quick: bool) -> Answer<()> {
    if quick {
        return Err("a quick run is not recorded: its figures mean too little".into());
    }
    if report.others > QUIET {
        return Err(format!(
            "not recorded: other programs used {} % of the processors when the run began",
            report.others
        )
        .into());
    }
    Ok(())
}

/// Replaces the recorded figures of the same measurement.
///
/// # Errors
/// As [`allowed`], and when the document has no place for it.
pub(crate) fn write(document: &Path, report: &Report, quick: bool) -> Answer<()> {
    allowed(report, quick)?;
    let name = report.name;
    let text = fs::read_to_string(document)?;
    let (begin, end) = (format!("{BEGIN} {name} -->"), format!("{END} {name} -->"));
    let place = text
        .split_once(&begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let Some((before, after)) = place else {
        return Err(format!("{} has no lines {begin} and {end}", document.display()).into());
    };
    let measured = report.text();
    fs::write(document, format!("{before}{begin}\n\n{measured}\n{end}{after}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_replaces_its_own_part_of_the_document() {
        let directory = tempfile::tempdir().unwrap();
        let document = directory.path().join("performance.md");
        let part = |name| format!("{BEGIN} {name} -->\nold\n{END} {name} -->\n");
        fs::write(&document, format!("# Title\n{}{}", part("speed"), part("growth"))).unwrap();
        let mut report = Report::new("growth", vec![("date", "today".into())]);
        write(&document, &report, false).unwrap();
        let text = fs::read_to_string(&document).unwrap();
        assert_eq!(text.matches("old").count(), 1, "{text}");
        assert!(
            text.contains("date: today") && text.starts_with("# Title"),
            "{text}"
        );

        assert!(write(&document, &report, true).is_err(), "a quick run");
        report.others = 50;
        assert!(write(&document, &report, false).is_err(), "a busy machine");
        assert_eq!(fs::read_to_string(&document).unwrap(), text);
    }
}
