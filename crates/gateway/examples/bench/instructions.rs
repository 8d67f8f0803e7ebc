//! Instructions per request of the hot path, counted by valgrind's callgrind in the executable as it is shipped: parsing,
//! routing, decision, log line and answer.
//!
//! Runs that differ only in how many requests they answer are subtracted: what remains is the requests. A count depends
//! on the compiler and on the processor's features, so what it was recorded with is recorded beside it. What a request takes
//! from the heap is counted in the same runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use mcp_gateway_model::key::Algorithm;
use mcp_gateway_store::testing::free_port;
use serde::{Deserialize, Serialize};

use crate::{
    Answer,
    arguments::Callgrind,
    client::{Line, count},
    cores::Cores,
    key::Key,
    machine,
    process::answers,
    progress::{note, now, result},
    requests,
    seed::{Kind, Pattern, Seed},
    stage::{Keeps, Stage, TOOLS},
};

/// How much a count may grow, in percent.
const ALLOWED: u64 = 10;
/// How many requests the short runs answer.
const FEW: usize = 100;
/// A start under valgrind takes a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// Functions of the C library that give memory.
const ALLOCATING: [&str; 6] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
];

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

/// What a run, or a request, took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    instructions: u64,
    allocations: u64,
}

/// Counts, and compares with what is recorded or records it.
///
/// # Errors
/// When valgrind is missing, or the file cannot be read or written.
pub(crate) async fn check(arguments: &Callgrind) -> Answer<ExitCode> {
    let common = &arguments.common;
    let cores = Cores::take()?;
    let stage = Stage::new(common, cores, Keeps::Nothing)?;
    let key = Key::generate(Algorithm::Rs256)?;
    let _auth = stage.gateway("auth-server", &key, 0)?;
    let seeds = Seed::of_client("mcp_client_bench", 1);
    let used = Pattern::of(Kind::Used).await?;
    used.write(&mut stage.database(0)?, &seeds)?;
    let token = key.token(&seeds[0])?;
    let tool = requests::verify_tool(&key.token_for(&seeds[0], TOOLS)?);
    let mut counted = BTreeMap::new();
    for (name, request, expected, times) in [
        (
            "verify, warm token",
            requests::verify("/verify", &token),
            200,
            20_000,
        ),
        ("verify, warm token, tool call", tool, 200, 10_000),
        (
            "verify, nonsense",
            requests::verify("/verify", "nonsense"),
            401,
            10_000,
        ),
    ] {
        let times = if common.quick { times / 20 } else { times };
        note(&format!("{name}: {times} requests"));
        // two starts differ by some instructions: of two, the one that took more is nearer to the start of the long run
        let few = run(&stage, &key, &request, (FEW, expected)).await?;
        let many = run(&stage, &key, &request, (FEW + times, expected)).await?;
        let again = run(&stage, &key, &request, (FEW, expected)).await?;
        counted.insert(name.to_owned(), each(&[few, again], many, u64::try_from(times)?));
    }
    if arguments.record {
        return record(&arguments.file, &counted);
    }
    compare(&arguments.file, &counted, common.json)
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

/// A verifier under valgrind, ended by a signal so that valgrind writes its count.
struct Counted(Child);

impl Counted {
    /// The number of the process: `taskset` and valgrind become the program.
    fn end(mut self) -> Answer<()> {
        let status = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status()?;
        if !status.success() {
            return Err("the verifier is gone".into());
        }
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What it takes a verifier that starts, answers so many requests with a status, and ends.
async fn run(stage: &Stage, key: &Key, request: &str, (times, expected): (usize, u16)) -> Answer<Counts> {
    let port = free_port();
    let start = stage.start("verifier", key, 0, port);
    let out = stage.directory.path().join("callgrind.out");
    let child = Command::new("taskset")
        .args(["--cpu-list", &stage.cores.server.to_string(), "valgrind"])
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(stage.executable())
        .args(&start.arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(start.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(stage.directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut counted = Counted(child);
    let began = now();
    while !answers(port, "/readyz") {
        if counted.0.try_wait()?.is_some() || began.elapsed() > PATIENCE {
            return Err("the verifier does not start under valgrind (Debian package valgrind)".into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let mut line = Line::open(port).await?;
    for _ in 0..times {
        let status = line.ask(request.as_bytes()).await?;
        if status != expected {
            return Err(format!("{status} was answered where {expected} was expected").into());
        }
    }
    drop(line);
    counted.end()?;
    read(&fs::read_to_string(&out)?)
}

/// Reads the file that callgrind writes.
fn read(text: &str) -> Answer<Counts> {
    let total = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("summary:")
                .or_else(|| line.strip_prefix("totals:"))
        })
        .and_then(|line| line.split_whitespace().next());
    Ok(Counts {
        instructions: total.ok_or("valgrind wrote no count")?.parse()?,
        allocations: allocations(text),
    })
}

/// How often the C library was asked for memory. A function has a number, which stands for its name wherever it comes again.
fn allocations(text: &str) -> u64 {
    let mut asked = BTreeSet::new();
    let mut called = None;
    let mut times = 0;
    for line in text.lines() {
        let function = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn="));
        if let Some(function) = function {
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            if ALLOCATING.contains(&name) {
                asked.insert(number);
            }
            called = line.starts_with("cfn=").then_some(number);
        } else if let Some(calls) = line.strip_prefix("calls=")
            && called.is_some_and(|number| asked.contains(number))
        {
            let number = calls.split(' ').next().and_then(|number| number.parse().ok());
            times += number.unwrap_or(0);
        }
    }
    times
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

    #[test]
    fn calls_of_the_heap_are_counted_by_number_and_by_name() {
        let text = "fn=(1) main\n3 20\ncfn=(2) malloc\ncalls=4 9\n3 100\ncfn=(3) free\ncalls=40 9\n3 100\n\n\
                    fn=(2)\n9 5\ncfn=(4) _int_malloc\ncalls=4 2\n9 7\n\nfn=(5) later\ncfn=(2)\ncalls=3 9\n7 1\n\
                    cfn=(6) realloc\ncalls=2 1\n7 1\ntotals: 12345\n";
        let counts = read(text).unwrap();
        assert_eq!((counts.instructions, counts.allocations), (12345, 9));
        assert!(read("fn=(1) main\n").is_err());
    }
}
