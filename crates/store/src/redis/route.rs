//! Which Redis is to be asked, and where it points when another one is.

use std::collections::HashSet;

use redis::{RedisError, ServerError, ServerErrorKind};

use super::{cluster::Cluster, node::Node, sentinel::Sentinels};
use crate::engine::Answer;

/// How often a question is passed on before it is given up.
pub(super) const REDIRECTS: u32 = 4;

/// The way to the Redis that has a key.
pub(super) enum Route {
    One(Node),
    Sentinels(Sentinels),
    Cluster(Cluster),
}

impl Route {
    /// The node to ask about `key`.
    pub(super) async fn node(&self, key: &str) -> Answer<Node> {
        match self {
            Self::One(node) => Ok(node.clone()),
            Self::Sentinels(sentinels) => sentinels.master().await,
            Self::Cluster(cluster) => cluster.master(key).await,
        }
    }

    /// All the nodes that keys lie on.
    pub(super) async fn nodes(&self) -> Answer<HashSet<Node>> {
        match self {
            Self::One(node) => Ok(HashSet::from([node.clone()])),
            Self::Sentinels(sentinels) => Ok(HashSet::from([sentinels.master().await?])),
            Self::Cluster(cluster) => Ok(cluster.map().await?.masters()),
        }
    }

    /// A node failed, or is not what it was: the way is looked for again.
    pub(super) fn doubt(&self) {
        match self {
            Self::One(_) => {}
            Self::Sentinels(sentinels) => sentinels.doubt(),
            Self::Cluster(cluster) => cluster.doubt(),
        }
    }

    /// Whether the node is the only one that may have a master's answers, so that it has to be one.
    pub(super) const fn follows_a_master(&self) -> bool {
        matches!(self, Self::Sentinels(_))
    }
}

/// Where a node of a cluster points with its "not here".
#[derive(Debug, PartialEq)]
pub(super) struct Redirect {
    pub(super) node: Node,
    /// This once only, and `ASKING` comes first: the slot is on its way there.
    pub(super) asking: bool,
}

impl Redirect {
    /// What `fault`, an answer of `from`, says about where else to ask. The node has done nothing.
    pub(super) fn of(fault: &RedisError, from: &Node) -> Option<Self> {
        let faults = fault.clone().into_server_errors()?;
        faults.iter().find_map(|(_, fault)| Self::read(fault, from))
    }

    fn read(fault: &ServerError, from: &Node) -> Option<Self> {
        let asking = match fault.kind()? {
            ServerErrorKind::Moved => false,
            ServerErrorKind::Ask => true,
            _ => return None,
        };
        let (_slot, address) = fault.details()?.split_once(' ')?;
        let (host, port) = address.trim().rsplit_once(':')?;
        let host = if host.is_empty() { &from.host } else { host };
        Some(Self {
            node: Node::new(host, port.parse().ok()?),
            asking,
        })
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    fn redirect(answer: &str) -> Option<Redirect> {
        let value = parse_redis_value(format!("-{answer}\r\n").as_bytes()).unwrap();
        let fault = value.extract_error().unwrap_err();
        Redirect::of(&fault, &Node::new("asked", 1))
    }

    #[test]
    fn moved_and_ask_name_another_node() {
        let to = |host, asking| {
            Some(Redirect {
                node: Node::new(host, 7),
                asking,
            })
        };
        assert_eq!(redirect("MOVED 3999 127.0.0.1:7"), to("127.0.0.1", false));
        assert_eq!(redirect("ASK 3999 host.example:7"), to("host.example", true));
        assert_eq!(redirect("MOVED 3999 ::1:7"), to("::1", false));
        assert_eq!(redirect("MOVED 3999 :7"), to("asked", false));
    }

    #[test]
    fn other_faults_name_none() {
        for answer in [
            "ERR no",
            "MOVED",
            "MOVED 3999",
            "MOVED 1 a:b",
            "CLUSTERDOWN The cluster is down",
            "READONLY x",
        ] {
            assert_eq!(redirect(answer), None, "{answer}");
        }
    }
}
