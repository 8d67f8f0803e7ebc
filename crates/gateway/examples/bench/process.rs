//! Processes bound to a core, which end with the value.

use std::{
    ffi::OsStr,
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{Answer, progress::now};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait between two looks, short enough not to slow down what is waited for.
const PAUSE: Duration = Duration::from_micros(200);

/// What is to be started.
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) directory: &'a Path,
    /// The core it is bound to, if to one.
    pub(crate) core: Option<usize>,
}

impl Start<'_> {
    fn command(&self) -> Command {
        let mut command = if let Some(core) = self.core {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", &core.to_string()]).arg(self.program);
            command
        } else {
            Command::new(self.program)
        };
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.directory)
            .stdin(Stdio::null());
        command
    }

    /// Starts it with its output thrown away: a log that is kept would be part of what is measured.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn quietly(&self) -> Answer<Process> {
        let child = self
            .command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Process { child })
    }

    /// Starts it, and waits until `path` at `port` answers with 200.
    ///
    /// # Errors
    /// When it ends or does not answer; the text is what it says when it is started once more.
    pub(crate) fn ready(&self, port: u16, path: &str) -> Answer<Process> {
        let mut process = self.quietly()?;
        let began = now();
        while !answers(port, path) {
            if process.child.try_wait()?.is_some() || began.elapsed() > PATIENCE {
                drop(process);
                return Err(self.complaint()?.into());
            }
            thread::sleep(PAUSE);
        }
        Ok(process)
    }

    /// What it says when it starts; whatever follows is cut off.
    fn complaint(&self) -> Answer<String> {
        let mut child = self
            .command()
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        thread::sleep(Duration::from_secs(2));
        child.kill()?;
        let output = child.wait_with_output()?;
        let said: Vec<_> = String::from_utf8_lossy(&output.stderr)
            .lines()
            .take(20)
            .map(str::to_owned)
            .collect();
        let name = self.program.file_name().unwrap_or(OsStr::new("?")).display();
        Ok(format!(
            "{name} {} does not start:\n{}",
            self.arguments.join(" "),
            said.join("\n")
        ))
    }
}

/// Whether `path` at `port` answers with 200.
pub(crate) fn answers(port: u16, path: &str) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut begin = [0; 12];
        stream.read_exact(&mut begin)?;
        Ok::<_, std::io::Error>(begin.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// A running process.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// How long its threads have run on a processor.
    pub(crate) fn processor_time(&self) -> Answer<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.id()))? {
            // a thread may end between listing and reading
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanos += text
                .split(' ')
                .next()
                .and_then(|n| n.parse::<u64>().ok())
                .unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Its resident memory in bytes.
    pub(crate) fn memory(&self) -> Answer<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes: u64 = line
            .and_then(|line| line.split_whitespace().next())
            .ok_or("the process is gone")?
            .parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
