//! A name server whose answers a test writes.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex},
    thread,
};

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// What a name is.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    Address(IpAddr),
    Alias(String),
}

impl Record {
    fn kind(&self) -> u16 {
        match self {
            Self::Address(IpAddr::V4(_)) => A,
            Self::Address(IpAddr::V6(_)) => AAAA,
            Self::Alias(_) => CNAME,
        }
    }

    fn data(&self) -> Vec<u8> {
        match self {
            Self::Address(IpAddr::V4(address)) => address.octets().to_vec(),
            Self::Address(IpAddr::V6(address)) => address.octets().to_vec(),
            Self::Alias(name) => encoded(name),
        }
    }
}

/// Addresses, or aliases.
pub(crate) fn records(texts: &[&str]) -> Vec<Record> {
    let record = |text: &&str| match text.parse() {
        Ok(address) => Record::Address(address),
        Err(_) => Record::Alias((*text).to_owned()),
    };
    texts.iter().map(record).collect()
}

#[derive(Default)]
struct State {
    names: HashMap<String, Vec<Vec<Record>>>,
    asked: Vec<(String, u16)>,
}

/// The server. It ends with its test.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl NameServer {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::downgrade(&state);
        thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let Some(state) = shared.upgrade() else { return };
                if let Some(answer) = answer(&buffer[..length], &state) {
                    socket.send_to(&answer, from).unwrap();
                }
            }
        });
        Self { address, state }
    }

    /// Says what a name is.
    pub(crate) fn put(&self, name: &str, texts: &[&str]) {
        self.put_turns(name, &[texts]);
    }

    /// Says what a name is the first time that it is asked for, the second time, and so on; the last holds.
    pub(crate) fn put_turns(&self, name: &str, turns: &[&[&str]]) {
        let turns = turns.iter().map(|texts| records(texts)).collect();
        self.state.lock().unwrap().names.insert(name.into(), turns);
    }

    /// How often anything was asked for.
    pub(crate) fn asked_at_all(&self) -> usize {
        self.state.lock().unwrap().asked.len()
    }

    /// How often the IPv4 addresses of a name were asked for.
    pub(crate) fn asked(&self, name: &str) -> usize {
        let state = self.state.lock().unwrap();
        state
            .asked
            .iter()
            .filter(|(asked, kind)| asked == name && *kind == A)
            .count()
    }
}

/// The answer to a question: the records of the kind that was asked for, and aliases, with what they stand for.
fn answer(question: &[u8], state: &Mutex<State>) -> Option<Vec<u8>> {
    let (name, end) = decoded(question, 12)?;
    let kind = u16::from_be_bytes([*question.get(end)?, *question.get(end + 1)?]);
    let asked = question.get(12..end + 4)?;
    let mut state = state.lock().unwrap();
    state.asked.push((name.clone(), kind));
    let turn = state
        .asked
        .iter()
        .filter(|asked| **asked == (name.clone(), kind))
        .count();
    let mut found = Vec::new();
    let mut of = name;
    while let Some(turns) = state.names.get(&of) {
        let records = &turns[turn.min(turns.len()) - 1];
        let mut alias = None;
        for record in records {
            if let Record::Alias(name) = record {
                alias = Some(name.clone());
            }
            if record.kind() == kind || record.kind() == CNAME {
                found.push((of.clone(), record.clone()));
            }
        }
        match alias {
            Some(name) if found.len() < 20 => of = name,
            _ => break,
        }
    }
    let is_known = !found.is_empty() || state.names.contains_key(&of);
    let mut answer = question.get(..2)?.to_vec();
    answer.extend(if is_known { [0x81, 0x80] } else { [0x81, 0x83] });
    answer.extend([0, 1]);
    answer.extend(u16::try_from(found.len()).unwrap().to_be_bytes());
    answer.extend([0, 0, 0, 0]);
    answer.extend(asked);
    for (name, record) in found {
        let data = record.data();
        answer.extend(encoded(&name));
        answer.extend(record.kind().to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 0]);
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// The name at `start` in lower case, and where it ends.
fn decoded(message: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), start);
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(message.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}
