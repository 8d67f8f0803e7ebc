//! The master that sentinels name.
//!
//! All of them are asked, and the answer of the newest configuration counts: a sentinel that is cut off together with an old
//! master goes on naming it, with an older number.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{aio::MultiplexedConnection, cmd};
use tokio::time::Instant;

use super::{
    faults::{map, unavailable},
    majority::ask_all,
    node::{Dialer, Node},
};
use crate::engine::Answer;

/// For how long an answer counts. An operator's failover is followed within this time.
const FRESH: Duration = Duration::from_millis(500);
/// The soonest that they are asked again because the master failed: a crowd of failing requests asks once.
const PAUSE: Duration = Duration::from_millis(50);

/// The sentinels, and what they said last.
pub(super) struct Sentinels {
    dialer: Dialer,
    asked: Vec<Sentinel>,
    name: String,
    known: Mutex<Known>,
    /// Held by whoever asks.
    asking: tokio::sync::Mutex<()>,
    /// The master failed since they were asked.
    doubted: AtomicBool,
}

struct Sentinel {
    node: Node,
    line: tokio::sync::Mutex<Option<MultiplexedConnection>>,
}

#[derive(Default)]
struct Known {
    named: Option<Named>,
    asked_at: Option<Instant>,
}

/// Whether the sentinels have to be asked.
enum Need {
    /// What they said counts.
    None(Node),
    /// Somebody should ask again.
    Fresher(Node),
    /// Nothing is known that counts.
    Urgent,
}

/// A master, and the number of the configuration in which it is.
#[derive(Clone)]
struct Named {
    node: Node,
    epoch: u64,
    /// How many replicas it is known to have, at work or not.
    replicas: u32,
}

impl Sentinels {
    /// The sentinels at `nodes`, reached by `dialer`, which watch the master `name`.
    pub(super) fn new(dialer: Dialer, nodes: Vec<Node>, name: String) -> Self {
        let asked = nodes.into_iter().map(|node| Sentinel {
            node,
            line: tokio::sync::Mutex::new(None),
        });
        Self {
            dialer,
            asked: asked.collect(),
            name,
            known: Mutex::default(),
            asking: tokio::sync::Mutex::new(()),
            doubted: AtomicBool::new(false),
        }
    }

    /// Has them asked again before the next connection to the master.
    pub(super) fn doubt(&self) {
        self.doubted.store(true, Ordering::Release);
    }

    /// The master. When no sentinel answers, the one that was named last. While somebody asks, others go on with that one, unless
    /// it is in doubt.
    pub(super) async fn master(&self) -> Answer<Node> {
        let named = match self.need() {
            Need::None(named) => return Ok(named),
            Need::Fresher(named) => Some(named),
            Need::Urgent => None,
        };
        let _asking = match (self.asking.try_lock(), named) {
            (Ok(asking), _) => asking,
            (Err(_), Some(named)) => return Ok(named),
            (Err(_), None) => {
                let asking = self.asking.lock().await;
                if let Need::None(named) = self.need() {
                    return Ok(named);
                }
                asking
            }
        };
        self.doubted.store(false, Ordering::Release);
        let (answers, fault) = ask_all(self.asked.iter().map(|sentinel| self.ask(sentinel))).await;
        let mut known = self.known();
        known.asked_at = Some(Instant::now());
        known.learn(answers, self.asked.len());
        match &known.named {
            Some(named) => Ok(named.node.clone()),
            None => Err(fault.unwrap_or_else(|| unavailable("no sentinel was asked"))),
        }
    }

    /// How many replicas the master has, as far as was said.
    pub(super) fn replicas(&self) -> u32 {
        self.known().named.as_ref().map_or(0, |named| named.replicas)
    }

    /// Whether they have to be asked.
    fn need(&self) -> Need {
        let known = self.known();
        let (Some(named), Some(asked_at)) = (&known.named, known.asked_at) else {
            return Need::Urgent;
        };
        let (age, named) = (asked_at.elapsed(), named.node.clone());
        match self.doubted.load(Ordering::Acquire) {
            true if age >= PAUSE => Need::Urgent,
            false if age >= FRESH => Need::Fresher(named),
            _ => Need::None(named),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that does not answer in time is not put back.
    async fn ask(&self, sentinel: &Sentinel) -> Answer<Named> {
        let mut held = sentinel.line.lock().await;
        let mut line = if let Some(line) = held.take() {
            line
        } else {
            let dialed = self.dialer.dial(&sentinel.node).await;
            dialed.map_err(|e| map(&e, ""))?
        };
        let state: HashMap<String, String> = cmd("SENTINEL")
            .arg("MASTER")
            .arg(&self.name)
            .query_async(&mut line)
            .await
            .map_err(|e| map(&e, ""))?;
        *held = Some(line);
        named(&state).ok_or_else(|| unavailable("a sentinel names no master"))
    }
}

impl Known {
    /// What a minority says about a configuration that is older than the known one has been overtaken.
    fn learn(&mut self, answers: Vec<Named>, asked: usize) {
        let most = answers.len() > asked / 2;
        let newest = answers.into_iter().max_by_key(|named| named.epoch);
        let known = self.named.as_ref().map_or(0, |named| named.epoch);
        if let Some(newest) = newest.filter(|newest| most || newest.epoch >= known) {
            self.named = Some(newest);
        }
    }
}

fn named(state: &HashMap<String, String>) -> Option<Named> {
    Some(Named {
        node: Node::new(state.get("ip")?, state.get("port")?.parse().ok()?),
        epoch: state.get("config-epoch")?.parse().ok()?,
        replicas: state
            .get("num-slaves")
            .and_then(|number| number.parse().ok())
            .unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(host: &str, epoch: u64) -> Named {
        Named {
            node: Node::new(host, 6379),
            epoch,
            replicas: 0,
        }
    }

    fn host(known: &Known) -> &str {
        known.named.as_ref().map_or("", |named| &named.node.host)
    }

    #[test]
    fn the_newest_configuration_counts_and_no_minority_takes_it_back() {
        let mut known = Known::default();
        known.learn(vec![master("old", 1), master("new", 2), master("old", 1)], 3);
        assert_eq!(host(&known), "new");
        known.learn(vec![master("old", 1)], 3);
        assert_eq!(host(&known), "new");
        known.learn(Vec::new(), 3);
        assert_eq!(host(&known), "new");
        known.learn(vec![master("newer", 3)], 3);
        assert_eq!(host(&known), "newer");
    }

    #[test]
    fn sentinels_that_were_set_up_anew_are_believed_if_most_of_them_agree() {
        let mut known = Known::default();
        known.learn(vec![master("old", 7)], 3);
        known.learn(vec![master("new", 0), master("new", 0)], 3);
        assert_eq!(host(&known), "new");
    }

    #[test]
    fn an_answer_without_an_address_names_nobody() {
        assert!(named(&HashMap::new()).is_none());
        let odd = [("ip", "h"), ("port", "many"), ("config-epoch", "1")];
        assert!(
            named(
                &odd.map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into()
            )
            .is_none()
        );
    }
}
