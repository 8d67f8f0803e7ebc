//! The official MCP conformance suite's scenarios for clients, run by `mcp-oauth conformance`: each in every revision that it
//! is for, and no failure is known beforehand.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::{process::Command, sync::Semaphore, task::JoinSet};

/// How many scenarios run at once: each is a Node of its own.
const AT_ONCE: usize = 4;

fn installed() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/conformance/node_modules");
    assert!(
        beside.join(".bin/node").exists(),
        "the conformance suite is not installed: run scripts/setup, or npm ci in crates/gateway/tests/conformance"
    );
    beside
}

fn suite() -> Command {
    let modules = installed();
    let mut command = Command::new(modules.join(".bin/node"));
    command
        .arg(modules.join("@modelcontextprotocol/conformance/dist/index.js"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A scenario, and the revision that it is run in; none for an extension's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Scenario {
    name: String,
    revision: Option<String>,
}

/// The scenarios about authorization: `  - auth/name [revision,revision]` or `[extension]`, a line each.
async fn offered() -> BTreeSet<Scenario> {
    let output = suite().args(["list", "--client"]).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let listed = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- auth/"));
    let scenarios = listed.flat_map(|line| {
        let (name, revisions) = line.split_once(" [").unwrap();
        let name = format!("auth/{name}");
        let revisions = revisions.trim_end_matches(']').split(',');
        revisions
            .map(|revision| Scenario {
                name: name.clone(),
                revision: (revision != "extension").then(|| revision.to_owned()),
            })
            .collect::<Vec<_>>()
    });
    scenarios.collect()
}

/// What a scenario has to say against the client; nothing if it passed.
async fn run(scenario: &Scenario, results: &Path) -> Result<(), String> {
    let client = format!("{} conformance", env!("CARGO_BIN_EXE_mcp-oauth"));
    let mut command = suite();
    command
        .args(["client", "--command", &client, "--scenario", &scenario.name])
        .arg("--output-dir")
        .arg(results);
    if let Some(revision) = &scenario.revision {
        command.args(["--spec-version", revision]);
    }
    let ended = tokio::time::timeout(Duration::from_secs(60), command.output()).await;
    let output = ended.map_err(|_| "it does not end".to_owned())?.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(said.into_owned());
    }
    judge(&checks(results), &said)
}

/// Every check has to be passed; what only informs, or what the suite heard and said, is none. A scenario without a passed
/// check was not run.
fn judge(checks: &[Value], said: &str) -> Result<(), String> {
    let bad = |check: &&Value| check["status"] != "SUCCESS" && check["status"] != "INFO";
    if let Some(check) = checks.iter().find(bad) {
        return Err(format!("{check}\n{said}"));
    }
    let passed = checks.iter().any(|check| check["status"] == "SUCCESS");
    passed
        .then_some(())
        .ok_or_else(|| format!("nothing was checked\n{said}"))
}

/// `<results>/<scenario>-<time>/checks.json`; a scenario's name has a slash in it.
fn checks(results: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    let mut open = vec![results.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.ends_with("checks.json") {
                let listed: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
                found.extend(listed);
            }
        }
    }
    found
}

#[tokio::test]
async fn every_scenario_for_clients_passes_in_every_revision() {
    let offered = offered().await;
    let names: BTreeSet<_> = offered.iter().map(|scenario| scenario.name.as_str()).collect();
    assert!(names.len() >= 33, "{names:?}");
    let directory = tempfile::tempdir().unwrap();
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (n, scenario) in offered.iter().cloned().enumerate() {
        let results = directory.path().join(n.to_string());
        let permits = Arc::clone(&permits);
        running.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            run(&scenario, &results)
                .await
                .map_err(|text| format!("{scenario:?}: {text}"))
        });
    }
    let failed: Vec<_> = running
        .join_all()
        .await
        .into_iter()
        .filter_map(Result::err)
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} failed:\n{}",
        failed.len(),
        offered.len(),
        failed.join("\n")
    );
}

mod verdicts {
    use serde_json::json;

    use super::judge;

    #[test]
    fn a_warning_a_skipped_check_and_no_check_at_all_are_not_passed() {
        let passed = json!({"id": "a", "status": "SUCCESS"});
        assert!(judge(std::slice::from_ref(&passed), "").is_ok());
        for status in ["FAILURE", "WARNING", "SKIPPED"] {
            let other = json!({"id": "b", "status": status});
            assert!(judge(&[passed.clone(), other], "").is_err(), "{status}");
        }
        assert!(judge(&[], "").is_err());
        assert!(judge(&[json!({"id": "c", "status": "INFO"})], "").is_err());
    }
}
