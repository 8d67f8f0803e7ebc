//! A door in front of a Redis that can be shut for replicas and sentinels alone: the Redis behind it is cut off from those
//! who decide who is master, and goes on answering everybody else.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::{free_port, must};

/// What only replicas and sentinels say.
const INSIDE: [&[u8]; 3] = [b"psync", b"replconf", b"sentinel"];

/// A way to a Redis.
#[derive(Debug)]
pub(super) struct Door {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_shut: AtomicBool,
    /// The connections of replicas and sentinels.
    inside: Mutex<Vec<TcpStream>>,
}

impl Door {
    /// A door to the Redis on port `to`.
    pub(super) fn to(to: u16) -> Self {
        let listener = (0..20).find_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())).ok());
        let listener = must(listener.ok_or("all are taken"), "a port for a door");
        let port = must(listener.local_addr(), "the port of a door").port();
        let state = Arc::new(State::default());
        let opened = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                drop(open(&stream, to, &opened));
            }
        });
        Self { port, state }
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Ends the connections of replicas and sentinels, and lets none of them in again.
    pub(super) fn shut(&self) {
        self.state.is_shut.store(true, Ordering::SeqCst);
        for stream in self.state.inside().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Lets everybody in again.
    pub(super) fn open(&self) {
        self.state.is_shut.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn inside(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection goes on after somebody inside has spoken on it.
    fn admits(&self, stream: &TcpStream) -> bool {
        let mut inside = self.inside();
        if self.is_shut.load(Ordering::SeqCst) {
            return false;
        }
        inside.extend(stream.try_clone());
        true
    }
}

fn open(client: &TcpStream, to: u16, state: &Arc<State>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
    let (back, forth) = (
        (server.try_clone()?, client.try_clone()?),
        (client.try_clone()?, server),
    );
    let state = Arc::clone(state);
    thread::spawn(move || {
        let mut is_inside = false;
        carry(forth.0, forth.1, |words, from| {
            if is_inside || !is_said_inside(words) {
                return true;
            }
            is_inside = true;
            state.admits(from)
        });
    });
    thread::spawn(move || carry(back.0, back.1, |_, _| true));
    Ok(())
}

/// Carries what is said from one end to the other for as long as it `may` be.
fn carry(mut from: TcpStream, mut to: TcpStream, mut may: impl FnMut(&[u8], &TcpStream) -> bool) {
    let mut words = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut words) {
        let words = &words[..length];
        if !may(words, &from) || to.write_all(words).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}

fn is_said_inside(words: &[u8]) -> bool {
    let words = words.to_ascii_lowercase();
    INSIDE
        .iter()
        .any(|word| words.windows(word.len()).any(|window| window == *word))
}
