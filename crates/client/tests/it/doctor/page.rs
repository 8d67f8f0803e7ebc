//! Each kind of finding has a server that is broken in just that way, and a row in the documentation.

use std::collections::BTreeSet;

use mcp_gateway_client::doctor::{self, Severity};

const PAGE: &str = include_str!("../../../../../docs/client.md");
const TESTS: [&str; 8] = [
    include_str!("address.rs"),
    include_str!("browser.rs"),
    include_str!("challenge.rs"),
    include_str!("endpoints.rs"),
    include_str!("identity.rs"),
    include_str!("resource.rs"),
    include_str!("server.rs"),
    include_str!("trust.rs"),
];

#[test]
fn every_kind_has_a_name_of_its_own_and_a_broken_server() {
    let kinds = doctor::kinds();
    let names: BTreeSet<_> = kinds.iter().map(|kind| kind.id).collect();
    assert_eq!(names.len(), kinds.len());
    assert!(kinds.len() >= 40, "{}", kinds.len());
    for name in names {
        let tried = TESTS.iter().any(|code| code.contains(&format!("\"{name}\"")));
        assert!(tried, "no server is broken by {name}");
    }
}

/// The rows of the page's table of findings, without its head: name, how bad it is, what is wrong, how to mend it.
fn rows() -> Vec<Vec<String>> {
    let section = PAGE.split("\n## What doctor finds\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

#[test]
fn the_page_says_of_each_kind_what_doctor_says() {
    let expected: Vec<_> = doctor::kinds()
        .into_iter()
        .map(|kind| {
            let severity = match kind.severity {
                Severity::Fault => "fault",
                Severity::Hint => "hint",
            };
            let name = format!("`{}`", kind.id);
            vec![
                name,
                severity.to_owned(),
                kind.what.to_owned(),
                kind.remedy.to_owned(),
            ]
        })
        .collect();
    assert_eq!(rows(), expected);
}
