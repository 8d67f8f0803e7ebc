//! A process whose instructions are counted by valgrind's callgrind.

use std::{
    collections::BTreeSet,
    fs,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use mcp_gateway_store::testing::free_port;

use crate::{
    Answer,
    client::Line,
    key::Key,
    process::answers,
    progress::now,
    requests::Registered,
    seed::{Pattern, Seed},
    stage::Stage,
};

/// A start under valgrind takes a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// Functions of the C library that give memory.
const ALLOCATING: [&str; 6] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
];

/// What a run, or a request, took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
}

/// What is asked of a process whose instructions are counted.
pub(crate) struct Subject<'a> {
    pub(crate) role: &'a str,
    pub(crate) key: &'a Key,
    pub(crate) database: u8,
    pub(crate) feed: Feed<'a>,
    pub(crate) expected: u16,
}

/// The requests.
pub(crate) enum Feed<'a> {
    /// The same again and again.
    Same(String),
    /// The exchange of a new code of this client each time.
    Codes(&'a Pattern, &'a Registered),
}

impl Feed<'_> {
    fn requests(&self, stage: &Stage, database: u8, times: usize) -> Answer<Vec<String>> {
        match self {
            Self::Same(request) => Ok(vec![request.clone(); times]),
            Self::Codes(fresh, client) => {
                let seeds = Seed::of_client(&client.id, times);
                fresh.write(&mut stage.database(database)?, &seeds)?;
                Ok(client.exchanges(&seeds))
            }
        }
    }
}

/// A process under valgrind, ended by a signal so that valgrind writes its count.
struct Counted(Child);

impl Counted {
    /// The number of the process: `taskset` and valgrind become the program.
    fn end(mut self) -> Answer<()> {
        let status = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status()?;
        if !status.success() {
            return Err("the process is gone".into());
        }
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What it takes a process that starts, answers so many requests, and ends.
///
/// # Errors
/// When valgrind is missing, or something is answered that is not expected.
pub(crate) async fn run(stage: &Stage, subject: &Subject<'_>, times: usize) -> Answer<Counts> {
    let requests = subject.feed.requests(stage, subject.database, times)?;
    let port = free_port();
    let start = stage.start(subject.role, subject.key, subject.database, port);
    let out = stage.directory.path().join("callgrind.out");
    let child = Command::new("taskset")
        .args(["--cpu-list", &stage.cores.server.to_string(), "valgrind"])
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(stage.executable())
        .args(&start.arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(start.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(stage.directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut counted = Counted(child);
    let began = now();
    while !answers(port, "/readyz") {
        if counted.0.try_wait()?.is_some() || began.elapsed() > PATIENCE {
            return Err("the process does not start under valgrind (Debian package valgrind)".into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let mut line = Line::open(port).await?;
    for request in &requests {
        let (status, expected) = (line.ask(request.as_bytes()).await?, subject.expected);
        if status != expected {
            return Err(format!("{status} was answered where {expected} was expected").into());
        }
    }
    drop(line);
    counted.end()?;
    read(&fs::read_to_string(&out)?)
}

/// Reads the file that callgrind writes.
fn read(text: &str) -> Answer<Counts> {
    let total = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("summary:")
                .or_else(|| line.strip_prefix("totals:"))
        })
        .and_then(|line| line.split_whitespace().next());
    Ok(Counts {
        instructions: total.ok_or("valgrind wrote no count")?.parse()?,
        allocations: allocations(text),
    })
}

/// How often the C library was asked for memory. A function has a number, which stands for its name wherever it comes again.
fn allocations(text: &str) -> u64 {
    let mut asked = BTreeSet::new();
    let mut called = None;
    let mut times = 0;
    for line in text.lines() {
        let function = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn="));
        if let Some(function) = function {
            let (number, name) = function.split_once(' ').unwrap_or((function, ""));
            if ALLOCATING.contains(&name) {
                asked.insert(number);
            }
            called = line.starts_with("cfn=").then_some(number);
        } else if let Some(calls) = line.strip_prefix("calls=")
            && called.is_some_and(|number| asked.contains(number))
        {
            let number = calls.split(' ').next().and_then(|number| number.parse().ok());
            times += number.unwrap_or(0);
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_the_heap_are_counted_by_number_and_by_name() {
        let text = "fn=(1) main\n3 20\ncfn=(2) malloc\ncalls=4 9\n3 100\ncfn=(3) free\ncalls=40 9\n3 100\n\n\
                    fn=(2)\n9 5\ncfn=(4) _int_malloc\ncalls=4 2\n9 7\n\nfn=(5) later\ncfn=(2)\ncalls=3 9\n7 1\n\
                    cfn=(6) realloc\ncalls=2 1\n7 1\ntotals: 12345\n";
        let counts = read(text).unwrap();
        assert_eq!((counts.instructions, counts.allocations), (12345, 9));
        assert!(read("fn=(1) main\n").is_err());
    }
}
