//! Asks the same thing again and again, on a thread of its own, and notes when each answer came.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{Answer, client::Head, progress::now};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// One answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// When it was there in full.
    pub(super) at: Instant,
    /// Its status; 0 for a connection that ended, or no answer in time.
    pub(super) status: u16,
}

/// Asking.
pub(super) struct Watch {
    asking: JoinHandle<Vec<Seen>>,
    good: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    /// Begins, and waits until ten answers were 200. It goes on until it is stopped, or, if `first` is all that counts, until
    /// an answer is not 200.
    ///
    /// # Errors
    /// When there are no such answers.
    pub(super) fn begin(port: u16, request: String, first: bool) -> Answer<Self> {
        let (good, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, ended) = (Arc::clone(&good), Arc::clone(&stop));
        let asking = thread::spawn(move || {
            let mut seen: Vec<Seen> = Vec::new();
            let mut line = None;
            while !ended.load(Ordering::Relaxed) {
                let status = ask(&mut line, port, request.as_bytes());
                seen.push(Seen { at: now(), status });
                if status == 200 {
                    counted.fetch_add(1, Ordering::Relaxed);
                } else if first {
                    break;
                }
            }
            seen
        });
        let watch = Self { asking, good, stop };
        let began = now();
        while watch.good.load(Ordering::Relaxed) < 10 {
            if began.elapsed() > PATIENCE || watch.asking.is_finished() {
                let last = watch.end()?.last().map(|seen| seen.status);
                return Err(format!("a good token was answered with {last:?}").into());
            }
            thread::sleep(Duration::from_micros(100));
        }
        Ok(watch)
    }

    /// What was seen up to now, after which nothing more is asked.
    ///
    /// # Errors
    /// When the thread is gone.
    pub(super) fn end(self) -> Answer<Vec<Seen>> {
        self.stop.store(true, Ordering::Relaxed);
        self.wait()
    }

    /// What was seen, once it has ended by itself.
    ///
    /// # Errors
    /// When the thread is gone.
    pub(super) fn wait(self) -> Answer<Vec<Seen>> {
        self.asking
            .join()
            .map_err(|_| "the thread that asks is gone".into())
    }
}

/// Asks once, over a new connection if there is none; answers the status.
fn ask(line: &mut Option<TcpStream>, port: u16, request: &[u8]) -> u16 {
    let answer = match line.take() {
        Some(stream) => Ok(stream),
        None => connect(port),
    };
    let answered = answer.and_then(|mut stream| {
        let status = exchange(&mut stream, request)?;
        Ok((stream, status))
    });
    match answered {
        Ok((stream, status)) => {
            *line = Some(stream);
            status
        }
        Err(_) => 0,
    }
}

fn connect(port: u16) -> Answer<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn exchange(stream: &mut TcpStream, request: &[u8]) -> Answer<u16> {
    stream.write_all(request)?;
    let mut buffer = [0; 16 * 1024];
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..])? {
            0 => return Err("the connection ended".into()),
            read => filled += read,
        }
        if let Some(head) = Head::read(&buffer[..filled])?
            && filled >= head.length
        {
            return Ok(head.status);
        }
    }
}
