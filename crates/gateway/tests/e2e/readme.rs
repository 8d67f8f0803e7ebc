//! `README.md` against what `dev` does, and `README.zh-CN.md` against `README.md`.

use std::{collections::BTreeSet, time::Duration};

use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::support::dev::Dev;

const ENGLISH: &str = include_str!("../../../../README.md");
const CHINESE: &str = include_str!("../../../../README.zh-CN.md");

/// The port of `dev` where none is given, as the README has it.
const PORT: &str = "localhost:8000";

/// The pieces of code that a Markdown text shows: the language, and the lines.
fn code(text: &str) -> Vec<(&str, &str)> {
    let pieces = text.split("```").skip(1).step_by(2);
    pieces.map(|piece| piece.split_once('\n').unwrap()).collect()
}

/// A Markdown text without its code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The text of a section.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let section = text.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    section.split("\n## ").next().unwrap()
}

/// The snippets of the section about clients: whom each is for, in which language, and its lines.
fn snippets() -> Vec<(&'static str, &'static str, &'static str)> {
    let section = section(ENGLISH, "Connect a client");
    let mut found = Vec::new();
    let mut before = section;
    while let Some((text, rest)) = before.split_once("```") {
        let (piece, after) = rest.split_once("```").unwrap();
        let (language, lines) = piece.split_once('\n').unwrap();
        let client = text.rsplit("\n**").next().unwrap().split("**").next().unwrap();
        found.push((client, language, lines));
        before = after;
    }
    found
}

/// The addresses of this machine in a text.
fn addresses(text: &str) -> BTreeSet<&str> {
    let ends = |character: char| character.is_whitespace() || "\"`)".contains(character);
    let starts = text.match_indices("http://").map(|(start, _)| &text[start..]);
    starts.map(|rest| rest.split(ends).next().unwrap()).collect()
}

/// The address in a client's configuration, and what that client calls the kind of server.
fn server(configuration: &str, member: &str) -> (String, Option<String>) {
    let json: Value = serde_json::from_str(configuration).unwrap();
    let servers = json[member].as_object().unwrap();
    assert_eq!(servers.len(), 1, "{configuration}");
    let server = servers.values().next().unwrap();
    let kind = server["type"].as_str().map(str::to_owned);
    (server["url"].as_str().unwrap().to_owned(), kind)
}

#[tokio::test]
async fn the_addresses_in_the_snippets_are_those_that_dev_listens_on() {
    let dev = Dev::start().await;
    let here = format!("localhost:{}", dev.port);
    let printed = dev.mcp_url().replace(&here, PORT);
    assert_eq!(addresses(ENGLISH), BTreeSet::from([printed.as_str()]));
    assert_eq!(addresses(CHINESE), BTreeSet::from([printed.as_str()]));

    let asked = printed.replace(PORT, &here);
    let http = Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build();
    let refused = http.unwrap().post(asked).body("{}").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("resource_metadata="), "{challenge}");

    let line = format!("claude mcp add --transport http gateway-sample {printed}");
    assert!(code(ENGLISH).contains(&("sh", &format!("{line}\n"))));
    assert!(
        dev.output().contains(&line.replace(PORT, &here)),
        "{}",
        dev.output()
    );
}

#[test]
fn every_client_has_a_snippet_in_its_own_format() {
    let snippets = snippets();
    let clients: Vec<_> = snippets.iter().map(|(client, ..)| *client).collect();
    assert_eq!(
        clients,
        [
            "Claude Code",
            "Cursor",
            "VS Code",
            "Amazon Q CLI",
            "MCP Inspector"
        ]
    );
    for (client, language, lines) in snippets {
        let (member, kind) = match client {
            "Cursor" => ("mcpServers", None),
            "VS Code" => ("servers", Some("http")),
            "MCP Inspector" => {
                assert_eq!(language, "sh");
                let url = addresses(lines).into_iter().next().unwrap();
                let command =
                    format!("npx @modelcontextprotocol/inspector --server-url {url} --transport http\n");
                assert_eq!(lines, command);
                continue;
            }
            _ => ("mcpServers", Some("http")),
        };
        assert_eq!(language, "json", "{client}");
        let (url, named) = server(lines, member);
        assert!(url.ends_with("/mcp"), "{client}");
        assert_eq!(named.as_deref(), kind, "{client}");
    }
}

/// The levels of the headings, in their order.
fn headings(text: &str) -> Vec<usize> {
    let prose = prose(text);
    let lines = prose.lines().filter(|line| line.starts_with('#'));
    lines
        .map(|line| line.chars().take_while(|c| *c == '#').count())
        .collect()
}

/// Where a text leads to, the other language aside.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap());
    let others = targets.filter(|target| !target.starts_with("README"));
    others.map(str::to_owned).collect()
}

/// What both texts have in backticks outside of blocks.
fn words(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// How many lines of a text begin like this.
fn count(text: &str, is_one: impl Fn(&str) -> bool) -> usize {
    prose(text).lines().filter(|line| is_one(line)).count()
}

#[test]
fn the_chinese_readme_has_the_same_commands_headings_and_links() {
    assert_eq!(code(CHINESE), code(ENGLISH));
    assert_eq!(headings(CHINESE), headings(ENGLISH));
    assert_eq!(links(CHINESE), links(ENGLISH));
    assert_eq!(words(CHINESE), words(ENGLISH));
    for is_one in [
        |line: &str| line.starts_with('|'),
        |line: &str| line.starts_with(|c: char| c.is_ascii_digit()) && line[1..].starts_with(". "),
        |line: &str| line.starts_with("**"),
    ] {
        assert_eq!(count(CHINESE, is_one), count(ENGLISH, is_one));
    }
}

#[test]
fn each_readme_leads_to_the_other_at_its_top() {
    for (text, other) in [(ENGLISH, "(README.zh-CN.md)"), (CHINESE, "(README.md)")] {
        let top: Vec<_> = text.lines().take(3).collect();
        assert!(top.concat().contains(other), "{top:?}");
    }
}
