//! Cost of verify and token with few and with many grants in the store, and what a client and a grant weigh there.
//!
//! Each size has a Redis of its own and a pair of gateway processes, and the rounds go through all of them in turn.

use std::{fs, process::ExitCode, time::Duration};

use mcp_gateway_model::{id::ClientId, key::Algorithm};
use redis::{Connection, cmd};

use crate::{
    Answer,
    arguments::{Common, Growth},
    client::{self, Feed, Load, count},
    cores::Cores,
    key::Key,
    machine,
    measure::{Rival, disturbed, finish, in_turn},
    progress::note,
    record,
    report::{Goal, Report},
    requests::{self, Registered},
    samples::Figure,
    seed::{Kind, Pattern, Seed},
    stage::{Keeps, Server, Stage, field},
};

/// Connections of every load here.
const CONNECTIONS: usize = 32;
/// In how many parts each size has its turn within a round.
const TURNS: usize = 4;
/// How many grants each client and each person has.
const GRANTS_EACH: usize = 10;
/// How many grants are written at a time.
const BATCH: usize = 10_000;
/// What a grant takes at most, with its share of its client and its person: for a look at the memory before loading.
const MEMORY_EACH: u64 = 8 * 1024;

/// One size.
struct Size {
    grants: usize,
    stage: Stage,
    auth: Server,
    verifier: Server,
    client: Registered,
    /// Verify requests, with tokens of grants from all over the store.
    tokens: Vec<String>,
}

/// The patterns that everything is loaded with.
struct Patterns {
    client: Pattern,
    used: Pattern,
    fresh: Pattern,
}

/// How much each round does.
struct Amount {
    rounds: usize,
    tokens: usize,
    codes: usize,
}

/// Measures all sizes.
///
/// # Errors
/// When something does not start or fails, or the machine has too little memory.
pub(crate) async fn measure(arguments: &Growth) -> Answer<ExitCode> {
    let common = &arguments.common;
    let sizes: Vec<usize> = match (arguments.grants.is_empty(), common.quick) {
        (true, true) => vec![1000, 10_000],
        (true, false) => vec![1000, 100_000, 2_000_000],
        _ => arguments
            .grants
            .iter()
            .map(|grants| usize::try_from(*grants))
            .collect::<Result<_, _>>()?,
    };
    enough_memory(&sizes)?;
    let cores = Cores::take()?;
    let mut report = Report::new("growth", machine::describe(cores)?);
    disturbed(&mut report)?;
    if arguments.record.is_some() {
        record::allowed(&report, common.quick)?;
    }
    let amount = if common.quick {
        Amount {
            rounds: 1,
            tokens: 500,
            codes: 200,
        }
    } else {
        Amount {
            rounds: 7,
            tokens: 5000,
            codes: 2000,
        }
    };
    let patterns = Patterns {
        client: Pattern::of(Kind::Client).await?,
        used: Pattern::of(Kind::Used).await?,
        fresh: Pattern::of(Kind::Fresh).await?,
    };
    weigh(common, cores, &patterns, &mut report)?;
    // a signature costs too little here to hide what the store costs
    let key = Key::generate(Algorithm::EdDsa)?;
    let mut stages = Vec::new();
    for grants in sizes {
        let stage = Stage::new(common, cores, Keeps::Nothing)?;
        stages.push(prepare(stage, grants, &key, &patterns, &amount).await?);
    }
    for round in 1..=amount.rounds {
        note(&format!("round {round} of {}", amount.rounds));
        measure_round(&stages, &key, &patterns.fresh, &amount, &mut report).await?;
    }
    judge(&stages, &mut report);
    finish(&report, common, arguments.record.as_deref())
}

/// Whether everything fits.
fn enough_memory(sizes: &[usize]) -> Answer<()> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let available = field(&text, "MemAvailable").and_then(|line| line.split(' ').next());
    let available: u64 = available
        .ok_or("this kernel does not say how much memory is free")?
        .parse()?;
    let grants: u64 = sizes
        .iter()
        .map(|grants| u64::try_from(*grants).unwrap_or(u64::MAX))
        .sum();
    let needed = grants.saturating_mul(MEMORY_EACH) / 1024;
    if needed > available {
        return Err(format!(
            "{grants} grants need up to {needed} kB of memory, {available} kB are free: choose fewer with --grants"
        )
        .into());
    }
    Ok(())
}

/// What a client and a grant weigh in Redis.
fn weigh(common: &Common, cores: Cores, patterns: &Patterns, report: &mut Report) -> Answer<()> {
    let number = if common.quick { 2000 } else { 50_000 };
    note(&format!("weighing {number} clients and grants"));
    let stage = Stage::new(common, cores, Keeps::Nothing)?;
    let mut connection = stage.database(0)?;
    let empty = memory(&mut connection)?;
    let clients: Vec<_> = (0..number)
        .map(|_| Seed::new(ClientId::generate().as_str(), 0))
        .collect();
    patterns.client.write(&mut connection, &clients)?;
    let with_clients = memory(&mut connection)?;
    let clients: Vec<_> = clients.into_iter().map(|seed| seed.client).collect();
    patterns
        .used
        .write(&mut connection, &spread(&clients, 0, number))?;
    let with_grants = memory(&mut connection)?;
    for (name, grown) in [
        ("store bytes per client", with_clients - empty),
        (
            "store bytes per grant: grant, code, refresh state, indexes",
            with_grants - with_clients,
        ),
    ] {
        report.line(name, "B", Goal::Told, Ok(Figure::once(grown / count(number))));
    }
    Ok(())
}

/// The memory that Redis uses for what it holds.
fn memory(connection: &mut Connection) -> Answer<f64> {
    let text: String = cmd("INFO").arg("memory").query(connection)?;
    let used = field(&text, "used_memory").ok_or("Redis does not say how much memory it uses")?;
    Ok(used.parse()?)
}

/// So many grants from the given one on, in turn of one client and person after the other.
fn spread(clients: &[String], from: usize, number: usize) -> Vec<Seed> {
    (from..from + number)
        .map(|at| {
            let holder = at / GRANTS_EACH;
            let user = 1_000_000 + u64::try_from(holder).unwrap_or_default();
            Seed::new(&clients[holder % clients.len()], user)
        })
        .collect()
}

/// Starts the processes of one size and loads its store.
async fn prepare(
    stage: Stage,
    grants: usize,
    key: &Key,
    patterns: &Patterns,
    amount: &Amount,
) -> Answer<Size> {
    note(&format!("loading {grants} grants"));
    let auth = stage.gateway("auth-server", key, 0)?;
    let verifier = stage.gateway("verifier", key, 0)?;
    let client = Registered::at(auth.port, "none").await?;
    let mut connection = stage.database(0)?;
    let clients: Vec<_> = (0..grants.div_ceil(GRANTS_EACH))
        .map(|_| ClientId::generate().as_str().to_owned())
        .collect();
    for batch in clients.chunks(BATCH) {
        let seeds: Vec<_> = batch.iter().map(|client| Seed::new(client, 0)).collect();
        patterns.client.write(&mut connection, &seeds)?;
    }
    let mut tokens = Vec::new();
    // the same number at each size: where there are fewer grants, several of each
    let wanted = amount.tokens.min(grants);
    let copies = amount.tokens.div_ceil(wanted.max(1));
    for from in (0..grants).step_by(BATCH) {
        let seeds = spread(&clients, from, BATCH.min(grants - from));
        patterns.used.write(&mut connection, &seeds)?;
        // as many of each batch as its share of all grants
        let share = (wanted * (from + seeds.len()) / grants).saturating_sub(tokens.len() / copies);
        for seed in seeds
            .iter()
            .step_by((seeds.len() / share.max(1)).max(1))
            .take(share)
        {
            for _ in 0..copies {
                tokens.push(requests::verify("/verify", &key.token(seed)?));
            }
        }
    }
    Ok(Size {
        grants,
        stage,
        auth,
        verifier,
        client,
        tokens,
    })
}

impl Size {
    fn name(&self, what: &str) -> String {
        format!("{what}, {} grants", self.grants)
    }
}

/// Somebody to be loaded in turn with others, with each of these requests once.
fn rival<'a>(name: &'a str, server: &'a Server, requests: &[String]) -> Rival<'a> {
    let parts = requests.chunks(requests.len().div_ceil(TURNS).max(1));
    Rival {
        name,
        process: &server.process,
        parts: parts.map(|part| each(server.port, part.to_vec())).collect(),
    }
}

/// A load with each of these requests once.
fn each(port: u16, requests: Vec<String>) -> Load {
    Load {
        port,
        connections: CONNECTIONS,
        duration: Duration::from_secs(60),
        feed: Feed::Each(requests.into()),
        expected: 200,
    }
}

/// All sizes in turn: first with cold tokens, then with a warm one, then with codes.
async fn measure_round(
    sizes: &[Size],
    key: &Key,
    fresh: &Pattern,
    amount: &Amount,
    report: &mut Report,
) -> Answer<()> {
    let names = |what: &str| -> Vec<String> { sizes.iter().map(|size| size.name(what)).collect() };
    // a new process has seen no token: each of these is looked up in the store
    let verifiers = sizes.iter().map(|size| size.stage.gateway("verifier", key, 0));
    let verifiers = verifiers.collect::<Answer<Vec<_>>>()?;
    let cold = names("verify, cold tokens");
    let mut rivals = Vec::new();
    for ((size, verifier), name) in sizes.iter().zip(&verifiers).zip(&cold) {
        let (first, rest) = size.tokens.split_at(size.tokens.len() / 5);
        client::run(&each(verifier.port, first.to_vec())).await?;
        rivals.push(rival(name, verifier, rest));
    }
    in_turn(&mut report.samples, rivals).await?;
    let warm = names("verify, warm token");
    let mut rivals = Vec::new();
    for (size, name) in sizes.iter().zip(&warm) {
        let part = Load {
            duration: Duration::from_millis(200),
            feed: Feed::Same(size.tokens[0].as_str().into()),
            ..each(size.verifier.port, vec![])
        };
        client::run(&part).await?;
        rivals.push(Rival {
            name,
            process: &size.verifier.process,
            parts: vec![part; TURNS],
        });
    }
    in_turn(&mut report.samples, rivals).await?;
    let token = names("token");
    let mut rivals = Vec::new();
    for (size, name) in sizes.iter().zip(&token) {
        let seeds = Seed::of_client(&size.client.id, amount.codes);
        fresh.write(&mut size.stage.database(0)?, &seeds)?;
        rivals.push(rival(name, &size.auth, &size.client.exchanges(&seeds)));
    }
    in_turn(&mut report.samples, rivals).await
}

/// Compares the cost of a request at each size with that at the first.
fn judge(sizes: &[Size], report: &mut Report) {
    let Some((least, others)) = sizes.split_first() else {
        return;
    };
    let most = others.len();
    for (place, size) in others.iter().enumerate() {
        for (what, judged) in [
            ("verify, cold tokens", true),
            ("verify, warm token", true),
            ("token", false),
        ] {
            let pair = (least.name(what), size.name(what));
            // less is done in a second when each costs more
            let cost = report.samples.ratio((&pair.0, &pair.1), CONNECTIONS, |s| s.rate);
            let goal = if judged && place + 1 == most {
                Goal::AtMost(1.05)
            } else {
                Goal::Told
            };
            let name = format!("cost of {what}: {} / {} grants", size.grants, least.grants);
            report.line(name, "", goal, cost);
        }
    }
}
