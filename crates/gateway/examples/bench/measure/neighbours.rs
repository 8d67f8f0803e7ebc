//! One process does both: what verify costs its callers while the token endpoint is saturated.

use std::{thread, time::Duration};

use super::Bench;
use crate::{
    Answer,
    process::Process,
    progress::{note, now},
    report::Goal,
    requests::{self, Registered},
    seed::{Kind, Pattern, Seed},
    stage::{Keeps, Stage},
};

const IDLE: &str = "verify, token endpoint idle";
const SATURATED: &str = "verify, token endpoint saturated";
/// Connections that exchange codes.
const EXCHANGING: usize = 8;

/// Measures the part.
///
/// # Errors
/// When something does not start, or answers otherwise than it must.
pub(super) async fn measure(bench: &mut Bench) -> Answer<()> {
    let stage = Stage::new(&bench.common, bench.cores, Keeps::Everything)?;
    let server = stage.gateway("serve", &bench.rsa, 0)?;
    let client = Registered::at(server.port, "none").await?;
    let grants = Seed::of_client(&client.id, 1);
    let used = Pattern::of(Kind::Used).await?;
    used.write(&mut stage.database(0)?, &grants)?;
    let verify = requests::verify("/verify", &bench.rsa.token(&grants[0])?);
    let fresh = Pattern::of(Kind::Fresh).await?;
    for round in 1..=bench.rounds {
        note(&format!("  round {round} of {}", bench.rounds));
        let load = bench.same(server.port, 1, &verify, 200);
        bench.sample(IDLE, &server.process, &load).await?;
        // more than can be signed while verify is watched
        let seeds = Seed::of_client(&client.id, bench.scaled(10_000, 3000));
        fresh.write(&mut stage.database(0)?, &seeds)?;
        let mut exchanging = stage.load(&server, EXCHANGING, &client.exchanges(&seeds), 200)?;
        busy(&server.process)?;
        bench.sample(SATURATED, &server.process, &load).await?;
        if exchanging.has_ended() {
            return Err(
                "the token endpoint was not kept busy: a code was refused, or all were exchanged".into(),
            );
        }
    }
    let ratio = bench.report.samples.ratio((SATURATED, IDLE), 1, |s| s.p99);
    bench.report.line(
        "verify p99, token endpoint saturated / idle, one process, one core",
        "",
        Goal::AtMost(3.0),
        ratio,
    );
    Ok(())
}

/// Waits until the server is at work.
pub(super) fn busy(process: &Process) -> Answer<()> {
    let at_work = process.processor_time()? + Duration::from_millis(50);
    let began = now();
    while process.processor_time()? < at_work {
        if began.elapsed() > Duration::from_secs(10) {
            return Err("the load does not begin".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
