//! The official MCP conformance suite's scenarios for servers, against the sample server: through Traefik and the gateway, where
//! bodies are not read and where they are, and past them. Nothing may fail on the way through that passes without; what the sample does not offer is in
//! `tests/conformance/server-baseline.json` with the reason, and must still fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Stdio,
    time::Duration,
};

use reqwest::Client;
use serde_json::Value;
use url::Url;

use crate::{
    conformance::{checks, directory, output, suite},
    support::{
        flow::Flow,
        person::OCTOCAT,
        relay::Relay,
        traefik::{Beside, DOMAIN, deploy},
        world::{Ground, Layout, World},
    },
};

/// What the suite is known to complain about in one revision: `<scenario>:<check>`, and why.
#[derive(Debug, Default)]
struct Baseline {
    suite: String,
    known: BTreeMap<String, String>,
}

impl Baseline {
    fn read(text: &str, revision: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let groups = value["revisions"][revision]
            .as_array()
            .ok_or("the revision is missing")?;
        let mut known = BTreeMap::new();
        for group in groups {
            let reason = group["reason"].as_str().unwrap_or_default();
            if reason.len() < 10 {
                return Err(format!("no reason: {group}"));
            }
            for check in group["checks"].as_array().ok_or("checks are missing")? {
                let check = check.as_str().ok_or("a check is no text")?.to_owned();
                if let Some(earlier) = known.insert(check.clone(), reason.to_owned()) {
                    return Err(format!("{check} is there twice, for {earlier:?} too"));
                }
            }
        }
        Ok(Self {
            suite: value["suite"].as_str().ok_or("suite is missing")?.to_owned(),
            known,
        })
    }
}

/// Each check that a run made, and whether it was passed every time. A warning, and a check that was skipped, are not passed.
#[derive(Debug, Default)]
struct Run {
    checks: BTreeMap<String, bool>,
    said: String,
}

impl Run {
    fn of(found: Vec<(String, String, String)>, said: String) -> Self {
        let mut checks = BTreeMap::new();
        for (scenario, check, status) in found {
            if status != "INFO" {
                *checks.entry(format!("{scenario}:{check}")).or_insert(true) &= status == "SUCCESS";
            }
        }
        Self { checks, said }
    }

    fn scenarios(&self) -> BTreeSet<&str> {
        self.checks
            .keys()
            .filter_map(|check| check.split(':').next())
            .collect()
    }

    fn failed(&self) -> BTreeSet<&String> {
        let failed = self.checks.iter().filter(|(_, passed)| !**passed);
        failed.map(|(check, _)| check).collect()
    }
}

/// Compares what was seen through the gateway with what was seen past it, and with what is known.
fn judge(offered: &BTreeSet<String>, direct: &Run, through: &Run, baseline: &Baseline) -> Result<(), String> {
    let unrun: Vec<_> = offered
        .iter()
        .filter(|name| {
            [direct, through]
                .iter()
                .any(|run| !run.scenarios().contains(name.as_str()))
        })
        .collect();
    let passed = |run: &Run, check: &String| run.checks.get(check) == Some(&true);
    let lost: Vec<_> = direct
        .checks
        .keys()
        .filter(|check| passed(direct, check) && !passed(through, check))
        .collect();
    let known: BTreeSet<_> = baseline.known.keys().collect();
    let failed = through.failed();
    let new: Vec<_> = failed.difference(&known).collect();
    let stale: Vec<_> = known.difference(&failed).collect();
    if unrun.is_empty() && lost.is_empty() && new.is_empty() && stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "not run: {unrun:?}\npassed without the gateway, and not with it: {lost:?}\nfailed: {new:?}\nin the baseline, but not \
         failing: {stale:?}\n{}\n{}",
        direct.said, through.said
    ))
}

/// The scenarios for servers that are for this revision: `  - name [revision,revision]`, a line each.
async fn offered(revision: &str) -> BTreeSet<String> {
    let text = output(&["list", "--server"]).await;
    let listed = text.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let listed = listed.filter_map(|line| line.split_once(" ["));
    let for_it = listed.filter(|(_, revisions)| {
        let mut revisions = revisions.trim_end_matches(']').split(',');
        revisions.any(|one| one == revision)
    });
    for_it.map(|(name, _)| name.to_owned()).collect()
}

/// Runs every scenario of a revision against the server at `url`.
async fn run(url: &str, revision: &str, results: &Path) -> Run {
    let mut command = suite(&["server", "--suite", "all", "--url", url]);
    command
        .args(["--spec-version", revision, "--output-dir"])
        .arg(results)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let ended = tokio::time::timeout(Duration::from_secs(120), command.output()).await;
    let output = ended
        .unwrap_or_else(|_| panic!("the suite does not end"))
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let summary = said.split("=== SUMMARY ===").nth(1).unwrap_or(&said);
    Run::of(checks(results, "server-"), format!("{url}\n{summary}"))
}

/// The sample has a second name, where the verifier reads each body.
const RULES: &str = "scopes = [\"read\", \"write\"]
default_scopes = [\"read\"]
rule = [{ tools = [\"test_*\"], scopes = [\"write\"] }]";

fn second_name() -> (&'static str, String) {
    let sample = fs::read_to_string(deploy().join("traefik/dynamic/echo.yml")).unwrap();
    let routers = sample.split("\n  services:").next().unwrap();
    let routers = routers.replace("echo", "everything");
    let routers = routers.replace("service: everything", "service: echo");
    (
        "everything.yml",
        routers.replace("[mcp-auth]", "[mcp-auth-body]") + "\n",
    )
}

/// Its two addresses: without rules, and with them.
fn addresses(https: u16) -> [String; 2] {
    ["echo", "everything"].map(|name| format!("https://{name}.{DOMAIN}:{https}/mcp"))
}

async fn world() -> World {
    let beside = Beside {
        exercises: true,
        routes: Some(second_name()),
        environment: Vec::new(),
    };
    let file = |ground: &Ground| {
        let [plain, ruled] = addresses(ground.ports.https);
        format!("[[resource]]\nuri = \"{plain}\"\n[[resource]]\nuri = \"{ruled}\"\n{RULES}\n")
    };
    World::beside(Layout::Apart(1), &beside, file).await
}

/// A way to the sample past everything, with what the gateway says of who is calling.
fn past(world: &World) -> Relay {
    let identity = [
        ("x-user-id", "583231"),
        ("x-user-name", "octocat"),
        ("x-auth-client", "suite"),
        ("x-auth-scope", "write"),
    ];
    let identity = identity.map(|(name, value)| (name, value.to_owned()));
    let http = Client::builder().no_proxy().build().unwrap();
    Relay::start(http, &world.backend_url(), identity.to_vec())
}

/// A way to the sample through Traefik and the gateway, with a token.
async fn through(world: &World, address: &str) -> Relay {
    let mut flow = Flow::register(world.http(), &world.issuer()).await;
    let token = flow.token_for(address, "write", OCTOCAT).await;
    let origin = Url::parse(address).unwrap().origin().ascii_serialization();
    let token = ("authorization", format!("Bearer {token}"));
    Relay::start(world.http(), &origin, vec![token])
}

/// Runs the suite each way, and holds it against the baseline.
async fn passes(revision: &str) {
    let world = world().await;
    let [plain, ruled] = addresses(world.ports.https);
    let ways = [
        past(&world),
        through(&world, &plain).await,
        through(&world, &ruled).await,
    ];
    let results = world.directory.path().join("conformance");
    let runs = ways
        .iter()
        .zip(["past", "plain", "ruled"])
        .map(async |(way, name)| {
            let url = way.at("/mcp");
            run(&url, revision, &results.join(name)).await
        });
    let runs = futures_util::future::join_all(runs).await;
    let [direct, plain, ruled] = &runs[..] else {
        panic!("there are three ways");
    };

    let text = fs::read_to_string(directory().join("server-baseline.json")).unwrap();
    let baseline = Baseline::read(&text, revision).unwrap();
    let version = output(&["--version"]).await;
    assert_eq!(
        baseline.suite,
        version.trim(),
        "the baseline is for another suite"
    );
    let offered = offered(revision).await;
    assert!(offered.len() > 30, "{offered:?}");
    for run in [plain, ruled] {
        let judged = judge(&offered, direct, run, &baseline);
        judged.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[tokio::test]
async fn as_many_scenarios_of_2025_11_25_pass_through_the_gateway_as_without_it() {
    passes("2025-11-25").await;
}

#[tokio::test]
async fn as_many_scenarios_of_2026_07_28_pass_through_the_gateway_as_without_it() {
    passes("2026-07-28").await;
}

mod verdicts {
    use super::{BTreeSet, Baseline, Run, judge};

    fn run(checks: &[(&str, &str)]) -> Run {
        let check =
            |(id, status): &(&str, &str)| ("tools".to_owned(), (*id).to_owned(), (*status).to_owned());
        Run::of(checks.iter().map(check).collect(), String::new())
    }

    fn verdict(direct: &[(&str, &str)], through: &[(&str, &str)], known: &[&str]) -> Result<(), String> {
        let baseline = Baseline {
            known: known
                .iter()
                .map(|check| ((*check).to_owned(), String::new()))
                .collect(),
            ..Baseline::default()
        };
        let offered = BTreeSet::from(["tools".to_owned()]);
        judge(&offered, &run(direct), &run(through), &baseline)
    }

    #[test]
    fn what_passes_only_without_the_gateway_fails_even_when_it_is_known() {
        let (good, bad) = ([("list", "SUCCESS")], [("list", "FAILURE")]);
        verdict(&good, &good, &[]).unwrap();
        verdict(&bad, &bad, &["tools:list"]).unwrap();
        verdict(&bad, &good, &[]).unwrap();
        for known in [&[][..], &["tools:list"]] {
            assert!(verdict(&good, &bad, known).is_err());
            assert!(verdict(&good, &[("list", "SKIPPED")], known).is_err());
            assert!(verdict(&good, &[("other", "SUCCESS")], known).is_err());
        }
    }

    #[test]
    fn a_new_failure_and_a_stale_entry_fail() {
        let good = [("list", "SUCCESS")];
        let bad = [("list", "SUCCESS"), ("list", "WARNING")];
        assert!(verdict(&bad, &bad, &[]).is_err());
        assert!(verdict(&good, &good, &["tools:list"]).is_err());
        assert!(verdict(&good, &good, &["tools:gone"]).is_err());
    }

    #[test]
    fn a_scenario_that_was_not_run_fails() {
        let good = [("list", "SUCCESS")];
        assert!(verdict(&good, &[], &[]).is_err());
        assert!(verdict(&[], &good, &[]).is_err());
        assert!(verdict(&good, &[("list", "INFO")], &[]).is_err());
    }

    #[test]
    fn a_baseline_without_a_reason_is_none() {
        let of = |reason: &str| {
            let text =
                format!(r#"{{"suite":"1","revisions":{{"1":[{{"reason":"{reason}","checks":["a:b"]}}]}}}}"#);
            Baseline::read(&text, "1")
        };
        assert_eq!(of("the sample has no prompts").unwrap().known.len(), 1);
        assert!(of("").is_err());
        assert!(Baseline::read(r#"{"suite":"1","revisions":{}}"#, "1").is_err());
    }
}
