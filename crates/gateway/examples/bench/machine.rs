//! Where it was measured.

use std::{fs, path::Path, process::Command, thread, time::Duration};

use crate::{Answer, cores::Cores};

/// The machine, the programs and the date of a run.
///
/// # Errors
/// When the kernel says nothing of its processors.
pub(crate) fn describe(cores: Cores) -> Answer<Vec<(&'static str, String)>> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let models: Vec<_> = cpus
        .lines()
        .filter(|line| line.starts_with("model name"))
        .filter_map(|line| line.split(": ").nth(1))
        .collect();
    let memory = fs::read_to_string("/proc/meminfo")?;
    let memory = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .unwrap_or_default();
    Ok(vec![
        ("date", said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])),
        ("commit", said("git", &["rev-parse", "--short", "HEAD"])),
        (
            "machine",
            format!(
                "{} x {}, {} memory",
                models.len(),
                models.first().unwrap_or(&"an unnamed processor"),
                memory.trim()
            ),
        ),
        (
            "cores",
            format!(
                "server {}, load {}, Redis {}",
                cores.server, cores.load, cores.store
            ),
        ),
        ("kernel", said("uname", &["-sr"])),
        ("compiler", said("rustc", &["--version"])),
        ("Redis", said("redis-server", &["--version"])),
    ])
}

/// What runs the predecessor.
pub(crate) fn python(python: &Path) -> String {
    const ASK: &str = "import sys, importlib.metadata as m; print('Python', sys.version.split()[0], *(p + ' ' + m.version(p) \
                       for p in ('mcp-oauth-dynamicclient', 'uvicorn', 'uvloop', 'fastapi', 'authlib')))";
    said(&python.display().to_string(), &["-c", ASK])
}

/// The share of the processors that others used during one second, in percent: a machine that is not quiet gives no figures
/// to keep.
///
/// # Errors
/// When the kernel does not say.
pub(crate) fn others() -> Answer<u64> {
    let before = times()?;
    thread::sleep(Duration::from_secs(1));
    let after = times()?;
    let (idle, all) = (after.0 - before.0, after.1 - before.1);
    Ok(100 - idle * 100 / all.max(1))
}

/// Idle time and all time of all processors.
fn times() -> Answer<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let times: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    // idle and waiting for a disk
    let idle = times.get(3..5).ok_or("the kernel does not count idle time")?;
    Ok((idle.iter().sum(), times.iter().take(8).sum()))
}

/// The first line that a program says.
pub(crate) fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "unknown".into())
}
