//! `check-config`: what is in effect, and whether what it points to answers.

use std::time::Duration;

use mcp_gateway_model::clock::{Clock, SystemClock};
use reqwest::Url;
use serde::Serialize;

use crate::{
    cli::{CheckArgs, read_sources},
    config::{Config, Role, Shown, Sources, StoreConfig, TlsFiles, shown},
    failure::Failure,
    output::{say, say_json},
    serve::tls,
    store,
};

/// How long Redis and GitHub may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Serialize)]
struct Report {
    role: &'static str,
    settings: Vec<Shown>,
    faults: Vec<Fault>,
    warnings: Vec<String>,
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Fault {
    setting: String,
    problem: String,
}

/// One question that was asked.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
}

impl Check {
    fn new(name: &'static str, outcome: Result<String, String>) -> Self {
        Self {
            name,
            ok: outcome.is_ok(),
            detail: outcome.unwrap_or_else(|problem| problem),
        }
    }
}

/// Shows the configuration, and asks.
///
/// # Errors
/// [`Failure::Configuration`] for faults, [`Failure::Runtime`] when something does not answer.
pub(crate) async fn run(args: &CheckArgs) -> Result<(), Failure> {
    let (sources, faults) = read_sources(&args.server.flags());
    let config = match Config::parse(&sources, args.role, faults) {
        Ok(config) => config,
        Err(faults) if args.json => {
            let faults = faults.iter().map(|(setting, problem)| Fault {
                setting: setting.to_owned(),
                problem: problem.to_owned(),
            });
            say_json(&Report {
                role: args.role.name(),
                settings: Vec::new(),
                faults: faults.collect(),
                warnings: sources.warnings.clone(),
                checks: Vec::new(),
            });
            return Err(Failure::Configuration("the configuration has faults".to_owned()));
        }
        Err(faults) => return Err(faults.into()),
    };
    let report = report(args.role, &sources, &config).await;
    if args.json {
        say_json(&report);
    } else {
        print(&report);
    }
    let failed: Vec<_> = report
        .checks
        .iter()
        .filter(|check| !check.ok)
        .map(|check| check.name)
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::Runtime(format!("failed: {}", failed.join(", "))))
    }
}

async fn report(role: Role, sources: &Sources, config: &Config) -> Report {
    let mut warnings = config.warnings.clone();
    let mut checks = vec![Check::new("store", ask_store(config, role, &mut warnings).await)];
    if role != Role::Verifier {
        checks.push(Check::new("github web", ask(&config.github.web_url).await));
        checks.push(Check::new("github api", ask(&config.github.api_url).await));
    }
    if let Some(files) = &config.listen.tls {
        checks.push(Check::new("certificate", look_at_certificate(files)));
    }
    Report {
        role: role.name(),
        settings: shown(sources, config),
        faults: Vec::new(),
        warnings,
        checks,
    }
}

/// Whether the store answers, and what an operator should know about it.
async fn ask_store(config: &Config, role: Role, warnings: &mut Vec<String>) -> Result<String, String> {
    if let StoreConfig::Directory(directory) = &config.store {
        return look_at_directory(directory);
    }
    let opened = store::open(config, role).map_err(|failure| failure.to_string())?;
    let now = SystemClock.now();
    let asked = async {
        let health = opened.reader.health(now).await?;
        if let Some(store) = &opened.store {
            warnings.extend(
                store
                    .inspect(now)
                    .await?
                    .into_iter()
                    .map(|warning| format!("store: {}", warning.0)),
            );
        }
        Ok::<_, mcp_gateway_store::StoreError>(health)
    };
    match actix_web::rt::time::timeout(PATIENCE, asked).await {
        Ok(Ok(health)) => Ok(format!(
            "answers{}; its clock is {} ms from ours",
            kind(&config.store),
            health.clock_skew.as_millis()
        )),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("does not answer in time".to_owned()),
    }
}

/// What kind of Redis it is, and no address: that may hold a password.
fn kind(store: &StoreConfig) -> String {
    match store {
        StoreConfig::Redis(redis) => format!(" ({})", redis.kind),
        _ => String::new(),
    }
}

/// A running gateway has the file open, so it is only looked at.
fn look_at_directory(directory: &std::path::Path) -> Result<String, String> {
    let name = directory.display();
    match std::fs::metadata(directory) {
        Ok(found) if found.is_dir() && found.permissions().readonly() => {
            Err(format!("{name} cannot be written"))
        }
        Ok(found) if found.is_dir() => Ok(format!("embedded, in {name}")),
        Ok(_) => Err(format!("{name} is not a directory")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Ok(format!("embedded; {name} is made at the first start"))
        }
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// Whether clients take the certificate now.
fn look_at_certificate(files: &TlsFiles) -> Result<String, String> {
    tls::examine(files, SystemClock.now())
        .map(|()| {
            format!(
                "{} is valid, and {} is its key",
                files.certificates.display(),
                files.key.display()
            )
        })
        .map_err(|problem| problem.to_string())
}

/// Whether there is a web server at `url`.
async fn ask(url: &Url) -> Result<String, String> {
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .user_agent("mcp-oauth-gateway")
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| error.to_string())?;
    match client.get(url.clone()).send().await {
        Ok(answer) if answer.status().is_server_error() => Err(format!("{url} answers {}", answer.status())),
        Ok(_) => Ok(format!("{url} answers")),
        Err(error) => Err(format!("{url} cannot be reached: {}", error.without_url())),
    }
}

fn print(report: &Report) {
    say(&format!("Settings in effect for {}:", report.role));
    for setting in &report.settings {
        say(&format!(
            "  {:<44}{}  ({})",
            setting.name, setting.value, setting.origin
        ));
    }
    say("\nChecks:");
    for check in &report.checks {
        let mark = if check.ok { "ok    " } else { "FAILED" };
        say(&format!("  {mark} {}: {}", check.name, check.detail));
    }
    if !report.warnings.is_empty() {
        say("\nWarnings:");
    }
    for warning in &report.warnings {
        say(&format!("  {warning}"));
    }
}
