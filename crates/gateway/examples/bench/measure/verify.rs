//! `/verify` against a server that decides nothing, against one that only checks a signature, and against the predecessor.

use std::{rc::Rc, time::Duration};

use super::{Bench, CONNECTIONS, Rival, TURNS};
use crate::{
    Answer,
    client::{self, Feed, Line, Load},
    key::Key,
    predecessor::Predecessor,
    progress::{note, now},
    report::{Goal, Report},
    requests,
    seed::{Kind, Pattern, Seed},
    stage::{Keeps, Server, Stage, TOOLS},
};

const WARM: &str = "verify, warm token";
const BARE: &str = "bare handler";
const MANY: &str = "verify, 1000 warm tokens in turn";
/// How many tokens are asked about in turn, each from an address of its own.
const IN_TURN: usize = 1000;

/// Servers and requests of this part.
struct Set {
    stage: Stage,
    _auth: Server,
    verifier: Server,
    bare: Server,
    predecessor: Option<Predecessor>,
    /// A good token.
    warm: String,
    /// Where its grant lies.
    key: String,
    /// One of the same grant, for the server with rules for tools.
    tool: String,
    /// The same with another signature.
    forged: String,
    /// Tokens that no verifier has seen, but for the first thousand, which the one that lasts remembers.
    cold: Vec<String>,
}

/// Tokens that a new process is warmed up with before cold ones are counted.
const WARM_UP: usize = 200;

impl Set {
    async fn new(bench: &Bench) -> Answer<Self> {
        let stage = Stage::new(&bench.common, bench.cores, Keeps::Everything)?;
        let auth = stage.gateway("auth-server", &bench.rsa, 0)?;
        let seeds = Seed::of_client("mcp_client_bench", bench.scaled(5000, 1000));
        let used = Pattern::of(Kind::Used).await?;
        used.write(&mut stage.database(0)?, &seeds)?;
        note(&format!("  signing {} tokens", seeds.len()));
        let cold: Vec<String> = seeds
            .iter()
            .map(|seed| bench.rsa.token(seed))
            .collect::<Result<_, _>>()?;
        let warm = cold[0].clone();
        let (message, _) = warm.rsplit_once('.').ok_or("a token without a signature")?;
        let (_, signature) = cold[1].rsplit_once('.').ok_or("a token without a signature")?;
        let predecessor = match &bench.predecessor {
            Some(python) => Some(Predecessor::start(&stage, python, &bench.rsa).await?),
            None => None,
        };
        Ok(Self {
            verifier: stage.gateway("verifier", &bench.rsa, 0)?,
            bare: stage.bare(Some(&bench.rsa))?,
            tool: bench.rsa.token_for(&seeds[0], TOOLS)?,
            forged: format!("{message}.{signature}"),
            key: used.key_of_grant(&seeds[0])?,
            stage,
            _auth: auth,
            predecessor,
            warm,
            cold,
        })
    }

    /// Cold tokens at a verifier that has just started, and the same at one that only checks signatures.
    async fn cold(&self, bench: &mut Bench, connections: usize) -> Answer<()> {
        let requests = |path: &str, tokens: &[String]| -> Vec<String> {
            tokens.iter().map(|token| requests::verify(path, token)).collect()
        };
        let (first, rest) = self.cold.split_at(WARM_UP);
        let fresh = self.stage.gateway("verifier", &bench.rsa, 0)?;
        let mut rivals = Vec::new();
        for (name, server, path) in [
            ("verify, cold token", &fresh, "/verify"),
            ("signature only", &self.bare, "/signature"),
        ] {
            client::run(&Bench::each(server.port, connections, requests(path, first))).await?;
            let rest = requests(path, rest);
            rivals.push(Bench::rival_for_each(name, server, &rest, connections));
        }
        bench.in_turn(rivals).await
    }

    /// Requests with a thousand tokens, each from an address of its own.
    fn in_turn(&self) -> Rc<[String]> {
        let tokens = self.cold.iter().take(IN_TURN).enumerate();
        tokens
            .map(|(at, token)| {
                requests::verify_from("/verify", token, &format!("198.18.{}.{}", at / 250, at % 250))
            })
            .collect()
    }

    async fn round(&self, bench: &mut Bench, connections: usize) -> Answer<()> {
        let warm = requests::verify("/verify", &self.warm);
        let mut rivals = Vec::from(
            [(BARE, &self.bare), (WARM, &self.verifier)]
                .map(|(name, server)| bench.rival(name, server, &warm, connections)),
        );
        let part = Load {
            feed: Feed::Turns(self.in_turn()),
            ..rivals[1].parts[0].clone()
        };
        rivals.push(Rival {
            name: MANY,
            process: &self.verifier.process,
            parts: vec![part; TURNS as usize],
        });
        bench.in_turn(rivals).await?;
        let tool = requests::verify_tool(&self.tool);
        let forged = requests::verify("/verify", &self.forged);
        let nonsense = requests::verify("/verify", "nonsense");
        for (name, server, request, expected) in [
            ("verify, warm token, tool call", &self.verifier, &tool, 200),
            ("verify, forged token", &self.verifier, &forged, 401),
            ("verify, nonsense", &self.verifier, &nonsense, 401),
        ] {
            let load = bench.same(server.port, connections, request, expected);
            bench.sample(name, &server.process, &load).await?;
        }
        self.cold(bench, connections).await?;
        if let Some(old) = &self.predecessor {
            for (name, token, expected) in [
                ("predecessor, verify", old.token.as_str(), 200),
                ("predecessor, verify, nonsense", "nonsense", 401),
            ] {
                let request = requests::verify("/verify", token);
                let load = bench.same(old.server.port, connections, &request, expected);
                bench.sample(name, &old.server.process, &load).await?;
            }
        }
        Ok(())
    }

    /// The warm token was one that could have ended with any request: now its grant ends.
    async fn was_watched(&self) -> Answer<()> {
        let held: redis::Value = redis::cmd("GETDEL")
            .arg(&self.key)
            .query(&mut self.stage.database(0)?)?;
        if held == redis::Value::Nil {
            return Err("the grant of the warm token was not there".into());
        }
        let mut line = Line::open(self.verifier.port).await?;
        let request = requests::verify("/verify", &self.warm);
        let began = now();
        while line.ask(request.as_bytes()).await? == 200 {
            if began.elapsed() > Duration::from_secs(1) {
                return Err("the warm token outlived its grant".into());
            }
        }
        Ok(())
    }

    /// Every server has seen its requests before anything is counted.
    async fn warm_up(&self, bench: &Bench) -> Answer<()> {
        let request = requests::verify("/verify", &self.warm);
        for server in [&self.bare, &self.verifier] {
            client::run(&Load {
                duration: Duration::from_millis(200),
                ..bench.same(server.port, 8, &request, 200)
            })
            .await?;
        }
        let each = Bench::each(self.verifier.port, 8, self.in_turn().to_vec());
        client::run(&each).await?;
        Ok(())
    }
}

/// Measures the part.
///
/// # Errors
/// When something does not start, or answers otherwise than it must.
pub(super) async fn measure(bench: &mut Bench) -> Answer<()> {
    let set = Set::new(bench).await?;
    set.warm_up(bench).await?;
    for round in 1..=bench.rounds {
        note(&format!("  round {round} of {}", bench.rounds));
        for connections in CONNECTIONS {
            set.round(bench, connections).await?;
        }
    }
    set.was_watched().await?;
    judge(bench);
    Ok(())
}

fn judge(bench: &mut Bench) {
    let report = &mut bench.report;
    let (warm, bare) = (WARM, BARE);
    let rate = report.samples.ratio((warm, bare), 32, |s| s.rate);
    report.line(
        "verify warm / bare handler, rate, 32 connections",
        "",
        Goal::AtLeast(0.95),
        rate,
    );
    let above = report
        .samples
        .compare((warm, bare), 32, |s| s.processor, |verify, bare| verify - bare);
    report.line(
        "processor time of a warm verify above the bare handler's",
        "us",
        Goal::AtMost(0.6),
        above,
    );
    let alone = report.samples.ratio((warm, bare), 1, |s| s.p50);
    report.line(
        "verify warm / bare handler, p50, 1 connection",
        "",
        Goal::AtMost(1.05),
        alone,
    );
    let old = if bench.predecessor.is_some() {
        report
            .samples
            .ratio((warm, "predecessor, verify"), 32, |s| s.rate)
    } else {
        Err(Bench::NO_PREDECESSOR.into())
    };
    report.line(
        "verify warm / predecessor, rate, 32 connections",
        "",
        Goal::AtLeast(60.0),
        old,
    );
    let cold = ("verify, cold token", "signature only");
    let ratio = report.samples.ratio(cold, 32, |s| s.rate);
    report.line(
        "verify cold / signature only, rate, 32 connections",
        "",
        Goal::AtLeast(0.9),
        ratio,
    );
    explain(report);
}

/// Figures without a goal.
fn explain(report: &mut Report) {
    let (warm, bare) = (WARM, BARE);
    for connections in [1, 64] {
        let rate = report.samples.ratio((warm, bare), connections, |s| s.rate);
        let name = format!("verify warm / bare handler, rate, {connections} connections");
        report.line(name, "", Goal::Told, rate);
    }
    let rate = report.samples.ratio((MANY, bare), 32, |s| s.rate);
    let name =
        "verify of 1000 warm tokens of different addresses in turn / bare handler, rate, 32 connections";
    report.line(name, "", Goal::Told, rate);
    for (other, name) in [
        (
            "verify, warm token, tool call",
            "verify of a tool call / warm, rate, 32 connections",
        ),
        (
            "verify, forged token",
            "verify forged / warm, rate, 32 connections",
        ),
        ("verify, nonsense", "verify nonsense / warm, rate, 32 connections"),
    ] {
        let ratio = report.samples.ratio((other, warm), 32, |s| s.rate);
        report.line(name, "", Goal::Told, ratio);
    }
    let tool = ("verify, warm token, tool call", BARE);
    let above = report
        .samples
        .compare(tool, 32, |s| s.processor, |tool, bare| tool - bare);
    let name = "processor time of a verified tool call, body read, above the bare handler's";
    report.line(name, "us", Goal::Told, above);
    if let Ok(ratio) = report
        .samples
        .ratio(("verify, nonsense", "predecessor, verify, nonsense"), 32, |s| {
            s.rate
        })
    {
        let name = "verify nonsense / predecessor, rate, 32 connections";
        report.line(name, "", Goal::Told, Ok(ratio));
    }
}

/// One grant in the store, and a token for it.
///
/// # Errors
/// When Redis fails.
pub(super) fn grant(stage: &Stage, pattern: &Pattern, key: &Key) -> Answer<(Seed, String)> {
    let seed = Seed::new("mcp_client_bench", 583_231);
    pattern.write(&mut stage.database(0)?, std::slice::from_ref(&seed))?;
    let token = key.token(&seed)?;
    Ok((seed, token))
}
