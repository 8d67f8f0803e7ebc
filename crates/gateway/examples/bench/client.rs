//! The load generator: one thread, many connections, each with one request under way at a time.
//!
//! An answer with another status than the expected one ends the measurement: errors are not counted as speed.

use std::{
    cell::RefCell,
    fs,
    net::Ipv4Addr,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::spawn_local,
};

use crate::{Answer, arguments, progress::now};

/// What is sent.
#[derive(Clone)]
pub(crate) enum Feed {
    /// The same request again and again.
    Same(Rc<str>),
    /// Each of these once; the load ends when there are none left.
    Each(Rc<[String]>),
    /// One after the other of these, again and again.
    Turns(Rc<[String]>),
}

/// What is asked of a server.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) port: u16,
    pub(crate) connections: usize,
    pub(crate) duration: Duration,
    pub(crate) feed: Feed,
    pub(crate) expected: u16,
}

/// What came of it.
pub(crate) struct Run {
    /// How long it took from the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// How long each request took, sorted, in nanoseconds.
    latencies: Vec<u64>,
}

impl Run {
    /// What came of all of these together.
    pub(crate) fn all(runs: Vec<Self>) -> Self {
        let elapsed = runs.iter().map(|run| run.elapsed).sum();
        let mut latencies: Vec<_> = runs.into_iter().flat_map(|run| run.latencies).collect();
        latencies.sort_unstable();
        Self { elapsed, latencies }
    }

    /// How many requests were answered.
    pub(crate) fn requests(&self) -> f64 {
        count(self.latencies.len())
    }

    /// Requests a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests() / self.elapsed.as_secs_f64()
    }

    /// The time that this share of the requests did not exceed, in microseconds.
    pub(crate) fn quantile(&self, percent: usize) -> f64 {
        let place = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        let nanos = self.latencies.get(place).copied().unwrap_or_default();
        crate::progress::micros(Duration::from_nanos(nanos))
    }
}

/// A number of things as a number to calculate with.
pub(crate) fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// What the connections share.
struct Course {
    feed: Feed,
    next: usize,
    deadline: Instant,
    expected: u16,
    latencies: Vec<u64>,
}

impl Course {
    fn next(&mut self) -> Option<Wire> {
        match &self.feed {
            Feed::Same(request) => Some(Wire::Same(Rc::clone(request))),
            Feed::Each(requests) => {
                let at = self.next;
                self.next += 1;
                (at < requests.len()).then(|| Wire::Nth(Rc::clone(requests), at))
            }
            Feed::Turns(requests) => {
                let at = self.next % requests.len().max(1);
                self.next += 1;
                (at < requests.len()).then(|| Wire::Nth(Rc::clone(requests), at))
            }
        }
    }
}

/// One request, not copied.
enum Wire {
    Same(Rc<str>),
    Nth(Rc<[String]>, usize),
}

impl Wire {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Same(request) => request.as_bytes(),
            Self::Nth(requests, at) => requests[*at].as_bytes(),
        }
    }
}

/// Loads a server.
///
/// # Errors
/// When a connection fails, or an answer has another status than the expected one.
pub(crate) async fn run(load: &Load) -> Answer<Run> {
    let mut lines = Vec::new();
    for _ in 0..load.connections {
        lines.push(Line::open(load.port).await?);
    }
    let began = now();
    let course = Rc::new(RefCell::new(Course {
        feed: load.feed.clone(),
        next: 0,
        deadline: began + load.duration,
        expected: load.expected,
        latencies: Vec::new(),
    }));
    let tasks: Vec<_> = lines
        .into_iter()
        .map(|line| spawn_local(drive(line, Rc::clone(&course))))
        .collect();
    for task in tasks {
        task.await??;
    }
    let elapsed = began.elapsed();
    let mut latencies = std::mem::take(&mut course.borrow_mut().latencies);
    latencies.sort_unstable();
    if latencies.is_empty() {
        return Err("no request was answered in time".into());
    }
    Ok(Run { elapsed, latencies })
}

async fn drive(mut line: Line, course: Rc<RefCell<Course>>) -> Result<(), String> {
    let mut sent = now();
    loop {
        let request = {
            let mut course = course.borrow_mut();
            if sent >= course.deadline {
                return Ok(());
            }
            course.next()
        };
        let Some(request) = request else {
            return Ok(());
        };
        let status = line
            .ask(request.bytes())
            .await
            .map_err(|fault| fault.to_string())?;
        let answered = now();
        let mut course = course.borrow_mut();
        if status != course.expected {
            return Err(format!(
                "{} was answered where {} was expected: {}",
                status,
                course.expected,
                line.said()
            ));
        }
        let took = answered.duration_since(sent).as_nanos();
        course.latencies.push(u64::try_from(took).unwrap_or(u64::MAX));
        sent = answered;
    }
}

/// A connection.
pub(crate) struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

impl Line {
    /// Connects to a port on loopback.
    ///
    /// # Errors
    /// When nothing listens there.
    pub(crate) async fn open(port: u16) -> Answer<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 64 * 1024],
            filled: 0,
        })
    }

    /// Sends a request and reads the whole answer; answers its status.
    ///
    /// # Errors
    /// When the connection ends, or the answer is not understood.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Answer<u16> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
            if read == 0 {
                return Err("the server closed the connection".into());
            }
            self.filled += read;
            if let Some(answer) = Head::read(&self.buffer[..self.filled])?
                && self.filled >= answer.length
            {
                return Ok(answer.status);
            }
            if self.filled == self.buffer.len() {
                return Err("the answer is longer than 64 KiB".into());
            }
        }
    }

    /// The body of the answer that was read last.
    pub(crate) fn body(&self) -> &[u8] {
        let answer = &self.buffer[..self.filled];
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        end.map_or(&[], |end| &answer[end + 4..])
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.buffer[..self.filled.min(600)]).into_owned()
    }
}

/// The head of an answer.
pub(crate) struct Head {
    pub(crate) status: u16,
    /// How long head and body are together.
    pub(crate) length: usize,
}

impl Head {
    /// Reads a head, if it is there in full.
    ///
    /// # Errors
    /// When it is none, or does not say how long its body is.
    pub(crate) fn read(answer: &[u8]) -> Answer<Option<Self>> {
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = &answer[..end];
        let digits = head.get(9..12).ok_or("not HTTP")?;
        let status: u16 = std::str::from_utf8(digits)?.parse()?;
        let mut body = None;
        for line in head.split(|b| *b == b'\n').skip(1) {
            let name = line.get(..15).unwrap_or_default();
            if name.eq_ignore_ascii_case(b"content-length:") {
                body = Some(std::str::from_utf8(&line[15..])?.trim().parse::<usize>()?);
            }
        }
        let body = match (body, status) {
            (Some(body), _) => body,
            (None, 204 | 304) => 0,
            (None, _) => return Err("an answer without a length".into()),
        };
        Ok(Some(Self {
            status,
            length: end + 4 + body,
        }))
    }
}

/// Loads a server until this process is ended, or there is nothing left to send.
///
/// # Errors
/// As [`run`].
pub(crate) async fn load(arguments: &arguments::Load) -> Answer<ExitCode> {
    let text = fs::read_to_string(&arguments.requests)?;
    let requests: Vec<String> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let feed = match requests.as_slice() {
        [one] => Feed::Same(one.as_str().into()),
        _ => Feed::Each(requests.into()),
    };
    let load = Load {
        port: arguments.port,
        connections: arguments.connections,
        duration: Duration::from_secs(600),
        feed,
        expected: arguments.expected,
    };
    run(&load).await?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nbody";
        assert!(Head::read(&answer[..30]).unwrap().is_none());
        let head = Head::read(&answer[..52]).unwrap().unwrap();
        assert_eq!((head.status, head.length), (401, answer.len()));
        let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(Head::read(empty).unwrap().unwrap().length, empty.len());
    }

    #[test]
    fn an_answer_of_unknown_length_is_refused() {
        let streamed = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(Head::read(streamed).is_err());
    }

    #[test]
    fn a_quantile_is_a_time_that_was_measured() {
        let run = Run {
            elapsed: Duration::from_secs(2),
            latencies: (1..=100).map(|n| n * 1000).collect(),
        };
        assert_eq!(
            format!("{:.0} {:.0}", run.quantile(50), run.quantile(99)),
            "51 100"
        );
        assert_eq!(format!("{:.0}", run.rate()), "50");
    }
}
