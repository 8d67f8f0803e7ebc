//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measures the gateway: speed, growth, instructions.
#[derive(Parser)]
#[command(name = "bench", version, about, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Every goal beside its figure: ratios within one run, medians of interleaved rounds
    Speed(Speed),
    /// Cost of verify and token with few and with many grants in the store, and bytes per client and grant
    Growth(Growth),
    /// Grants end and are prolonged at random while two verifiers are asked about them: nobody may get in by one that has
    /// ended, and nobody may be refused whose grant lives
    Soak(Soak),
    /// Instructions per request of the hot path against the recorded ones; fails when they grew by more than 10 %
    Callgrind(Callgrind),
    /// Signs for a while and prints how often a second
    #[command(hide = true)]
    Sign(Sign),
    /// Loads a server until it is ended
    #[command(hide = true)]
    Load(Load),
}

/// What every measurement needs.
#[derive(Args, Clone)]
pub(crate) struct Common {
    /// The executable to measure: stripped, without the sandbox; for speed, with the feature bench
    #[arg(long, value_name = "FILE")]
    pub(crate) gateway: PathBuf,
    /// Short and few rounds: shows that everything works, its figures mean little
    #[arg(long)]
    pub(crate) quick: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Speed {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The same executable without the feature bench, as it is shipped; without it, the part weight is not measured
    #[arg(long, value_name = "FILE")]
    pub(crate) shipped: Option<PathBuf>,
    /// The Python that has mcp-oauth-dynamicclient 0.2.0; without it, comparisons with the predecessor are left out
    #[arg(long, value_name = "FILE")]
    pub(crate) predecessor: Option<PathBuf>,
    /// Write the table, the machine and the date into this document
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "docs/performance.md")]
    pub(crate) record: Option<PathBuf>,
    /// Leave out all but these parts: verify, issue, proxy, ending, outages, neighbours, flood, weight
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// How many rounds; without it 5, or 1 with --quick
    #[arg(long)]
    pub(crate) rounds: Option<usize>,
}

#[derive(Args)]
pub(crate) struct Growth {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many grants the stores hold; without it 1000,100000,2000000, or 1000,10000 with --quick
    #[arg(long, value_name = "COUNT", value_delimiter = ',')]
    pub(crate) grants: Vec<u64>,
    /// Write the table, the machine and the date into this document
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "docs/performance.md")]
    pub(crate) record: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Soak {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How long
    #[arg(long, value_name = "COUNT", default_value_t = 600)]
    pub(crate) seconds: u64,
    /// Judge by the order of events alone, and by no time: for machines that do other work
    #[arg(long)]
    pub(crate) order: bool,
    /// Write the table, the machine and the date into this document
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "docs/performance.md")]
    pub(crate) record: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Callgrind {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The file that holds the recorded counts
    #[arg(
        long,
        value_name = "FILE",
        default_value = "crates/gateway/examples/bench/instructions.json"
    )]
    pub(crate) file: PathBuf,
    /// Record what is counted now
    #[arg(long)]
    pub(crate) record: bool,
}

#[derive(Args)]
pub(crate) struct Sign {
    /// The PKCS#8 of a key, in base64
    #[arg(long)]
    pub(crate) key: String,
    #[arg(long)]
    pub(crate) algorithm: String,
    #[arg(long)]
    pub(crate) millis: u64,
}

#[derive(Args)]
pub(crate) struct Load {
    #[arg(long)]
    pub(crate) port: u16,
    #[arg(long)]
    pub(crate) connections: usize,
    /// Requests, one JSON string a line. One is sent again and again, several are sent once each.
    #[arg(long)]
    pub(crate) requests: PathBuf,
    #[arg(long)]
    pub(crate) expected: u16,
}
