//! Through a real Traefik: with our verifier, and with one that answers 200 to everything.

use std::path::Path;

use super::{Bench, CONNECTIONS, verify::grant};
use crate::{
    Answer,
    key::Key,
    predecessor::Predecessor,
    progress::note,
    report::Goal,
    requests,
    seed::{Kind, Pattern},
    stage::{Keeps, Server, Stage},
    traefik,
};

const OURS: &str = "through Traefik, verify";
const CONSTANT: &str = "through Traefik, constant 200";
const PREDECESSOR: &str = "through Traefik, predecessor";

/// Measures the part.
///
/// # Errors
/// When something does not start, or answers otherwise than it must.
pub(super) async fn measure(bench: &mut Bench) -> Answer<()> {
    let stage = Stage::new(&bench.common, bench.cores, Keeps::Everything)?;
    let _auth = stage.gateway("auth-server", &bench.rsa, 0)?;
    let verifier = stage.gateway("verifier", &bench.rsa, 0)?;
    let used = Pattern::of(Kind::Used).await?;
    let (_, token) = grant(&stage, &used, &bench.rsa)?;
    let (constant, backend) = (stage.bare(None)?, stage.bare(None)?);
    let ours = traefik::start(&stage, "ours", &verifier, &backend)?;
    let theirs = traefik::start(&stage, "constant", &constant, &backend)?;
    let request = requests::call(&token);
    traefik::routed(&ours, &request).await?;
    traefik::routed(&theirs, &request).await?;
    let old = match &bench.predecessor {
        Some(python) => Some(predecessor(&stage, python, &bench.rsa, &backend).await?),
        None => None,
    };
    for round in 1..=bench.rounds {
        note(&format!("  round {round} of {}", bench.rounds));
        for connections in CONNECTIONS {
            let rivals = [(OURS, &ours), (CONSTANT, &theirs)]
                .map(|(name, server)| bench.rival(name, server, &request, connections));
            bench.in_turn(rivals.into()).await?;
            if let Some((_, old, request)) = &old {
                let load = bench.same(old.port, connections, request, 200);
                bench.sample(PREDECESSOR, &old.process, &load).await?;
            }
        }
    }
    judge(bench);
    Ok(())
}

/// The predecessor behind a Traefik of its own, and a call with a token of its.
async fn predecessor(
    stage: &Stage,
    python: &Path,
    key: &Key,
    backend: &Server,
) -> Answer<(Predecessor, Server, String)> {
    let old = Predecessor::start(stage, python, key).await?;
    let traefik = traefik::start(stage, "predecessor", &old.server, backend)?;
    let call = requests::call(&old.token);
    traefik::routed(&traefik, &call).await?;
    Ok((old, traefik, call))
}

fn judge(bench: &mut Bench) {
    for connections in [32, 1, 64] {
        let ratio = bench
            .report
            .samples
            .ratio((OURS, CONSTANT), connections, |s| s.rate);
        let name = format!("through Traefik, ours / constant 200, rate, {connections} connections");
        let goal = if connections == 32 {
            Goal::AtLeast(0.98)
        } else {
            Goal::Told
        };
        bench.report.line(name, "", goal, ratio);
    }
    let against = if bench.predecessor.is_some() {
        bench.report.samples.ratio((OURS, PREDECESSOR), 32, |s| s.rate)
    } else {
        Err(Bench::NO_PREDECESSOR.into())
    };
    bench.report.line(
        "through Traefik, ours / predecessor, rate, 32 connections",
        "",
        Goal::Told,
        against,
    );
}
