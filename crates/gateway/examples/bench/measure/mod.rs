//! Every goal beside its figure.

mod ending;
mod flood;
mod issue;
mod neighbours;
mod outages;
mod proxy;
mod verify;
mod watch;
mod weight;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use mcp_gateway_model::key::Algorithm;

use crate::{
    Answer,
    arguments::{Common, Speed},
    client::{self, Feed, Load, Run},
    cores::Cores,
    key::Key,
    machine,
    process::Process,
    progress::{micros, note, result},
    record,
    report::{Goal, Report},
    samples::{Sample, Samples},
    stage::Server,
};

/// Over how many connections.
pub(crate) const CONNECTIONS: [usize; 3] = [1, 32, 64];
/// How often each of several servers has its turn within a slice.
pub(crate) const TURNS: u32 = 4;
/// The parts, in the order they are measured in.
const PARTS: [&str; 8] = [
    "verify",
    "issue",
    "proxy",
    "ending",
    "outages",
    "neighbours",
    "flood",
    "weight",
];

/// A server that is loaded in turn with others.
pub(crate) struct Rival<'a> {
    pub(crate) name: &'a str,
    pub(crate) process: &'a Process,
    /// What it is loaded with, one after the other.
    pub(crate) parts: Vec<Load>,
}

/// One run of the program.
pub(crate) struct Bench {
    pub(crate) common: Common,
    pub(crate) cores: Cores,
    pub(crate) predecessor: Option<PathBuf>,
    pub(crate) rounds: usize,
    /// How long one server is loaded at a time.
    pub(crate) slice: Duration,
    /// The key of everything that is not about algorithms.
    pub(crate) rsa: Key,
    pub(crate) report: Report,
}

impl Bench {
    /// This many, or with `--quick` that many.
    pub(crate) fn scaled<T>(&self, full: T, quick: T) -> T {
        if self.common.quick { quick } else { full }
    }

    /// Loads a server, and notes what came of it.
    ///
    /// # Errors
    /// When an answer is not the expected one.
    pub(crate) async fn sample(&mut self, name: &str, process: &Process, load: &Load) -> Answer<()> {
        let sample = sample(process, load)
            .await
            .map_err(|fault| format!("{name}, {} connections: {fault}", load.connections))?;
        self.report.samples.push(name, load.connections, sample);
        Ok(())
    }

    /// Loads several servers in turn.
    ///
    /// # Errors
    /// When an answer is not the expected one.
    pub(crate) async fn in_turn(&mut self, rivals: Vec<Rival<'_>>) -> Answer<()> {
        in_turn(&mut self.report.samples, rivals).await
    }

    /// Somebody to be loaded in turn with others: one slice in all with the same request.
    pub(crate) fn rival<'a>(
        &self,
        name: &'a str,
        server: &'a Server,
        request: &str,
        connections: usize,
    ) -> Rival<'a> {
        let part = Load {
            duration: self.slice / TURNS,
            ..self.same(server.port, connections, request, 200)
        };
        Rival {
            name,
            process: &server.process,
            parts: (0..TURNS).map(|_| part.clone()).collect(),
        }
    }

    /// The same with each of these requests once.
    pub(crate) fn rival_for_each<'a>(
        name: &'a str,
        server: &'a Server,
        requests: &[String],
        connections: usize,
    ) -> Rival<'a> {
        let size = requests.len().div_ceil(TURNS as usize).max(1);
        let parts = requests.chunks(size);
        Rival {
            name,
            process: &server.process,
            parts: parts
                .map(|part| Self::each(server.port, connections, part.to_vec()))
                .collect(),
        }
    }

    /// A load of one slice with the same request.
    pub(crate) fn same(&self, port: u16, connections: usize, request: &str, expected: u16) -> Load {
        Load {
            port,
            connections,
            duration: self.slice,
            feed: Feed::Same(request.into()),
            expected,
        }
    }

    /// A load with each of these requests once.
    pub(crate) fn each(port: u16, connections: usize, requests: Vec<String>) -> Load {
        Load {
            port,
            connections,
            duration: Duration::from_secs(60),
            feed: Feed::Each(requests.into()),
            expected: 200,
        }
    }

    /// Why the predecessor was left out.
    pub(crate) const NO_PREDECESSOR: &'static str = "not measured: --predecessor was not given";
}

/// Loads several servers in turn, back and forth, one part each time, so that what disturbs one disturbs the others as well.
///
/// # Errors
/// When an answer is not the expected one.
pub(crate) async fn in_turn(samples: &mut Samples, rivals: Vec<Rival<'_>>) -> Answer<()> {
    let mut runs: Vec<_> = rivals.iter().map(|_| (Vec::new(), Duration::ZERO)).collect();
    let turns = rivals.iter().map(|rival| rival.parts.len()).max().unwrap_or(0);
    for turn in 0..turns {
        let mut order: Vec<_> = (0..rivals.len()).collect();
        if turn % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let rival = &rivals[at];
            let Some(part) = rival.parts.get(turn) else {
                continue;
            };
            let before = rival.process.processor_time()?;
            let run = client::run(part)
                .await
                .map_err(|fault| format!("{}, {} connections: {fault}", rival.name, part.connections))?;
            runs[at].0.push(run);
            runs[at].1 += rival.process.processor_time()?.saturating_sub(before);
        }
    }
    for (rival, (runs, spent)) in rivals.iter().zip(runs) {
        let connections = rival.parts.first().map_or(0, |part| part.connections);
        let sample = summary(&Run::all(runs), spent);
        samples.push(rival.name, connections, sample);
    }
    Ok(())
}

/// Loads a server and watches its processor time.
///
/// # Errors
/// When an answer is not the expected one.
pub(crate) async fn sample(process: &Process, load: &Load) -> Answer<Sample> {
    let before = process.processor_time()?;
    let run = client::run(load).await?;
    let spent = process.processor_time()?.saturating_sub(before);
    Ok(summary(&run, spent))
}

/// The numbers of a run in which the server spent so much processor time.
fn summary(run: &Run, spent: Duration) -> Sample {
    Sample {
        rate: run.rate(),
        p50: run.quantile(50),
        p99: run.quantile(99),
        processor: micros(spent) / run.requests(),
        busy: spent.as_secs_f64() / run.elapsed.as_secs_f64(),
    }
}

/// Measures everything, or the parts that were asked for.
///
/// # Errors
/// When something does not start, or answers otherwise than it must.
pub(crate) async fn speed(arguments: &Speed) -> Answer<ExitCode> {
    let unknown = arguments.only.iter().find(|part| !PARTS.contains(&part.as_str()));
    if let Some(unknown) = unknown {
        return Err(format!("there is no part {unknown}: there are {}", PARTS.join(", ")).into());
    }
    let cores = Cores::take()?;
    let quick = arguments.common.quick;
    let mut bench = Bench {
        cores,
        predecessor: arguments.predecessor.clone(),
        rounds: arguments.rounds.unwrap_or(if quick { 1 } else { 5 }),
        slice: Duration::from_millis(if quick { 200 } else { 1000 }),
        rsa: Key::generate(Algorithm::Rs256)?,
        report: Report::new("speed", machine::describe(cores)?),
        common: arguments.common.clone(),
    };
    if let Some(python) = &bench.predecessor {
        bench.report.note("predecessor", machine::python(python));
    }
    disturbed(&mut bench.report)?;
    if arguments.record.is_some() {
        record::allowed(&bench.report, quick)?;
    }
    for part in PARTS {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|only| only == part) {
            continue;
        }
        note(&format!("{part} ..."));
        match part {
            "verify" => verify::measure(&mut bench).await?,
            "issue" => issue::measure(&mut bench).await?,
            "proxy" => proxy::measure(&mut bench).await?,
            "ending" => ending::measure(&mut bench).await?,
            "outages" => outages::measure(&mut bench).await?,
            "neighbours" => neighbours::measure(&mut bench).await?,
            "flood" => flood::measure(&mut bench).await?,
            _ => weight::measure(&mut bench, arguments.shipped.as_deref()).await?,
        }
    }
    if arguments.only.is_empty() {
        bench.report.line(
            "cost of verify, 2 million grants / 1 thousand",
            "",
            Goal::AtMost(1.05),
            Err("not measured here: just bench-growth".into()),
        );
    }
    finish(&bench.report, &arguments.common, arguments.record.as_deref())
}

/// Looks whether the machine is quiet, and says so if it is not.
///
/// # Errors
/// When the kernel does not say.
pub(crate) fn disturbed(report: &mut Report) -> Answer<()> {
    report.others = machine::others()?;
    report.note("used by others before the run", format!("{} %", report.others));
    if report.others > 10 {
        note(&format!(
            "other programs use {} % of the processors: these figures will say little",
            report.others
        ));
    }
    Ok(())
}

/// Prints the report, and records it if that was asked for.
///
/// # Errors
/// When the document cannot be written.
pub(crate) fn finish(
    report: &Report,
    common: &Common,
    document: Option<&std::path::Path>,
) -> Answer<ExitCode> {
    if common.json {
        result(&serde_json::to_string_pretty(&report.json())?);
    } else {
        result(&report.text());
    }
    if common.quick {
        note("--quick: too few and too short runs for these figures to mean anything");
    }
    if let Some(document) = document {
        record::write(document, report, common.quick)?;
        note(&format!("recorded in {}", document.display()));
    }
    note(&format!("{} goals missed", report.missed()));
    Ok(ExitCode::SUCCESS)
}
