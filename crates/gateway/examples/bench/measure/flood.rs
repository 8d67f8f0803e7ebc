//! Bad tokens by the hundred: what verify costs those whose tokens are remembered meanwhile.

use super::{Bench, neighbours::busy};
use crate::{
    Answer,
    progress::note,
    report::Goal,
    requests,
    samples::Figure,
    seed::{Kind, Pattern, Seed},
    stage::{Keeps, Stage},
};

const QUIET: &str = "verify, nobody else";
const FLOODED: &str = "verify, flood of forged tokens";
/// Connections that send forged tokens.
const FORGING: usize = 32;

/// Measures the part.
///
/// # Errors
/// When something does not start, or answers otherwise than it must.
pub(super) async fn measure(bench: &mut Bench) -> Answer<()> {
    let stage = Stage::new(&bench.common, bench.cores, Keeps::Everything)?;
    let _auth = stage.gateway("auth-server", &bench.rsa, 0)?;
    let server = stage.gateway("verifier", &bench.rsa, 0)?;
    let grants = Seed::of_client("mcp_client_bench", 2);
    let used = Pattern::of(Kind::Used).await?;
    used.write(&mut stage.database(0)?, &grants)?;
    let token = bench.rsa.token(&grants[0])?;
    let other = bench.rsa.token(&grants[1])?;
    let (message, _) = token.rsplit_once('.').ok_or("a token without a signature")?;
    let (_, signature) = other.rsplit_once('.').ok_or("a token without a signature")?;
    // from another address than the good ones
    let forged = requests::verify_from("/verify", &format!("{message}.{signature}"), "198.51.100.9");
    let load = bench.same(server.port, 1, &requests::verify("/verify", &token), 200);
    for round in 1..=bench.rounds {
        note(&format!("  round {round} of {}", bench.rounds));
        bench.sample(QUIET, &server.process, &load).await?;
        let mut forging = stage.load(&server, FORGING, std::slice::from_ref(&forged), 401)?;
        busy(&server.process)?;
        bench.sample(FLOODED, &server.process, &load).await?;
        if forging.has_ended() {
            return Err("the flood ended: a forged token was answered otherwise than with 401".into());
        }
    }
    let ratio = bench.report.samples.ratio((FLOODED, QUIET), 1, |s| s.p99);
    let name = "verify p99, warm token, 32 connections sending forged ones / idle, one core";
    bench.report.line(name, "", Goal::Told, ratio);
    let worst = bench.report.samples.all(FLOODED, 1, |s| s.p99);
    let name = "verify p99, warm token, 32 connections sending forged ones";
    let worst = Figure::of(&worst).ok_or_else(|| "nothing was measured".into());
    bench.report.line(name, "us", Goal::Told, worst);
    Ok(())
}
