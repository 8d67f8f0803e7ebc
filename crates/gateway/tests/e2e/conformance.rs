//! The official MCP conformance suite, in its authorization-server mode, against the auth-server behind Traefik. Whatever
//! it does not pass must be in `tests/conformance/baseline.json`, and whatever is in there must still fail.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

use crate::support::{
    person::{OCTOCAT, Person},
    process::free_port,
    traefik::DOMAIN,
    world::{Layout, World},
};

pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// What the suite is known to complain about: `<scenario>:<check>`, for one version of the suite.
#[derive(Debug)]
struct Baseline {
    suite: String,
    known: BTreeSet<String>,
}

impl Baseline {
    /// The checked-in file. One that is not there, or that cannot be read, is no baseline at all.
    fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let known = value["known_failures"]
            .as_array()
            .ok_or("known_failures is missing")?;
        let known = known.iter().map(|entry| entry.as_str().map(str::to_owned));
        Ok(Self {
            suite: value["suite"].as_str().ok_or("suite is missing")?.to_owned(),
            known: known
                .collect::<Option<_>>()
                .ok_or("known_failures are not texts")?,
        })
    }

    /// Compares what was seen with what is known.
    fn judge(&self, run: &Run) -> Result<(), String> {
        if run.suite != self.suite {
            return Err(format!(
                "the baseline is for {}, the suite is {}",
                self.suite, run.suite
            ));
        }
        let unrun: Vec<_> = run.offered.difference(&run.scenarios()).cloned().collect();
        let failed: BTreeSet<_> = run.not_passed();
        let new: Vec<_> = failed.difference(&self.known).cloned().collect();
        let stale: Vec<_> = self.known.difference(&failed).cloned().collect();
        if unrun.is_empty() && new.is_empty() && stale.is_empty() {
            return Ok(());
        }
        Err(format!(
            "not run: {unrun:?}; failed: {new:?}; in the baseline, but not failing: {stale:?}"
        ))
    }
}

/// What one run of the suite brought.
struct Run {
    suite: String,
    /// The scenarios that the suite has for authorization servers.
    offered: BTreeSet<String>,
    /// Scenario, check, status.
    checks: Vec<(String, String, String)>,
    said: String,
}

impl Run {
    fn scenarios(&self) -> BTreeSet<String> {
        self.checks
            .iter()
            .map(|(scenario, ..)| scenario.clone())
            .collect()
    }

    /// A warning, and a check that the suite skipped, are not passed either.
    fn not_passed(&self) -> BTreeSet<String> {
        self.checks
            .iter()
            .filter(|(_, _, status)| status != "SUCCESS")
            .map(|(scenario, check, _)| format!("{scenario}:{check}"))
            .collect()
    }
}

/// The suite under the Node that is installed beside it.
pub(crate) fn suite(arguments: &[&str]) -> Command {
    let modules = directory().join("node_modules");
    let node = modules.join(".bin/node");
    assert!(
        node.exists(),
        "the conformance suite is not installed: run scripts/setup, or npm ci in crates/gateway/tests/conformance"
    );
    let loopback = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/loopback.cjs");
    let mut command = Command::new(node);
    command
        .arg("--require")
        .arg(loopback)
        .arg(modules.join("@modelcontextprotocol/conformance/dist/index.js"))
        .args(arguments)
        .env("TEST_DOMAIN", DOMAIN)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

pub(crate) async fn output(arguments: &[&str]) -> String {
    let output = suite(arguments).output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The scenarios of the authorization-server mode: `  - name [versions]`, a line each.
async fn offered() -> BTreeSet<String> {
    let text = output(&["list", "--authorization"]).await;
    let listed = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .filter_map(|line| line.split_whitespace().next());
    let names: BTreeSet<_> = listed.map(str::to_owned).collect();
    assert!(names.contains("authorization-code-grant"), "{text}");
    names
}

/// Runs the whole authorization-server mode, with octocat at the other end of the address that it prints.
async fn run(world: &World, client_id: &str, port: u16) -> Run {
    let results = world.directory.path().join("conformance");
    let issuer = world.issuer();
    let port = port.to_string();
    let mut child = suite(&[
        "authorization",
        "--url",
        &issuer,
        "--client-id",
        client_id,
        "--port",
        &port,
        "--output-dir",
        results.to_str().unwrap(),
    ])
    .env("NODE_EXTRA_CA_CERTS", &world.traefik.ca)
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(120), follow(&mut child, world)).await;
    let said = ended.unwrap_or_else(|_| panic!("the suite does not end:\n{}", world.logs()));
    Run {
        suite: output(&["--version"]).await.trim().to_owned(),
        offered: offered().await,
        checks: checks(&results, "authorization-server-"),
        said,
    }
}

/// Reads what the suite says, opens the address that it asks a person to open, and answers everything it said.
async fn follow(child: &mut Child, world: &World) -> String {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    let authorize = format!("{}/authorize?", world.issuer());
    while let Some(line) = lines.next_line().await.unwrap() {
        said.push_str(&line);
        said.push('\n');
        if line.starts_with(&authorize) {
            let target = Person::new(world.http(), &world.issuer())
                .walk(&line, OCTOCAT)
                .await;
            let arrived = world.http().get(target).send().await.unwrap();
            assert_eq!(arrived.status(), 200, "the suite's own callback");
        }
    }
    let mut errors = String::new();
    let stderr = child.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut errors).await.unwrap();
    child.wait().await.unwrap();
    said + &errors
}

/// `<results>/<prefix><scenario>-<time>/checks.json`: scenario, check, status.
pub(crate) fn checks(results: &Path, prefix: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(results).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let rest = name.strip_prefix(prefix).unwrap();
        let at = rest.len() - "-2026-11-21T16-34-31-778Z".len();
        let text = fs::read_to_string(entry.path().join("checks.json")).unwrap();
        let listed: Value = serde_json::from_str(&text).unwrap();
        for check in listed.as_array().unwrap() {
            let field = |name: &str| check[name].as_str().unwrap().to_owned();
            found.push((rest[..at].to_owned(), field("id"), field("status")));
        }
    }
    found
}

/// Runs the suite with a client, and holds what it says against the baseline.
async fn passes(world: &World, client_id: &str, port: u16) {
    let baseline = Baseline::read(&directory().join("baseline.json")).unwrap();
    let run = run(world, client_id, port).await;
    baseline
        .judge(&run)
        .unwrap_or_else(|error| panic!("{error}\n{}\n{}", run.said, world.logs()));
}

#[tokio::test]
async fn the_official_conformance_suite_passes() {
    let port = free_port();
    let world = World::start_where(Layout::Apart(1), |ground| {
        let text = format!(
            "[[client]]\nid = \"conformance\"\nname = \"MCP conformance\"\n\
             redirect_uris = [\"http://127.0.0.1:{port}/callback\"]\n"
        );
        fs::write(ground.directory.path().join("gateway.toml"), text).unwrap();
        // the suite names no resource
        vec![
            ("DEFAULT_RESOURCE", ground.mcp_url()),
            ("GATEWAY_CONFIG", "gateway.toml".to_owned()),
        ]
    })
    .await;
    passes(&world, "conformance", port).await;
}

#[tokio::test]
async fn the_official_conformance_suite_passes_with_a_client_that_registered() {
    let world = World::start_where(Layout::Apart(1), |ground| {
        vec![("DEFAULT_RESOURCE", ground.mcp_url())]
    })
    .await;
    let port = free_port();
    let metadata = json!({
        "client_name": "MCP conformance",
        "redirect_uris": [format!("http://127.0.0.1:{port}/callback")],
        "token_endpoint_auth_method": "none",
    });
    let request = world.http().post(format!("{}/register", world.issuer()));
    let registered: Value = request
        .json(&metadata)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    passes(&world, registered["client_id"].as_str().unwrap(), port).await;
}

mod baseline {
    use super::{BTreeSet, Baseline, Path, Run};

    fn known(entries: &[&str]) -> Baseline {
        Baseline {
            suite: "1".to_owned(),
            known: entries.iter().map(|&entry| entry.to_owned()).collect(),
        }
    }

    fn run(suite: &str, checks: &[(&str, &str)]) -> Run {
        let check = |(id, status): &(&str, &str)| ("flow".to_owned(), (*id).to_owned(), (*status).to_owned());
        Run {
            suite: suite.to_owned(),
            offered: BTreeSet::from(["flow".to_owned()]),
            checks: checks.iter().map(check).collect(),
            said: String::new(),
        }
    }

    #[test]
    fn a_failure_fails_unless_it_is_known() {
        let seen = run("1", &[("code", "SUCCESS"), ("iss", "FAILURE")]);
        assert!(known(&[]).judge(&seen).unwrap_err().contains("flow:iss"));
        known(&["flow:iss"]).judge(&seen).unwrap();
    }

    #[test]
    fn a_warning_and_a_skipped_check_are_not_passed() {
        for status in ["WARNING", "SKIPPED"] {
            assert!(known(&[]).judge(&run("1", &[("code", status)])).is_err());
        }
    }

    #[test]
    fn a_stale_entry_fails() {
        let seen = run("1", &[("code", "SUCCESS")]);
        known(&[]).judge(&seen).unwrap();
        assert!(known(&["flow:code"]).judge(&seen).is_err());
        assert!(known(&["flow:gone"]).judge(&seen).is_err());
    }

    #[test]
    fn a_scenario_that_was_not_run_fails() {
        assert!(known(&[]).judge(&run("1", &[])).is_err());
    }

    #[test]
    fn a_baseline_of_another_suite_fails() {
        assert!(known(&[]).judge(&run("2", &[("code", "SUCCESS")])).is_err());
    }

    #[test]
    fn a_missing_baseline_fails() {
        assert!(Baseline::read(Path::new("no-such-directory/baseline.json")).is_err());
    }
}
