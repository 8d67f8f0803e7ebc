//! Through a real Traefik: with our verifier, and with one that answers 200 to everything.

use super::{Bench, CONNECTIONS, verify::grant};
use crate::{
    Answer,
    progress::note,
    report::Goal,
    requests,
    seed::{Kind, Pattern},
    stage::{Keeps, Stage},
    traefik,
};

const OURS: &str = "through Traefik, verify";
const CONSTANT: &str = "through Traefik, constant 200";

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
    let (constant, backend) = (stage.plain(None)?, stage.plain(None)?);
    let ours = traefik::start(&stage, "ours", &verifier, &backend)?;
    let theirs = traefik::start(&stage, "constant", &constant, &backend)?;
    let request = requests::call(&token);
    traefik::routed(&ours, &request).await?;
    traefik::routed(&theirs, &request).await?;
    for round in 1..=bench.rounds {
        note(&format!("  round {round} of {}", bench.rounds));
        for connections in CONNECTIONS {
            for (name, server) in [(OURS, &ours), (CONSTANT, &theirs)] {
                let load = bench.same(server.port, connections, &request, 200);
                bench.sample(name, &server.process, &load).await?;
            }
        }
    }
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
    Ok(())
}
