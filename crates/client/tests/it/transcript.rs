//! The transcript in docs/client.md: what needs neither a server nor a browser is run, and compared word for word.

use crate::support::command::Home;

const PAGE: &str = include_str!("../../../../docs/client.md");

/// A command, what it writes, and how it ends.
#[derive(Debug)]
struct Entry {
    arguments: Vec<&'static str>,
    output: String,
    code: i32,
}

/// The entries of the first block of the transcript.
fn entries() -> Vec<Entry> {
    let section = PAGE.split("\n### A transcript\n").nth(1).unwrap();
    let block = section.split("```console\n").nth(1).unwrap();
    let block = block.split("\n```").next().unwrap();
    let entry = |text: &'static str| {
        let (command, output) = text.split_once('\n').unwrap_or((text, ""));
        let mut words = command.split(' ');
        assert_eq!(words.next(), Some("mcp-oauth"));
        let output = output.trim();
        let (output, code) = match output.rsplit_once("(exit code ") {
            Some((output, code)) => (output.trim(), code.trim_end_matches(')').parse().unwrap()),
            None => (output, 0),
        };
        Entry {
            arguments: words.collect(),
            output: output.to_owned(),
            code,
        }
    };
    block.trim_start_matches("$ ").split("\n$ ").map(entry).collect()
}

#[tokio::test]
async fn what_needs_neither_a_server_nor_a_browser_is_as_the_page_shows_it() {
    let entries = entries();
    assert!(entries.len() >= 10, "{}", entries.len());
    for entry in entries {
        let ran = Home::without_browser().run(&entry.arguments).await;
        let output = format!("{}{}", ran.out, ran.err);
        assert_eq!(
            (output.trim(), ran.code),
            (entry.output.as_str(), entry.code),
            "{:?}",
            entry.arguments
        );
    }
}
