//! Measures the gateway against what it could be at best, in one run, and prints each goal beside its figure.
//!
//! ```sh
//! just bench --quick      # a look at everything, two minutes
//! just bench              # the whole thing
//! just bench-growth       # cost and size with up to two million grants
//! just soak               # ten minutes of grants that end and are prolonged at random
//! just callgrind          # instructions per request against the recorded ones
//! ```
//!
//! `docs/performance.md` says what is measured, and how.

mod arguments;
mod callgrind;
mod client;
mod cores;
mod growth;
mod instructions;
mod key;
mod machine;
mod measure;
mod predecessor;
mod process;
mod progress;
mod record;
mod report;
mod requests;
mod samples;
mod seed;
mod sign;
mod soak;
mod stage;
mod traefik;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Task};

/// What anything here answers: a value, or a sentence that says what went wrong.
pub(crate) type Answer<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match begin(arguments) {
        Ok(code) => code,
        Err(fault) => {
            progress::note(&format!("bench: {fault}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs the task: what serves or loads in a process of its own, or what measures.
fn begin(arguments: Arguments) -> Answer<ExitCode> {
    match arguments.task {
        Task::Sign(sign) => sign::sign(&sign).map(|()| ExitCode::SUCCESS),
        Task::Load(load) => alone(client::load(&load)),
        Task::Speed(speed) => alone(measure::speed(&speed)),
        Task::Growth(growth) => alone(growth::measure(&growth)),
        Task::Soak(soak) => alone(soak::run(&soak)),
        Task::Callgrind(callgrind) => alone(instructions::check(&callgrind)),
    }
}

/// Runs on one thread, so that the load is made on one core.
fn alone(task: impl Future<Output = Answer<ExitCode>>) -> Answer<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, task)
}
