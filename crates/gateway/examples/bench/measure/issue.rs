//! What the auth-server does: register, token with each algorithm, introspect; against the bare rate of signing and against
//! the predecessor.

use std::process::Command;

use mcp_gateway_model::key::Algorithm;
use redis::cmd;

use super::{Bench, CONNECTIONS};
use crate::{
    Answer,
    client::{Line, Load, count},
    key::Key,
    predecessor::Predecessor,
    progress::note,
    report::Goal,
    requests::{self, Registered},
    samples::{Figure, Sample},
    seed::{Kind, Pattern, Seed},
    stage::{self, Keeps, Server, Stage, field},
};

/// An auth-server that signs with one algorithm, in a database of its own.
struct Issuer {
    server: Server,
    key: Key,
    database: u8,
    client: Registered,
    /// How many codes a run gets.
    codes: usize,
}

/// Servers and requests of this part.
struct Set {
    stage: Stage,
    fresh: Pattern,
    issuers: Vec<Issuer>,
    predecessor: Option<Predecessor>,
    introspect: String,
}

impl Set {
    async fn new(bench: &Bench) -> Answer<Self> {
        let stage = Stage::new(&bench.common, bench.cores, Keeps::Everything)?;
        let mut issuers = Vec::new();
        for (database, algorithm, codes) in [
            (0, Algorithm::Rs256, bench.scaled(1000, 200)),
            (1, Algorithm::Es256, bench.scaled(4000, 500)),
            (2, Algorithm::EdDsa, bench.scaled(4000, 500)),
        ] {
            let key = Key::generate(algorithm)?;
            let server = stage.gateway("auth-server", &key, database)?;
            let client = Registered::at(server.port, "none").await?;
            issuers.push(Issuer {
                server,
                key,
                database,
                client,
                codes,
            });
        }
        let rs256 = &issuers[0];
        let asker = Registered::at(rs256.server.port, "client_secret_post").await?;
        let seeds = Seed::of_client(&asker.id, 1);
        let used = Pattern::of(Kind::Used).await?;
        used.write(&mut stage.database(0)?, &seeds)?;
        let introspect = requests::introspect(&rs256.key.token(&seeds[0])?, &asker);
        let answer = requests::json(rs256.server.port, &introspect, 200).await?;
        if answer["active"] != true {
            return Err(format!("a good token is not active: {answer}").into());
        }
        let predecessor = match &bench.predecessor {
            Some(python) => Some(Predecessor::start(&stage, python, &rs256.key).await?),
            None => None,
        };
        Ok(Self {
            stage,
            fresh: Pattern::of(Kind::Fresh).await?,
            issuers,
            predecessor,
            introspect,
        })
    }

    async fn round(&self, bench: &mut Bench, connections: usize) -> Answer<()> {
        let server = &self.issuers[0].server;
        let register = requests::register("none");
        let load = bench.same(server.port, connections, &register, 201);
        bench.sample("register", &server.process, &load).await?;
        let load = bench.same(server.port, connections, &self.introspect, 200);
        bench.sample("introspect", &server.process, &load).await?;
        for issuer in &self.issuers {
            let seeds = Seed::of_client(&issuer.client.id, issuer.codes);
            self.fresh
                .write(&mut self.stage.database(issuer.database)?, &seeds)?;
            let exchanges = issuer.client.exchanges(&seeds);
            let load = Bench::each(issuer.server.port, connections, exchanges);
            let name = format!("token, {}", issuer.key.algorithm);
            bench.sample(&name, &issuer.server.process, &load).await?;
            self.sign(bench, &issuer.key, connections)?;
        }
        let Some(old) = &self.predecessor else {
            return Ok(());
        };
        let (process, port) = (&old.server.process, old.server.port);
        let exchanges = old.exchanges(&self.stage, bench.scaled(300, 60))?;
        let introspect = requests::introspect(&old.token, &old.client);
        let loads: [(&str, Load); 3] = [
            (
                "predecessor, register",
                bench.same(port, connections, &register, 201),
            ),
            (
                "predecessor, introspect",
                bench.same(port, connections, &introspect, 200),
            ),
            ("predecessor, token", Bench::each(port, connections, exchanges)),
        ];
        for (name, load) in loads {
            bench.sample(name, process, &load).await?;
        }
        Ok(())
    }

    /// The bare rate of signing, on the server's core.
    fn sign(&self, bench: &mut Bench, key: &Key, connections: usize) -> Answer<()> {
        let output = Command::new("taskset")
            .args(["--cpu-list", &self.stage.cores.server.to_string()])
            .arg(stage::own()?)
            .args(["sign", "--key", &key.to_base64()])
            .args(["--algorithm", key.algorithm.as_str()])
            .args(["--millis", &bench.slice.as_millis().to_string()])
            .output()?;
        let rate: f64 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
        // a loop has no requests: only its rate is measured
        let sample = Sample {
            rate,
            p50: f64::NAN,
            p99: f64::NAN,
            processor: f64::NAN,
            busy: f64::NAN,
        };
        let name = format!("bare signing, {}", key.algorithm);
        bench.report.samples.push(&name, connections, sample);
        Ok(())
    }

    /// How often Redis is asked for each of these requests, one after the other.
    async fn round_trips(&self, requests: &[String], expected: u16) -> Answer<f64> {
        let mut connection = self.stage.database(0)?;
        let mut reads = || -> Answer<f64> {
            let text: String = cmd("INFO").arg("stats").query(&mut connection)?;
            let reads = field(&text, "total_reads_processed").ok_or("this Redis counts no reads")?;
            Ok(reads.parse()?)
        };
        let mut line = Line::open(self.issuers[0].server.port).await?;
        // what is done once only, such as making a connection, does not count
        let (first, rest) = requests.split_first().ok_or("no requests")?;
        line.ask(first.as_bytes()).await?;
        let before = reads()?;
        for request in rest {
            let status = line.ask(request.as_bytes()).await?;
            if status != expected {
                return Err(format!("{status} was answered where {expected} was expected").into());
            }
        }
        // asking is a read as well
        Ok((reads()? - before - 1.0) / count(rest.len()))
    }

    async fn trips(&self) -> Answer<Vec<(&'static str, Goal, f64)>> {
        const COUNT: usize = 201;
        let register = vec![requests::register("none"); COUNT];
        let issuer = &self.issuers[0];
        let seeds = Seed::of_client(&issuer.client.id, COUNT);
        self.fresh
            .write(&mut self.stage.database(issuer.database)?, &seeds)?;
        let exchanges = issuer.client.exchanges(&seeds);
        let introspect = vec![self.introspect.clone(); COUNT];
        Ok(vec![
            (
                "store round trips of a registration",
                Goal::AtMost(1.0),
                self.round_trips(&register, 201).await?,
            ),
            (
                "store round trips of a code that becomes tokens",
                Goal::Told,
                self.round_trips(&exchanges, 200).await?,
            ),
            (
                "store round trips of an introspection",
                Goal::Told,
                self.round_trips(&introspect, 200).await?,
            ),
        ])
    }

    /// The same for a registration while the list of those that nobody uses is full.
    async fn trips_when_full(&self) -> Answer<f64> {
        self.round_trips(&vec![requests::register("none"); 641], 201)
            .await
    }
}

/// Measures the part.
///
/// # Errors
/// When something does not start, or answers otherwise than it must.
pub(super) async fn measure(bench: &mut Bench) -> Answer<()> {
    let set = Set::new(bench).await?;
    let mut trips = set.trips().await?;
    for round in 1..=bench.rounds {
        note(&format!("  round {round} of {}", bench.rounds));
        for connections in CONNECTIONS {
            set.round(bench, connections).await?;
        }
    }
    trips.push((
        "store round trips of a registration after all of these",
        Goal::Told,
        set.trips_when_full().await?,
    ));
    judge(bench);
    for (name, goal, trips) in trips {
        bench.report.line(name, "", goal, Ok(Figure::once(trips)));
    }
    Ok(())
}

fn judge(bench: &mut Bench) {
    let known = bench.predecessor.is_some();
    let report = &mut bench.report;
    let against = |report: &crate::report::Report, ours: &str, old: &str| {
        if known {
            report.samples.ratio((ours, old), 32, |s| s.rate)
        } else {
            Err(Bench::NO_PREDECESSOR.into())
        }
    };
    for (algorithm, goal) in [
        ("RS256", Goal::AtLeast(0.9)),
        ("ES256", Goal::Told),
        ("EdDSA", Goal::Told),
    ] {
        let (token, bare) = (
            format!("token, {algorithm}"),
            format!("bare signing, {algorithm}"),
        );
        let ratio = report.samples.ratio((&token, &bare), 32, |s| s.rate);
        report.line(
            format!("token {algorithm} / bare signing, rate, 32 connections"),
            "",
            goal,
            ratio,
        );
    }
    for (algorithm, goal) in [
        ("ES256", Goal::AtLeast(25.0)),
        ("EdDSA", Goal::AtLeast(25.0)),
        ("RS256", Goal::Told),
    ] {
        let ratio = against(report, &format!("token, {algorithm}"), "predecessor, token");
        let name = format!("token {algorithm} / predecessor (RS256), rate, 32 connections");
        report.line(name, "", goal, ratio);
    }
    let ratio = against(report, "register", "predecessor, register");
    report.line(
        "register / predecessor, rate, 32 connections",
        "",
        Goal::AtLeast(25.0),
        ratio,
    );
    let ratio = against(report, "introspect", "predecessor, introspect");
    report.line(
        "introspect / predecessor, rate, 32 connections",
        "",
        Goal::Told,
        ratio,
    );
}
