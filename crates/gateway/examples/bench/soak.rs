//! Grants are ended and prolonged at random by another process than the two verifiers that are asked about them meanwhile:
//! nobody may get in by a grant that has ended, and nobody may be refused whose grant lives.
//!
//! Judged by time, with `just soak`; or by the order of events alone, which holds on any machine however busy it is.

mod fence;
mod judge;
mod trouble;

use std::{cell::RefCell, process::ExitCode, rc::Rc, time::Duration};

use mcp_gateway_model::key::Algorithm;
use redis::cmd;
use tokio::task::{JoinHandle, spawn_local};

use crate::{
    Answer,
    arguments::Soak,
    client::{Line, count},
    cores::Cores,
    key::Key,
    machine,
    measure::{disturbed, finish},
    process::{Process, Start},
    progress::{note, now, result},
    record,
    report::{Goal, Report},
    samples::Figure,
    seed::{Kind, Pattern},
    stage::{Keeps, Server, Stage},
};
use fence::Fences;
use judge::{Grant, Judge};
use trouble::Trouble;

/// How many verifiers there are; each request goes to one of them at random.
pub(crate) const VERIFIERS: usize = 2;
/// How many ask at once, besides those who look closely at a grant that is about to end.
const ASKING: usize = 8;
/// How long an end may take to be known to a verifier, for all but one in a thousand.
const SOON: Duration = Duration::from_millis(5);
/// How many seconds a quick run takes at most.
const QUICK: u64 = 20;
const PASSWORD: &str = "password-of-a-verifier";

/// Lets it run.
///
/// # Errors
/// When something does not start or fails.
pub(crate) async fn run(arguments: &Soak) -> Answer<ExitCode> {
    let common = &arguments.common;
    let cores = Cores::any()?;
    let mut report = Report::new("soak", machine::describe(cores)?);
    if !arguments.order {
        disturbed(&mut report)?;
    }
    if arguments.record.is_some() {
        record::allowed(&report, arguments.order || common.quick)?;
    }
    let stage = Stage::new(common, cores, Keeps::Everything)?;
    let key = Key::generate(Algorithm::EdDsa)?;
    let _auth = stage.gateway("auth-server", &key, 0)?;
    let verifiers = (1..=VERIFIERS)
        .map(|number| verifier(&stage, &key, number))
        .collect::<Answer<Vec<_>>>()?;
    let ports: Vec<_> = verifiers.iter().map(|server| server.port).collect();
    let judge = Rc::new(RefCell::new(Judge::new(!arguments.order)));
    let pattern = Pattern::of(Kind::Used).await?;
    let trouble = Rc::new(Trouble::new(
        &stage,
        pattern,
        key,
        ports.clone(),
        Rc::clone(&judge),
    )?);
    let seconds = if common.quick {
        arguments.seconds.min(QUICK)
    } else {
        arguments.seconds
    };
    note(&format!(
        "{seconds} seconds, {VERIFIERS} verifiers, {ASKING} connections and more"
    ));
    let until = now() + Duration::from_secs(seconds);
    let mut tasks: Vec<JoinHandle<Result<(), String>>> = Vec::new();
    if arguments.order {
        let fences = Fences::begin(&stage, Rc::clone(&trouble)).await?;
        spawn_local(async move {
            if let Err(fault) = fences.watch().await {
                note(&format!("the order of events is no longer known: {fault}"));
            }
        });
    }
    for _ in 0..ASKING {
        tasks.push(spawn_local(Rc::clone(&trouble).ask_at_random(until)));
    }
    tasks.push(spawn_local(Rc::clone(&trouble).prolong_at_random(until)));
    tasks.push(spawn_local(Rc::clone(&trouble).end_at_random(until)));
    for task in tasks {
        task.await??;
    }
    let judge = judge.borrow();
    if arguments.order {
        return Ok(by_order(&judge));
    }
    by_time(&judge, &mut report);
    finish(&report, common, arguments.record.as_deref())?;
    Ok(verdict(&judge, report.missed() == 0))
}

/// A verifier with a name of its own in Redis, and the rights of the shipped one.
fn verifier(stage: &Stage, key: &Key, number: usize) -> Answer<Server> {
    let user = format!("verifier-{number}");
    cmd("ACL")
        .arg("SETUSER")
        .arg(&user)
        .arg("on")
        .arg(format!(">{PASSWORD}"))
        .arg(rights()?)
        .exec(&mut stage.redis.connection())?;
    let port = mcp_gateway_store::testing::free_port();
    let mut start = stage.start("verifier", key, 0, port);
    start.environment.retain(|(name, _)| name != "REDIS_URL");
    start.environment.extend([
        ("REDIS_URL".to_owned(), stage.redis.url_for(&format!("{user}@"))),
        ("REDIS_PASSWORD".to_owned(), PASSWORD.to_owned()),
    ]);
    // on any core, with as many workers as it likes
    let process: Process = Start { core: None, ..start }.ready(port, "/readyz")?;
    Ok(Server { process, port })
}

/// What the shipped users file lets a verifier do.
fn rights() -> Answer<Vec<String>> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/redis/users.acl");
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix("user verifier "));
    let words = line.ok_or("the shipped users have no verifier")?.split(' ');
    Ok(words.skip(2).map(str::to_owned).collect())
}

fn by_order(judge: &Judge) -> ExitCode {
    result(&format!(
        "{} requests, {} answered with 200, {} refused; {} grants prolonged, {} ended, {} of them asked about after both \
         verifiers had certainly heard; {} requests answered with 503",
        judge.requests,
        judge.admitted,
        judge.refused,
        judge.prolonged,
        judge.ended(),
        judge.fenced,
        judge.unanswered,
    ));
    if judge.is_mute() {
        note("more than one request in a hundred was answered with 503");
    }
    verdict(
        judge,
        judge.fenced * 4 >= judge.ended() && judge.fenced > 0 && !judge.is_mute(),
    )
}

fn by_time(judge: &Judge, report: &mut Report) {
    let lates = judge.lates();
    let ends = count(lates.len());
    let in_time = count(lates.iter().filter(|late| **late <= SOON).count());
    let at = |share: f64| {
        let place = lates.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a list, from a share of its length"
        )]
        let place = (count(place) * share) as usize;
        lates
            .get(place)
            .map(|late| Figure::once(crate::progress::millis(*late)))
    };
    let told = |number: usize| Ok(Figure::once(count(number)));
    let nothing = || "nothing was ended".to_owned();
    for (name, unit, goal, found) in [
        ("requests", "", Goal::Told, told(judge.requests)),
        ("grants prolonged", "", Goal::Told, told(judge.prolonged)),
        ("grants ended", "", Goal::AtLeast(1.0), told(lates.len())),
        (
            "requests let through that were sent a lease (250 ms) after the acknowledged end",
            "",
            Goal::AtMost(0.0),
            told(judge.let_through),
        ),
        (
            "requests not answered with 200 while their grant lived",
            "",
            Goal::AtMost(0.0),
            told(judge.refused_living),
        ),
        (
            "ended grants of which no request was let through that was sent more than 5 ms after the acknowledged end",
            "%",
            Goal::AtLeast(99.9),
            Ok(Figure::once(in_time / ends * 100.0)),
        ),
        (
            "acknowledged end to the last request let through was sent, p50",
            "ms",
            Goal::Told,
            at(0.5).ok_or_else(nothing),
        ),
        ("the same, p99", "ms", Goal::Told, at(0.99).ok_or_else(nothing)),
        ("the same, p99.9", "ms", Goal::Told, at(0.999).ok_or_else(nothing)),
        ("the same, worst", "ms", Goal::Told, at(1.0).ok_or_else(nothing)),
    ] {
        report.line(name, unit, goal, found);
    }
}

fn verdict(judge: &Judge, enough: bool) -> ExitCode {
    for objection in judge.objections.iter().take(20) {
        note(objection);
    }
    if judge.objections.is_empty() && enough {
        note("passed");
        ExitCode::SUCCESS
    } else {
        note(&format!("failed: {} objections", judge.objections.len()));
        ExitCode::FAILURE
    }
}

/// A connection to each verifier.
async fn lines(ports: &[u16]) -> Answer<Vec<Line>> {
    let mut lines = Vec::new();
    for port in ports {
        lines.push(Line::open(*port).await?);
    }
    Ok(lines)
}

/// A number below `limit`, as good as any other.
fn random(limit: usize) -> usize {
    use std::hash::{BuildHasher, RandomState};
    let number = RandomState::new().hash_one(0_u8);
    usize::try_from(number % u64::try_from(limit.max(1)).unwrap_or(1)).unwrap_or_default()
}

/// Waits for less than so many milliseconds.
async fn pause(millis: usize) {
    let micros = random(millis * 1000);
    tokio::time::sleep(Duration::from_micros(u64::try_from(micros).unwrap_or_default())).await;
}
