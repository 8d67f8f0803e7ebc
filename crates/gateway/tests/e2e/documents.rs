//! `docs/security.md` and `docs/clients.md` against the code: every test that the pages name exists, every hole and every
//! client of their tables names one, and every test of the client matrix is named.

use std::{
    fs,
    path::{Path, PathBuf},
};

const PAGE: &str = include_str!("../../../../docs/security.md");
const CLIENTS: &str = include_str!("../../../../docs/clients.md");

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
    let missing = missing(all);
    assert!(missing.is_empty(), "docs/security.md names {missing:#?}");
}

/// Those of the named tests that do not exist.
fn missing(names: Vec<&str>) -> Vec<&str> {
    let is_missing = |name: &&str| {
        let parts: Vec<_> = name.split("::").collect();
        let [of, file @ .., test] = &parts[..] else {
            panic!("{name} is no crate::file::test");
        };
        let code = source(of, file).map(|path| fs::read_to_string(path).unwrap());
        !code.is_some_and(|code| has_test(&code, test))
    };
    names.into_iter().filter(is_missing).collect()
}

/// The clients that must have a row.
const EXPECTED: [&str; 17] = [
    "Claude",
    "Claude Code",
    "ChatGPT",
    "Cursor",
    "VS Code",
    "Copilot CLI",
    "Gemini CLI",
    "mcp-remote",
    "MCP Inspector",
    "Goose",
    "Codex",
    "Warp",
    "official conformance suite",
    "revision 2025-03-26",
    "revision 2025-06-18",
    "revision 2025-11-25",
    "revision 2026-07-28",
];

#[test]
fn every_client_has_a_row_and_every_row_a_test_that_exists() {
    let section = CLIENTS.split("\n## Clients\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    let mut clients = Vec::new();
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [client, registers, redirects, resource, refresh, tests] = cells[..] else {
            panic!("not six cells: {row}");
        };
        for cell in [registers, redirects, resource, refresh] {
            assert!(!cell.is_empty(), "{row}");
        }
        assert!(!named(tests).is_empty(), "no test: {row}");
        clients.push(client);
    }
    for client in EXPECTED {
        assert!(clients.contains(&client), "{client} has no row");
    }
    let missing = missing(named(CLIENTS));
    assert!(missing.is_empty(), "docs/clients.md names {missing:#?}");
}

#[test]
fn every_test_of_the_client_matrix_is_on_the_page() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients_matrix");
    let mut found = 0;
    for entry in fs::read_dir(home).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_stem().unwrap().to_str().unwrap();
        let code = fs::read_to_string(&path).unwrap();
        for test in code.split("#[tokio::test]\nasync fn ").skip(1) {
            let test = test.split('(').next().unwrap();
            let name = format!("gateway::clients_matrix::{file}::{test}");
            assert!(CLIENTS.contains(&format!("`{name}`")), "{name} is not named");
            found += 1;
        }
    }
    assert!(found > 15, "{found}");
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
