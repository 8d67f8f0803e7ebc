//! A grant is ended by another process: how long until the verifier refuses its token?
//!
//! Counted from when Redis has confirmed the one command that ends a grant to whoever sent it, until the first 401 has
//! arrived at a client that asks without a pause.

use std::time::Duration;

use redis::{Value, cmd};

use super::{Bench, verify::grant, watch::Watch};
use crate::{
    Answer,
    key::Key,
    progress::{millis, note, now},
    report::Goal,
    requests,
    samples::Figure,
    seed::{Kind, Pattern},
    stage::{Keeps, Server, Stage},
};

/// Measures the part.
///
/// # Errors
/// When something does not start, or answers otherwise than it must.
pub(super) async fn measure(bench: &mut Bench) -> Answer<()> {
    let stage = Stage::new(&bench.common, bench.cores, Keeps::Everything)?;
    let _auth = stage.gateway("auth-server", &bench.rsa, 0)?;
    let verifier = stage.gateway("verifier", &bench.rsa, 0)?;
    let used = Pattern::of(Kind::Used).await?;
    let count = bench.scaled(300, 20);
    note(&format!("  {count} grants, verifier idle"));
    let idle = delays(&stage, &verifier, &used, &bench.rsa, count)?;
    let (_, other) = grant(&stage, &used, &bench.rsa)?;
    let other = requests::verify("/verify", &other);
    let mut load = stage.load_standing_back(&verifier, 32, std::slice::from_ref(&other), 200)?;
    note(&format!("  {count} grants, verifier saturated"));
    let saturated = delays(&stage, &verifier, &used, &bench.rsa, count);
    if load.has_ended() {
        return Err("the load ended before the measurement".into());
    }
    let saturated = saturated?;
    let report = &mut bench.report;
    for (name, goal, value) in [
        (
            "grant ended elsewhere to first 401, idle, p50",
            0.3,
            at(&idle, 50),
        ),
        (
            "grant ended elsewhere to first 401, idle, p99",
            1.0,
            at(&idle, 99),
        ),
        (
            "grant ended elsewhere to first 401, saturated, p99",
            3.0,
            at(&saturated, 99),
        ),
    ] {
        report.line(name, "ms", Goal::AtMost(goal), Ok(Figure::once(value)));
    }
    Ok(())
}

/// How long it took for each of so many grants, sorted, in milliseconds.
fn delays(stage: &Stage, verifier: &Server, used: &Pattern, key: &Key, count: usize) -> Answer<Vec<f64>> {
    let mut connection = stage.database(0)?;
    let mut delays = Vec::new();
    for number in 0..count {
        let (seed, token) = grant(stage, used, key)?;
        let watch = Watch::begin(verifier.port, requests::verify("/verify", &token), true)?;
        // not always at the same point of whatever the verifier does at intervals
        std::thread::sleep(Duration::from_micros(500 + 937 * u64::try_from(number % 11)?));
        let held: Value = cmd("GETDEL")
            .arg(used.key_of_grant(&seed)?)
            .query(&mut connection)?;
        let ended = now();
        if held == Value::Nil {
            return Err("the grant was not there".into());
        }
        let answers = watch.wait()?;
        match answers.last() {
            Some(last) if last.status == 401 => {
                delays.push(millis(last.at.saturating_duration_since(ended)));
            }
            last => return Err(format!("an ended grant was answered with {last:?}").into()),
        }
    }
    delays.sort_by(f64::total_cmp);
    Ok(delays)
}

fn at(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(f64::NAN)
}
