//! A real cluster of six processes: three masters, each with a replica.

use redis::Value;
use tempfile::TempDir;

use super::{RedisServer, RedisSetup, free_port, must, shared_certificates, until};
use crate::redis::RedisOptions;

/// How many masters there are, and how many replicas.
const MASTERS: usize = 3;
/// How many slots a cluster has.
const SLOTS: usize = 16_384;
/// After how many milliseconds without an answer a node counts as gone.
const NODE_TIMEOUT: u32 = 1000;

/// A running Redis Cluster.
#[derive(Debug)]
pub struct RedisCluster {
    /// The masters first; the replica of each stands as far behind.
    nodes: Vec<RedisServer>,
    certificates: Option<TempDir>,
}

impl RedisCluster {
    /// Three masters with a replica each.
    ///
    /// # Panics
    /// When redis-server is missing, or the nodes do not come together.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&RedisSetup::default())
    }

    /// The same, each node set up as `setup` says.
    ///
    /// # Panics
    /// When redis-server is missing, or the nodes do not come together.
    #[must_use]
    pub fn with(setup: &RedisSetup) -> Self {
        let certificates = setup.tls.then(shared_certificates);
        let mut setup = setup.clone();
        if let Some(directory) = &certificates {
            setup.certificates = Some(directory.path().to_owned());
            setup
                .settings
                .extend(["tls-cluster yes", "tls-replication yes"].map(str::to_owned));
        }
        let nodes = (0..2 * MASTERS).map(|_| start_node(&setup)).collect();
        let cluster = Self { nodes, certificates };
        cluster.join();
        cluster
    }

    /// The address: `redis+cluster://127.0.0.1:port,...`, all nodes.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for("")
    }

    /// The address with `user` in front of the hosts, as in `name:password@`.
    #[must_use]
    pub fn url_for(&self, user: &str) -> String {
        let hosts: Vec<_> = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()))
            .collect();
        let scheme = if self.certificates.is_some() {
            "rediss"
        } else {
            "redis"
        };
        format!("{scheme}+cluster://{user}{}", hosts.join(","))
    }

    /// The options that reach it.
    #[must_use]
    pub fn options(&self) -> RedisOptions {
        let mut options = RedisOptions::new(self.url());
        options.tls_ca_file = self.certificates.is_some().then(|| self.nodes[0].ca_file());
        options
    }

    /// The nodes: three masters first, then the replica of each.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// Ends the node at `place` at once, as a crash does.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn kill(&mut self, place: usize) {
        self.nodes[place].kill();
    }

    /// Starts the node at `place` again after [`RedisCluster::kill`]: it knows the others, and forgot everything else.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self, place: usize) {
        self.nodes[place].restart();
    }

    /// Waits until the replica of the master at `place` has taken its place.
    ///
    /// # Panics
    /// When it does not within 30 seconds.
    pub fn wait_for_successor(&self, place: usize) {
        let successor = &self.nodes[place + MASTERS];
        until("the replica has taken over", || {
            let role: Vec<Value> = ask(successor, &["ROLE"]);
            matches!(role.first(), Some(Value::BulkString(role)) if role == b"master")
        });
        until("the cluster is whole again", || {
            let living = self.nodes.iter().enumerate().filter(|(at, _)| *at != place);
            living.map(|(_, node)| node).all(is_whole)
        });
    }

    /// Waits until every node knows all others, and serves its slots.
    ///
    /// # Panics
    /// When they do not within 30 seconds.
    pub fn wait_until_whole(&self) {
        until("the nodes are a cluster", || self.nodes.iter().all(is_whole));
    }

    /// Moves the slot of `key` from the master at `from` to the one at `to`, with its keys, and leaves it open half-way:
    /// keys that are not there yet are asked for at the new place. [`RedisCluster::close_slot`] ends that.
    ///
    /// # Panics
    /// When a node refuses.
    pub fn open_slot(&self, slot: u16, from: usize, to: usize) {
        let (slot, here, there) = (slot.to_string(), self.id(from), self.id(to));
        let set = |node: usize, state: &str, other: &str| {
            let _: Value = ask(&self.nodes[node], &["CLUSTER", "SETSLOT", &slot, state, other]);
        };
        set(to, "IMPORTING", &here);
        set(from, "MIGRATING", &there);
        let keys: Vec<String> = ask(&self.nodes[from], &["CLUSTER", "GETKEYSINSLOT", &slot, "1000"]);
        let port = self.nodes[to].port().to_string();
        for key in keys {
            let _: Value = ask(
                &self.nodes[from],
                &["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"],
            );
        }
    }

    /// Ends what [`RedisCluster::open_slot`] began: the slot belongs to the master at `to`.
    ///
    /// # Panics
    /// When a node refuses.
    pub fn close_slot(&self, slot: u16, to: usize) {
        let (slot, there) = (slot.to_string(), self.id(to));
        let others = (0..MASTERS).filter(|master| *master != to);
        for master in std::iter::once(to).chain(others) {
            let _: Value = ask(
                &self.nodes[master],
                &["CLUSTER", "SETSLOT", &slot, "NODE", &there],
            );
        }
    }

    /// Which of the masters has a slot at the start.
    #[must_use]
    pub fn master_of(slot: u16) -> usize {
        (0..MASTERS)
            .find(|master| usize::from(slot) <= last_slot(*master))
            .unwrap_or_default()
    }

    fn id(&self, place: usize) -> String {
        ask(&self.nodes[place], &["CLUSTER", "MYID"])
    }

    fn join(&self) {
        for (place, node) in self.nodes.iter().enumerate() {
            let epoch = (place + 1).to_string();
            let _: Value = ask(node, &["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
        }
        for node in &self.nodes {
            for (other, bus) in self.nodes.iter().map(|other| (other, bus(other))) {
                let port = other.port().to_string();
                let _: Value = ask(node, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
            }
        }
        for (place, master) in self.nodes[..MASTERS].iter().enumerate() {
            let first = place.checked_sub(1).map_or(0, |before| last_slot(before) + 1);
            let (first, last) = (first.to_string(), last_slot(place).to_string());
            let _: Value = ask(master, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
        for (place, replica) in self.nodes[MASTERS..].iter().enumerate() {
            let master = self.id(place);
            until("a replica knows its master", || {
                let nodes: String = ask(replica, &["CLUSTER", "NODES"]);
                nodes
                    .lines()
                    .any(|line| line.starts_with(&master) && !line.contains("handshake"))
            });
            let _: Value = ask(replica, &["CLUSTER", "REPLICATE", &master]);
        }
        self.wait_until_whole();
        for master in &self.nodes[..MASTERS] {
            until("a replica follows its master", || {
                let state: String = ask(master, &["INFO", "replication"]);
                state.contains("state=online")
            });
        }
    }
}

fn start_node(setup: &RedisSetup) -> RedisServer {
    let mut setup = setup.clone();
    setup.settings.extend([
        "cluster-enabled yes".to_owned(),
        format!("cluster-port {}", free_port()),
        format!("cluster-node-timeout {NODE_TIMEOUT}"),
        "cluster-replica-validity-factor 0".to_owned(),
        "repl-diskless-sync-delay 0".to_owned(),
    ]);
    RedisServer::with(setup)
}

fn last_slot(master: usize) -> usize {
    SLOTS * (master + 1) / MASTERS - 1
}

fn bus(node: &RedisServer) -> String {
    let setting: Vec<String> = ask(node, &["CONFIG", "GET", "cluster-port"]);
    setting.into_iter().nth(1).unwrap_or_default()
}

/// Whether all slots are served, as this node knows it, and it knows all nodes.
fn is_whole(node: &RedisServer) -> bool {
    let state: String = ask(node, &["CLUSTER", "INFO"]);
    let slots: Vec<Value> = ask(node, &["CLUSTER", "SLOTS"]);
    state.contains("cluster_state:ok") && state.contains("cluster_known_nodes:6") && slots.len() >= MASTERS
}

fn ask<T: redis::FromRedisValue>(node: &RedisServer, words: &[&str]) -> T {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    must(command.query(&mut node.connection()), words[0])
}
