//! Which core does what: a server and what loads it never share one.

use std::{fs, process::Command};

use crate::Answer;

/// The cores of this run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// What is measured runs here, alone.
    pub(crate) server: usize,
    /// The load is made here.
    pub(crate) load: usize,
    /// Redis runs here: a core of its own if there are three, else the load's.
    pub(crate) store: usize,
}

impl Cores {
    /// Chooses among the cores this process may use, and binds it to the load's.
    ///
    /// # Errors
    /// When there are fewer than two.
    pub(crate) fn take() -> Answer<Self> {
        let cores = allowed()?;
        let [server, load, rest @ ..] = cores.as_slice() else {
            return Err("two cores are needed: one for the server, one for the load".into());
        };
        let cores = Self {
            server: *server,
            load: *load,
            store: rest.first().copied().unwrap_or(*load),
        };
        bind(std::process::id(), cores.load)?;
        Ok(cores)
    }

    /// Chooses among the cores this process may use, be it one, and binds it to none.
    ///
    /// # Errors
    /// When the kernel does not say which there are.
    pub(crate) fn any() -> Answer<Self> {
        let cores = allowed()?;
        let (first, last) = (cores.first(), cores.last());
        let (Some(server), Some(load)) = (first.copied(), last.copied()) else {
            return Err("this kernel does not say which cores may be used".into());
        };
        Ok(Self {
            server,
            load,
            store: load,
        })
    }
}

/// The cores that this process may use.
fn allowed() -> Answer<Vec<usize>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .ok_or("this kernel does not say which cores may be used")?;
    Ok(parse(list.trim()))
}

/// Binds all threads of a process to a core.
///
/// # Errors
/// When that is not allowed.
pub(crate) fn bind(process: u32, core: usize) -> Answer<()> {
    let output = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", &core.to_string()])
        .arg(process.to_string())
        .output()
        .map_err(|fault| format!("taskset (Debian package util-linux) is needed: {fault}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into())
    }
}

/// A list such as `0-2,5`.
fn parse(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        match (from.parse::<usize>(), to.parse::<usize>()) {
            (Ok(from), Ok(to)) => from..to + 1,
            _ => 0..0,
        }
    };
    text.split(',').flat_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_single_cores_are_read() {
        assert_eq!(parse("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(parse("7"), [7]);
        assert_eq!(parse("nothing"), [0_usize; 0]);
    }
}
