//! What the gateway weighs: the file, the memory at rest and for each cached token, the time to the first answer.

use std::{path::Path, thread, time::Duration};

use mcp_gateway_model::key::Algorithm;
use mcp_gateway_store::testing::free_port;

use super::Bench;
use crate::{
    Answer,
    arguments::Common,
    client::{self, count},
    key::Key,
    process::{Process, answers},
    progress::{millis, note, now},
    report::Goal,
    requests,
    samples::Figure,
    seed::{Kind, Pattern, Seed},
    stage::{Keeps, Stage},
};

/// How long to wait between two looks at a server that starts.
const PAUSE: Duration = Duration::from_micros(200);
/// What a cached token takes at least: its key and the headers of its answer. Less is the allocator's noise.
const LEAST: f64 = 200.0;
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures the part.
///
/// # Errors
/// When something does not start, or answers otherwise than it must.
pub(super) async fn measure(bench: &mut Bench, shipped: Option<&Path>) -> Answer<()> {
    let Some(shipped) = shipped else {
        note("  left out: --shipped was not given");
        return Ok(());
    };
    let common = Common {
        gateway: shipped.to_owned(),
        ..bench.common.clone()
    };
    let stage = Stage::new(&common, bench.cores, Keeps::Everything)?;
    note("  starts");
    let key = Key::generate(Algorithm::EdDsa)?;
    // the first start writes to the store what later ones find there
    start(&stage, "serve", &key)?;
    for role in ["serve", "verifier"] {
        let starts: Vec<_> = (0..bench.scaled(9, 3))
            .map(|_| start(&stage, role, &key))
            .collect::<Result<_, _>>()?;
        let (times, memory): (Vec<_>, Vec<_>) = starts.into_iter().unzip();
        let nothing = || "nothing was measured".to_owned();
        let report = &mut bench.report;
        report.line(
            format!("start of {role} to first answer that it is ready, Redis up"),
            "ms",
            Goal::AtMost(10.0),
            Figure::of(&times).ok_or_else(nothing),
        );
        report.line(
            format!("memory of {role} at rest"),
            "MB",
            Goal::AtMost(10.0),
            Figure::of(&memory).ok_or_else(nothing),
        );
    }
    let report = &mut bench.report;
    let size = Figure::once(megabytes(stage.size()?));
    report.line(
        "executable, stripped, without sandbox",
        "MB",
        Goal::AtMost(12.0),
        Ok(size),
    );
    let cached = cached(bench, &stage, &key).await?;
    bench
        .report
        .line("memory per cached token", "B", Goal::AtMost(1500.0), cached);
    Ok(())
}

/// Milliseconds to the first answer that everything is there, the store included, and megabytes at rest.
fn start(stage: &Stage, role: &str, key: &Key) -> Answer<(f64, f64)> {
    let port = free_port();
    let start = stage.start(role, key, 0, port);
    let began = now();
    let process = start.quietly()?;
    while !answers(port, "/readyz") {
        if began.elapsed() > PATIENCE {
            return Err(format!("{role} is not ready").into());
        }
        thread::sleep(PAUSE);
    }
    let took = millis(began.elapsed());
    Ok((took, megabytes(at_rest(&process, port)?)))
}

/// What it takes up when all its threads have begun, it has answered a question about a token, and has had nothing to do since.
fn at_rest(process: &Process, port: u16) -> Answer<u64> {
    let began = now();
    while !answers(port, "/readyz") {
        if began.elapsed() > PATIENCE {
            return Err("the server is not ready".into());
        }
        thread::sleep(PAUSE);
    }
    // without a token: that is no 200
    answers(port, "/verify");
    thread::sleep(Duration::from_secs(1));
    process.memory()
}

/// How much a verifier grows with each token that it has not seen before.
async fn cached(bench: &Bench, stage: &Stage, key: &Key) -> Answer<Result<Figure, String>> {
    let number = bench.scaled(10_000, 2000);
    note(&format!("  {number} tokens"));
    let _auth = stage.gateway("auth-server", key, 0)?;
    let verifier = stage.gateway("verifier", key, 0)?;
    let seeds = Seed::of_client("mcp_client_bench", number + 1);
    let used = Pattern::of(Kind::Used).await?;
    used.write(&mut stage.database(0)?, &seeds)?;
    let mut tokens = seeds.iter().map(|seed| {
        let token = key.token(seed)?;
        Ok(requests::verify("/verify", &token))
    });
    let first = tokens.next().ok_or("no token")??;
    let rest = tokens.collect::<Answer<Vec<_>>>()?;
    // as many requests and connections as the tokens will have, so that only the tokens are new
    let warm_up = vec![first; number];
    client::run(&Bench::each(verifier.port, 32, warm_up)).await?;
    let before = verifier.process.memory()?;
    client::run(&Bench::each(verifier.port, 32, rest)).await?;
    let grown = verifier.process.memory()?.saturating_sub(before);
    let each = bytes(grown) / count(number);
    if each < LEAST {
        return Ok(Err(
            "not measured: the verifier keeps nothing of the tokens it has seen".into(),
        ));
    }
    Ok(Ok(Figure::once(each)))
}

/// Bytes as a number to calculate with; exact to the kilobyte.
fn bytes(number: u64) -> f64 {
    f64::from(u32::try_from(number / 1024).unwrap_or(u32::MAX)) * 1024.0
}

fn megabytes(number: u64) -> f64 {
    bytes(number) / 1e6
}
