//! Instructions per request of the hot path, counted by valgrind's callgrind in the executable as it is shipped: parsing,
//! routing, decision, log line and answer.
//!
//! Two runs that differ only in how many requests they answer are subtracted: what remains is the requests. A count depends
//! on the compiler and on the processor's features, so what it was recorded with is recorded beside it.

use std::{
    collections::BTreeMap,
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
/// A start under valgrind takes a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is kept of a count.
#[derive(Serialize, Deserialize)]
struct Recorded {
    compiler: String,
    machine: String,
    /// Instructions per request.
    instructions: BTreeMap<String, u64>,
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
    let requests_each = if common.quick { 200 } else { 1000 };
    let mut counted = BTreeMap::new();
    for (name, request, expected) in [
        ("verify, warm token", requests::verify("/verify", &token), 200),
        ("verify, warm token, tool call", tool, 200),
        ("verify, nonsense", requests::verify("/verify", "nonsense"), 401),
    ] {
        note(&format!("{name}: {requests_each} requests, twice"));
        let few = run(&stage, &key, &request, (100, expected)).await?;
        let many = run(&stage, &key, &request, (100 + requests_each, expected)).await?;
        let each = many.saturating_sub(few) / u64::try_from(requests_each)?;
        counted.insert(name.to_owned(), each);
    }
    if arguments.record {
        return record(&arguments.file, counted);
    }
    compare(&arguments.file, &counted, common.json)
}

fn record(file: &Path, instructions: BTreeMap<String, u64>) -> Answer<ExitCode> {
    let model = fs::read_to_string("/proc/cpuinfo")?;
    let model = model.lines().find_map(|line| line.strip_prefix("model name"));
    let recorded = Recorded {
        compiler: machine::said("rustc", &["--version"]),
        machine: model
            .unwrap_or_default()
            .trim_matches([' ', '\t', ':'])
            .to_owned(),
        instructions,
    };
    fs::write(file, serde_json::to_string_pretty(&recorded)? + "\n")?;
    note(&format!("recorded in {}", file.display()));
    Ok(ExitCode::SUCCESS)
}

fn compare(file: &Path, counted: &BTreeMap<String, u64>, json: bool) -> Answer<ExitCode> {
    let text = fs::read_to_string(file)
        .map_err(|fault| format!("{}: {fault}; --record writes it", file.display()))?;
    let recorded: Recorded = serde_json::from_str(&text)?;
    let mut grown = false;
    for (name, now) in counted {
        let before = *recorded
            .instructions
            .get(name)
            .ok_or_else(|| format!("{} has no {name}; --record writes it", file.display()))?;
        let percent = (count(usize::try_from(*now)?) / count(usize::try_from(before)?) - 1.0) * 100.0;
        let more = *now * 100 > before * (100 + ALLOWED);
        grown |= more;
        if json {
            let line = serde_json::json!({ "name": name, "recorded": before, "now": now, "grown": more });
            result(&line.to_string());
        } else {
            let verdict = if more { "GROWN" } else { "ok" };
            result(&format!(
                "{name}: {before} recorded, {now} now, {percent:+.1} %: {verdict}"
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

/// The instructions of a verifier that starts, answers so many requests with a status, and ends.
async fn run(stage: &Stage, key: &Key, request: &str, (times, expected): (usize, u16)) -> Answer<u64> {
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
    let text = fs::read_to_string(&out)?;
    let total = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("summary:")
                .or_else(|| line.strip_prefix("totals:"))
        })
        .and_then(|line| line.split_whitespace().next());
    Ok(total.ok_or("valgrind wrote no count")?.parse()?)
}
