//! Redis hangs, dies, comes back empty, or is flushed: how long does the verifier still say yes?

use std::{
    thread,
    time::{Duration, Instant},
};

use redis::cmd;

use super::{
    Bench,
    verify::grant,
    watch::{Seen, Watch},
};
use crate::{
    Answer,
    progress::{millis, note, now},
    report::Goal,
    requests,
    samples::Figure,
    seed::{Kind, Pattern},
    stage::{Keeps, Stage},
};

/// How long what comes after is watched.
const AFTERWARDS: Duration = Duration::from_millis(1500);
/// What "at once" means, in milliseconds.
const AT_ONCE: f64 = 5.0;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outage {
    Hung,
    Killed,
    Emptied,
    Flushed,
}

impl Outage {
    const fn name(self) -> &'static str {
        match self {
            Self::Hung => "Redis hung to last 200",
            Self::Killed => "Redis killed to last 200",
            Self::Emptied => "Redis restarted empty to first 401",
            Self::Flushed => "Redis flushed to last 200",
        }
    }

    /// The most that the goal allows, in milliseconds.
    const fn goal(self) -> f64 {
        match self {
            Self::Hung => 300.0,
            Self::Emptied => 500.0,
            Self::Killed | Self::Flushed => AT_ONCE,
        }
    }
}

/// Measures the part.
///
/// # Errors
/// When something does not start, or answers otherwise than it must.
pub(super) async fn measure(bench: &mut Bench) -> Answer<()> {
    let used = Pattern::of(Kind::Used).await?;
    let times = bench.scaled(5, 1);
    for outage in [Outage::Hung, Outage::Killed, Outage::Emptied, Outage::Flushed] {
        note(&format!("  {}", outage.name()));
        let (mut worst, mut killed): (f64, f64) = (0.0, 0.0);
        for _ in 0..times {
            let (counts, since) = one(bench, &used, outage)?;
            worst = worst.max(counts);
            killed = killed.max(since);
        }
        bench.report.line(
            format!("{}, worst of {times}", outage.name()),
            "ms",
            Goal::AtMost(outage.goal()),
            Ok(Figure::once(worst)),
        );
        if outage == Outage::Emptied {
            bench.report.line(
                format!("the same, killed to last 200, worst of {times}"),
                "ms",
                Goal::AtMost(AT_ONCE),
                Ok(Figure::once(killed)),
            );
        }
    }
    Ok(())
}

/// One outage of a Redis of its own; answers the milliseconds that count, and those from its beginning to the last 200.
fn one(bench: &Bench, used: &Pattern, outage: Outage) -> Answer<(f64, f64)> {
    let mut stage = Stage::new(&bench.common, bench.cores, Keeps::Nothing)?;
    let _auth = stage.gateway("auth-server", &bench.rsa, 0)?;
    let verifier = stage.gateway("verifier", &bench.rsa, 0)?;
    let (_, token) = grant(&stage, used, &bench.rsa)?;
    let watch = Watch::begin(verifier.port, requests::verify("/verify", &token), false)?;
    let began = now();
    let since = cause(&mut stage, outage)?;
    thread::sleep(AFTERWARDS);
    let until = now();
    if outage == Outage::Hung {
        stage.redis.resume();
    }
    let mut seen = watch.end()?;
    // what a Redis that goes on says is no answer from memory
    seen.retain(|seen| seen.at < until);
    if outage == Outage::Emptied {
        let first = first(&seen, 401, since).ok_or("an empty store was never answered with 401")?;
        return Ok((first, last(&seen, 200, began)));
    }
    Ok((last(&seen, 200, since), last(&seen, 200, began)))
}

/// Lets it happen; answers from when on it counts: from before the signal, or from when Redis has confirmed the flush or is
/// back.
fn cause(stage: &mut Stage, outage: Outage) -> Answer<Instant> {
    let before = now();
    match outage {
        Outage::Hung => stage.redis.pause(),
        Outage::Killed => stage.redis.kill(),
        Outage::Emptied => {
            stage.redis.kill();
            stage.redis.restart();
            let back = now();
            stage.bind_redis()?;
            return Ok(back);
        }
        Outage::Flushed => {
            cmd("FLUSHALL").exec(&mut stage.redis.connection())?;
            return Ok(now());
        }
    }
    Ok(before)
}

/// How long after `since` the last answer with this status came, in milliseconds; 0 if none came.
fn last(seen: &[Seen], status: u16, since: Instant) -> f64 {
    let last = seen.iter().rfind(|seen| seen.status == status);
    last.map_or(0.0, |seen| millis(seen.at.saturating_duration_since(since)))
}

/// How long after `since` the first answer with this status came, in milliseconds.
fn first(seen: &[Seen], status: u16, since: Instant) -> Option<f64> {
    let first = seen.iter().find(|seen| seen.status == status && seen.at >= since);
    first.map(|seen| millis(seen.at.duration_since(since)))
}
