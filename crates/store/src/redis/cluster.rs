//! Which node of a Redis Cluster has a key.
//!
//! The map of slots is read again when a node points elsewhere or does not answer. A command goes to another node only when the
//! first one has said that it did not do it: nothing that may have happened is sent twice.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{FromRedisValue, Value, pipe};
use tokio::time::Instant;

use super::{
    faults::{map, unavailable},
    majority::ask_all,
    node::{Dialer, Node},
    turns::Turns,
};
use crate::engine::Answer;

/// How many slots a cluster has.
const SLOTS: u16 = 16_384;
/// The soonest that the map is read again: a crowd of failing requests reads it once.
const PAUSE: Duration = Duration::from_millis(50);

/// The slot of a key: of what stands between its first `{` and the next `}`, if anything does.
///
/// See the [cluster specification](https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model).
pub(super) fn slot(key: &str) -> u16 {
    let tag = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map(|(tag, _)| tag)
        .filter(|tag| !tag.is_empty());
    crc16(tag.unwrap_or(key).as_bytes()) % SLOTS
}

/// CRC-16/XMODEM: polynomial 0x1021, beginning with zero.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

/// The nodes of a cluster, and who of them has which slots.
pub(super) struct Cluster {
    dialer: Dialer,
    seeds: Vec<Node>,
    map: RwLock<Arc<Map>>,
    reading: Turns<Answer<()>>,
    read_at: Mutex<Option<Instant>>,
    /// How often the map was doubted, and how often it had been when the last reading of it began.
    doubts: AtomicU64,
    settled: AtomicU64,
}

/// Ranges of slots by their last one.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Map {
    ranges: Vec<Range>,
    epoch: u64,
}

#[derive(Debug, PartialEq)]
struct Range {
    first: u16,
    last: u16,
    master: Node,
}

impl Map {
    fn master(&self, slot: u16) -> Option<&Node> {
        let at = self.ranges.partition_point(|range| range.last < slot);
        let range = self.ranges.get(at)?;
        (range.first <= slot).then_some(&range.master)
    }

    /// The masters, each once.
    pub(super) fn masters(&self) -> HashSet<Node> {
        self.ranges.iter().map(|range| range.master.clone()).collect()
    }
}

impl Cluster {
    /// The cluster that the nodes `seeds` belong to.
    pub(super) fn new(dialer: Dialer, seeds: Vec<Node>) -> Self {
        Self {
            dialer,
            seeds,
            map: RwLock::default(),
            reading: Turns::new(),
            read_at: Mutex::new(None),
            doubts: AtomicU64::new(1),
            settled: AtomicU64::new(0),
        }
    }

    /// Has the map read again before it is used.
    pub(super) fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::AcqRel);
    }

    /// The master that has `key`.
    pub(super) async fn master(&self, key: &str) -> Answer<Node> {
        let slot = slot(key);
        self.map()
            .await?
            .master(slot)
            .cloned()
            .ok_or_else(|| unavailable("no node of the cluster has the slot of this key"))
    }

    /// The map, read again if it is in doubt.
    pub(super) async fn map(&self) -> Answer<Arc<Map>> {
        if self.doubts.load(Ordering::Acquire) != self.settled.load(Ordering::Acquire) {
            self.reading.once(|| self.read()).await?;
        }
        Ok(self.known())
    }

    fn known(&self) -> Arc<Map> {
        Arc::clone(&self.map.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the last reading been a moment ago?
    fn is_early(&self) -> bool {
        let read_at = *self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        read_at.is_some_and(|at| at.elapsed() < PAUSE)
    }

    async fn read(&self) -> Answer<()> {
        if self.is_early() {
            return Ok(());
        }
        let doubts = self.doubts.load(Ordering::Acquire);
        let mut nodes = self.known().masters();
        nodes.extend(self.seeds.iter().cloned());
        let (maps, fault) = ask_all(nodes.iter().map(|node| self.ask(node))).await;
        *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        match maps.into_iter().max_by_key(|map| map.epoch) {
            Some(map) => {
                *self.map.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(map);
                self.settled.store(doubts, Ordering::Release);
                Ok(())
            }
            None => Err(fault.unwrap_or_else(|| unavailable("no node of the cluster answers"))),
        }
    }

    async fn ask(&self, node: &Node) -> Answer<Map> {
        let asked = async {
            let mut line = self.dialer.dial(node).await?;
            let mut questions = pipe();
            questions.cmd("CLUSTER").arg("SLOTS");
            questions.cmd("CLUSTER").arg("INFO");
            questions.query_async(&mut line).await
        };
        let (slots, state): (Vec<Value>, String) = asked.await.map_err(|e| map(&e, ""))?;
        let mut ranges: Vec<_> = slots
            .into_iter()
            .filter_map(|range| read_range(range, node))
            .collect();
        ranges.sort_unstable_by_key(|range| range.last);
        Ok(Map {
            ranges,
            epoch: epoch(&state),
        })
    }
}

/// `cluster_current_epoch` of `CLUSTER INFO`: who knows a higher one knows of a later failover.
fn epoch(state: &str) -> u64 {
    state
        .lines()
        .find_map(|line| line.strip_prefix("cluster_current_epoch:"))
        .and_then(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

/// One range of `CLUSTER SLOTS`: first, last, the master as host, port and more, then its replicas. A host that is not known
/// is the one that was asked.
fn read_range(range: Value, asked: &Node) -> Option<Range> {
    let Value::Array(parts) = range else { return None };
    let mut parts = parts.into_iter();
    let (first, last) = (number(parts.next()?)?, number(parts.next()?)?);
    let Value::Array(master) = parts.next()? else {
        return None;
    };
    let mut master = master.into_iter();
    let host = Option::<String>::from_redis_value(master.next()?).ok()?;
    let port = number(master.next()?)?;
    let host = host.filter(|host| !matches!(host.as_str(), "" | "?"));
    Some(Range {
        first,
        last,
        master: Node::new(host.as_deref().unwrap_or(&asked.host), port),
    })
}

fn number(value: Value) -> Option<u16> {
    u16::from_redis_value(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot("123456789"), 0x31c3);
        assert_eq!(slot("foo"), 12_182);
        assert_eq!(slot("user{foo}name"), slot("foo"));
        assert_eq!(slot("foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot("foo{{bar}}zap"), crc16(b"{bar") % SLOTS);
        assert_eq!(slot("foo{bar}{zap}"), slot("bar"));
        assert_eq!(slot("foo{bar"), crc16(b"foo{bar") % SLOTS);
    }

    fn of(ranges: &[(u16, u16, &str)]) -> Map {
        let range = |(first, last, host): &(u16, u16, &str)| Range {
            first: *first,
            last: *last,
            master: Node::new(host, 1),
        };
        Map {
            ranges: ranges.iter().map(range).collect(),
            epoch: 1,
        }
    }

    #[test]
    fn each_slot_has_its_master_and_one_that_nobody_has_has_none() {
        let map = of(&[(0, 99, "a"), (100, 100, "b"), (200, 16_383, "a")]);
        let host = |slot| map.master(slot).map(|node| node.host.to_string());
        for (slot, expected) in [
            (0, Some("a")),
            (99, Some("a")),
            (100, Some("b")),
            (101, None),
            (199, None),
            (200, Some("a")),
            (16_383, Some("a")),
        ] {
            assert_eq!(host(slot).as_deref(), expected, "{slot}");
        }
        assert_eq!(map.masters().len(), 2);
        assert_eq!(Map::default().master(0), None);
    }

    #[test]
    fn a_node_that_does_not_know_its_own_name_is_the_one_that_was_asked() {
        let named = |host: Value| {
            let master = Value::Array(vec![host, Value::Int(7)]);
            let range = Value::Array(vec![Value::Int(0), Value::Int(5), master]);
            read_range(range, &Node::new("asked", 1))
                .unwrap()
                .master
                .to_string()
        };
        assert_eq!(named(Value::BulkString(b"other".to_vec())), "other:7");
        assert_eq!(named(Value::BulkString(Vec::new())), "asked:7");
        assert_eq!(named(Value::Nil), "asked:7");
        assert!(read_range(Value::Nil, &Node::new("asked", 1)).is_none());
    }

    #[test]
    fn the_epoch_is_read_from_the_state() {
        assert_eq!(
            epoch("cluster_state:ok\r\ncluster_current_epoch:6\r\ncluster_my_epoch:2\r\n"),
            6
        );
        assert_eq!(epoch(""), 0);
    }
}
