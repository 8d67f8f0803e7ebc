//! Instructions per request of the hot path, and of the endpoints that clients ask, counted by valgrind's callgrind in the
//! executable as it is shipped: parsing, routing, decision, log lines, the way to Redis, and the answer.
//!
//! Runs that differ only in how many requests they answer are subtracted: what remains is the requests. A count depends
//! on the compiler and on the processor's features, so what it was recorded with is recorded beside it. What a request takes
//! from the heap is counted in the same runs.

use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};

use mcp_gateway_model::key::Algorithm;
use serde::{Deserialize, Serialize};

use crate::{
    Answer,
    arguments::Callgrind,
    callgrind::{Counts, Feed, Subject, run},
    client::count,
    cores::Cores,
    key::Key,
    machine,
    progress::{note, result},
    requests::{self, Registered},
    seed::{Kind, Pattern, Seed},
    stage::{Keeps, Stage, TOOLS},
};

/// How much a count may grow, in percent.
const ALLOWED: u64 = 10;
/// How many requests the short runs answer.
const FEW: usize = 100;

/// What is kept of a count.
#[derive(Serialize, Deserialize)]
struct Recorded {
    compiler: String,
    machine: String,
    /// Instructions per request.
    instructions: BTreeMap<String, u64>,
    /// Hundredths of an allocation per request: told, not judged.
    #[serde(default)]
    allocations: BTreeMap<String, u64>,
}

/// Counts, and compares with what is recorded or records it.
///
/// # Errors
/// When valgrind is missing, or the file cannot be read or written.
pub(crate) async fn check(arguments: &Callgrind) -> Answer<ExitCode> {
    let common = &arguments.common;
    let cores = Cores::take()?;
    let stage = Stage::new(common, cores, Keeps::Nothing)?;
    let (rs256, eddsa) = (Key::generate(Algorithm::Rs256)?, Key::generate(Algorithm::EdDsa)?);
    let verifying = stage.gateway("auth-server", &rs256, 0)?;
    let issuing = stage.gateway("auth-server", &eddsa, 1)?;
    let asker = Registered::at(verifying.port, "client_secret_post").await?;
    let client = Registered::at(issuing.port, "none").await?;
    let seeds = Seed::of_client(&asker.id, 1);
    let used = Pattern::of(Kind::Used).await?;
    used.write(&mut stage.database(0)?, &seeds)?;
    let token = rs256.token(&seeds[0])?;
    let tool = requests::verify_tool(&rs256.token_for(&seeds[0], TOOLS)?);
    let introspect = requests::introspect(&token, &asker);
    let fresh = Pattern::of(Kind::Fresh).await?;
    let same = |role, request, expected| Subject {
        role,
        key: &rs256,
        database: 0,
        feed: Feed::Same(request),
        expected,
    };
    let issue = |feed, expected| Subject {
        role: "auth-server",
        key: &eddsa,
        database: 1,
        feed,
        expected,
    };
    let verify = |text, expected| same("verifier", requests::verify("/verify", text), expected);
    let subjects = [
        ("verify, warm token", verify(&token, 200), 20_000),
        (
            "verify, warm token, tool call",
            same("verifier", tool, 200),
            10_000,
        ),
        ("verify, nonsense", verify("nonsense", 401), 10_000),
        ("introspect", same("auth-server", introspect, 200), 1000),
        (
            "register",
            issue(Feed::Same(requests::register("none")), 201),
            1000,
        ),
        ("token, EdDSA", issue(Feed::Codes(&fresh, &client), 200), 1000),
    ];
    let counted = count_each(&stage, &subjects, common.quick).await?;
    if arguments.record {
        return record(&arguments.file, &counted);
    }
    compare(&arguments.file, &counted, common.json)
}

async fn count_each(
    stage: &Stage,
    subjects: &[(&str, Subject<'_>, usize)],
    quick: bool,
) -> Answer<BTreeMap<String, Counts>> {
    let mut counted = BTreeMap::new();
    for (name, subject, times) in subjects {
        let times = if quick { times / 20 } else { *times };
        note(&format!("{name}: {times} requests"));
        // two starts differ by some instructions: of two, the one that took more is nearer to the start of the long run
        let few = run(stage, subject, FEW).await?;
        let many = run(stage, subject, FEW + times).await?;
        let again = run(stage, subject, FEW).await?;
        counted.insert(
            (*name).to_owned(),
            each(&[few, again], many, u64::try_from(times)?),
        );
    }
    Ok(counted)
}

/// What one request took, from short runs and one with so many more requests: the smaller difference, which has less of what
/// starts differ by.
fn each(few: &[Counts], many: Counts, times: u64) -> Counts {
    let of = |what: fn(&Counts) -> u64, scale: u64| {
        let least = few.iter().map(what).max().unwrap_or_default();
        what(&many).saturating_sub(least) * scale / times.max(1)
    };
    Counts {
        instructions: of(|counts| counts.instructions, 1),
        allocations: of(|counts| counts.allocations, 100),
    }
}

/// Whether a count grew by more than is allowed.
const fn has_grown(before: u64, now: u64) -> bool {
    now * 100 > before * (100 + ALLOWED)
}

fn record(file: &Path, counted: &BTreeMap<String, Counts>) -> Answer<ExitCode> {
    let all = |of: fn(&Counts) -> u64| {
        let each = counted.iter().map(|(name, counts)| (name.clone(), of(counts)));
        each.collect()
    };
    let model = fs::read_to_string("/proc/cpuinfo")?;
    let model = model.lines().find_map(|line| line.strip_prefix("model name"));
    let recorded = Recorded {
        compiler: machine::said("rustc", &["--version"]),
        machine: model
            .unwrap_or_default()
            .trim_matches([' ', '\t', ':'])
            .to_owned(),
        instructions: all(|counts| counts.instructions),
        allocations: all(|counts| counts.allocations),
    };
    fs::write(file, serde_json::to_string_pretty(&recorded)? + "\n")?;
    note(&format!("recorded in {}", file.display()));
    Ok(ExitCode::SUCCESS)
}

fn compare(file: &Path, counted: &BTreeMap<String, Counts>, json: bool) -> Answer<ExitCode> {
    let text = fs::read_to_string(file)
        .map_err(|fault| format!("{}: {fault}; --record writes it", file.display()))?;
    let recorded: Recorded = serde_json::from_str(&text)?;
    let mut grown = false;
    for (name, counts) in counted {
        let now = counts.instructions;
        let before = *recorded
            .instructions
            .get(name)
            .ok_or_else(|| format!("{} has no {name}; --record writes it", file.display()))?;
        let percent = (count(usize::try_from(now)?) / count(usize::try_from(before)?) - 1.0) * 100.0;
        let more = has_grown(before, now);
        let allocations = count(usize::try_from(counts.allocations)?) / 100.0;
        grown |= more;
        if json {
            let line = serde_json::json!({ "name": name, "recorded": before, "now": now, "grown": more, "allocations": allocations });
            result(&line.to_string());
        } else {
            let verdict = if more { "GROWN" } else { "ok" };
            result(&format!(
                "{name}: {before} recorded, {now} now, {percent:+.1} %: {verdict}; {allocations:.2} allocations"
            ));
        }
    }
    if grown {
        note(&format!(
            "the hot path costs more than {ALLOWED} % more instructions than recorded with {}; if that is meant, record it: \
             just callgrind --record",
            recorded.compiler
        ));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grew_by_more_than_a_tenth_has_grown() {
        assert!(!has_grown(10_000, 9000));
        assert!(!has_grown(10_000, 10_000));
        assert!(!has_grown(10_000, 11_000));
        assert!(has_grown(10_000, 11_001));
    }

    #[test]
    fn a_request_is_what_a_longer_run_took_more() {
        let counts = |instructions, allocations| Counts {
            instructions,
            allocations,
        };
        let few = [counts(1_000_000, 300), counts(1_010_000, 290)];
        assert_eq!(each(&few, counts(1_080_000, 325), 10), counts(7000, 250));
    }
}
