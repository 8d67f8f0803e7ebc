//! `docs/security.md` against the code: every test that the page names exists, and every hole of its table names one.

use std::{
    fs,
    path::{Path, PathBuf},
};

const PAGE: &str = include_str!("../../../../docs/security.md");

/// The rows of the table of holes, without its head: the lines between its heading and the next.
fn rows() -> Vec<&'static str> {
    let section = PAGE.split("\n## Flaw, and our test\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    rows.skip(2).collect()
}

/// `crate::file::test` of a text, in backticks.
fn named(text: &str) -> Vec<&str> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.contains("::"))
        .collect()
}

/// Where `crate::file` lies: integration tests first, then the module's own.
fn source(name: &str, file: &[&str]) -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name);
    let relative = format!("{}.rs", file.join("/"));
    ["tests/it", "tests/e2e", "src"]
        .iter()
        .map(|place| home.join(place).join(&relative))
        .find(|path| path.is_file())
}

/// Whether `code` has the test: a function with a test's attribute, or a fact of a contract that each engine runs.
fn has_test(code: &str, name: &str) -> bool {
    let mut before = "";
    let mut in_contract = false;
    for line in code.lines().map(str::trim) {
        in_contract = (in_contract || line.starts_with("contract!(")) && line != ");";
        let is_attributed =
            before.starts_with("#[") && (before.contains("test]") || before.contains("test("));
        let is_function = line.contains(&format!("fn {name}("));
        if (is_function && is_attributed) || (in_contract && line == format!("{name},")) {
            return true;
        }
        before = line;
    }
    false
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let all = named(PAGE);
    assert!(all.len() > 60, "{}", all.len());
    let mut missing = Vec::new();
    for name in all {
        let parts: Vec<_> = name.split("::").collect();
        let [of, file @ .., test] = &parts[..] else {
            panic!("{name} is no crate::file::test");
        };
        let code = source(of, file).map(|path| fs::read_to_string(path).unwrap());
        if !code.is_some_and(|code| has_test(&code, test)) {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "docs/security.md names {missing:#?}");
}

#[test]
fn every_flaw_on_the_security_page_has_a_test() {
    let rows = rows();
    assert!(rows.len() >= 22, "{}", rows.len());
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [flaw, seen, tests] = cells[..] else {
            panic!("not three cells: {row}");
        };
        assert!(!flaw.is_empty() && !seen.is_empty(), "{row}");
        assert!(!named(tests).is_empty(), "no test: {row}");
    }
}
