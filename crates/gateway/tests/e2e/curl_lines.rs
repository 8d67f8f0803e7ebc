//! The tables of `docs/guides/curl.md`, line by line: curl runs each as it is written, and is answered as its row says.

mod answer;
mod table;

use std::{collections::BTreeMap, fs, path::Path, process::Stdio};

use tokio::process::Command;

use crate::{
    memory_service::{
        self,
        service::{Memory, gateway_with},
    },
    support::{
        dev::Dev,
        flow::Flow,
        person::OCTOCAT,
        process::free_port,
        traefik::DOMAIN,
        world::{Ground, Layout, Settings, World},
    },
};
use answer::{Answer, Expected};
use table::{Table, settings};

/// Where a line is run: what stands for the addresses in it, and what earlier lines were answered.
struct Shell<'a> {
    directory: &'a Path,
    addresses: Vec<(&'static str, String)>,
    variables: BTreeMap<&'static str, String>,
}

/// What a line leaves to whoever runs it, and the member of an earlier answer that it is.
const PLACEHOLDERS: [(&str, &str); 3] = [
    ("YOUR_CLIENT_ID", "client_id"),
    ("YOUR_CLIENT_SECRET", "client_secret"),
    ("YOUR_ACCESS_TOKEN", "access_token"),
];

/// The text with each of `pairs` put in place, in one pass: what was put in is not looked at again (port 50012 begins like 5001).
fn replaced(text: &str, pairs: &[(&str, String)]) -> String {
    let (mut whole, mut rest) = (String::new(), text);
    let first = |rest: &str| {
        let places = pairs
            .iter()
            .filter_map(|(from, to)| Some((rest.find(from)?, from.len(), to.clone())));
        places.min_by_key(|(place, ..)| *place)
    };
    while let Some((place, length, to)) = first(rest) {
        whole += &rest[..place];
        whole += &to;
        rest = &rest[place + length..];
    }
    whole + rest
}

#[test]
fn a_port_that_begins_like_another_is_not_torn() {
    let pairs = [("5000", "50012".to_owned()), ("5001", "41000".to_owned())];
    assert_eq!(replaced("5000 and 5001, 5000", &pairs), "50012 and 41000, 50012");
}

impl<'a> Shell<'a> {
    /// Finds every host on this machine, at the port in its address, and trusts `authority`.
    fn new(directory: &'a Path, authority: Option<&Path>, addresses: Vec<(&'static str, String)>) -> Self {
        let mut options = vec![
            "silent".to_owned(),
            "include".to_owned(),
            "max-time = 20".to_owned(),
            "noproxy = \"*\"".to_owned(),
            "connect-to = \"::127.0.0.1:\"".to_owned(),
        ];
        options.extend(authority.map(|file| format!("cacert = \"{}\"", file.display())));
        fs::write(directory.join(".curlrc"), options.join("\n")).unwrap();
        Self {
            directory,
            addresses,
            variables: BTreeMap::new(),
        }
    }

    /// The line with addresses and answers filled in.
    fn filled_in(&self, line: &str) -> String {
        let mut line = replaced(line, &self.addresses);
        for (placeholder, member) in PLACEHOLDERS {
            if let Some(value) = self.variables.get(member) {
                line = line.replace(placeholder, value);
            }
        }
        line
    }

    /// Runs a line, and keeps of the answer what later lines need.
    async fn run(&mut self, line: &str) -> Answer {
        let line = self.filled_in(line);
        assert!(
            !line.contains("YOUR_"),
            "no earlier line was answered with it: {line}"
        );
        let output = Command::new("/bin/sh")
            .args(["-c", &line])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("CURL_HOME", self.directory)
            .envs(&self.variables)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {} {errors}", output.status);
        let answer = Answer::parse(&String::from_utf8(output.stdout).unwrap());
        for (_, member) in PLACEHOLDERS {
            if let Some(value) = answer.body[member].as_str() {
                self.variables.insert(member, value.to_owned());
            }
        }
        answer
    }

    /// Runs every line of a table, and compares the answers with one of its columns.
    async fn check(&mut self, table: &Table, column: &str) {
        for row in &table.rows {
            let answer = self.run(&row.line).await;
            let cell = self.filled_in(row.cell(column));
            if let Err(difference) = Expected::parse(&cell).compare(&answer) {
                panic!("{column}: {}\n{difference}\n{answer:?}", row.line);
            }
        }
    }
}

#[tokio::test]
async fn every_line_of_the_demo_is_answered_as_the_page_says_where_the_server_protects_itself() {
    let [issuer, server] = [free_port(), free_port()];
    let ports = [("5000", issuer.to_string()), ("5001", server.to_string())];
    let mapped = |text: &str| replaced(text, &ports);
    let settings: Vec<_> = settings("The demo", 0)
        .into_iter()
        .map(|(name, value)| (name, mapped(value)))
        .collect();
    let dev = Dev::with(&settings, issuer).await;
    let here = |port: u16| format!("http://127.0.0.1:{port}");
    let addresses = vec![
        ("http://127.0.0.1:5000", here(issuer)),
        ("http://127.0.0.1:5001", here(server)),
    ];
    let table = Table::read("The demo");
    assert_eq!(table.rows.len(), 9);
    let mut shell = Shell::new(dev.directory.path(), None, addresses);
    shell.check(&table, "protects itself").await;
}

#[tokio::test]
async fn every_line_of_the_demo_is_answered_as_the_page_says_behind_forward_auth() {
    let own = |ground: &Ground| -> Settings {
        let domain = format!("{DOMAIN}:{}", ground.ports.https);
        let lines = settings("The demo", 1).into_iter();
        lines
            .map(|(name, value)| (name, value.replace("example.com", &domain)))
            .collect()
    };
    let world = World::start_where(Layout::Apart(1), own).await;
    let addresses = vec![
        ("http://127.0.0.1:5000", world.issuer()),
        (
            "http://127.0.0.1:5001",
            world.mcp_url().trim_end_matches("/mcp").to_owned(),
        ),
    ];
    let mut shell = Shell::new(world.directory.path(), Some(&world.traefik.ca), addresses);
    shell.check(&Table::read("The demo"), "behind ForwardAuth").await;
}

#[tokio::test]
async fn every_line_of_the_memory_service_is_answered_as_the_page_says() {
    const SECTION: &str = "MCP Memory Service";
    let key = "the-key-of-programs-that-are-older-than-this";
    let memory = Memory::start().await;
    let mut settings = settings(SECTION, 0);
    settings.push(("MCP_API_KEY", key));
    let world = gateway_with(&memory, &settings).await;
    let url = memory_service::url(&world);
    let mut flow = Flow::register(world.http(), &world.issuer()).await;
    let token = flow.token_for(&url, "read", OCTOCAT).await;
    let addresses = vec![
        ("https://auth.example.com", world.issuer()),
        ("https://memory.example.com", url),
    ];
    let table = Table::read(SECTION);
    assert_eq!(table.rows.len(), 6);
    let mut shell = Shell::new(world.directory.path(), Some(&world.traefik.ca), addresses);
    shell
        .variables
        .extend([("ACCESS_TOKEN", token), ("MCP_API_KEY", key.to_owned())]);
    shell.check(&table, "answer").await;
}
