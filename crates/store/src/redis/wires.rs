//! Asks the right Redis, on a connection that is shared or one of the pool, and waits for replicas where that is due.

use std::{sync::atomic::Ordering, time::Duration};

use deadpool::managed::Object;
use redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind,
    aio::MultiplexedConnection, cmd,
};

use super::{
    faults::{map, unavailable},
    home::Home,
    inspect::Acknowledging,
    lines::{Lines, Place},
    node::Node,
    options::{Reach, RedisOptions},
    pool::{Manager, Pools},
    route::{REDIRECTS, Redirect, Route},
    scripts,
};
use crate::{
    engine::{Answer, Raw},
    keys::Keys,
    value::{SCHEMA, check_schema},
    verbs::StoreError,
};

/// How many values are asked for at once.
const CHUNK: usize = 500;

/// What is sent to one node.
#[derive(Clone, Copy)]
pub(super) enum Call<'a> {
    Command(&'a Cmd),
    Pipeline(&'a Pipeline),
    /// Made by [`scripts::steps`].
    Script(&'a Cmd),
}

impl Call<'_> {
    async fn send<T: FromRedisValue>(self, connection: &mut MultiplexedConnection) -> RedisResult<T> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Pipeline(pipeline) => pipeline.query_async(connection).await,
            Self::Script(script) => scripts::invoke(script, connection).await,
        }
    }
}

/// A connection to ask on.
pub(super) enum Wire {
    /// In the hands of one question.
    Own(Object<Manager>),
    /// Of all that its thread asks.
    Shared(Place, MultiplexedConnection),
}

impl Wire {
    pub(super) fn connection(&mut self) -> &mut MultiplexedConnection {
        match self {
            Self::Own(wire) => wire,
            Self::Shared(_, connection) => connection,
        }
    }

    /// Asks on it. Where others ask as well they hear of it if nobody waits for the answer.
    async fn ask<T: FromRedisValue>(&mut self, call: Call<'_>) -> RedisResult<T> {
        match self {
            Self::Own(wire) => call.send(wire).await,
            Self::Shared(place, connection) => {
                place.ask();
                let answer = call.send(connection).await;
                place.answered();
                answer
            }
        }
    }

    /// What was read on it, if it may still be believed.
    fn believed<T>(&self, answer: T) -> Answer<T> {
        match self {
            Self::Own(wire) => wire.believed(answer),
            Self::Shared(..) => Ok(answer),
        }
    }

    /// Whether the store at the other end has been found to be of our schema.
    fn is_marked(&self) -> bool {
        match self {
            Self::Own(wire) => wire.marked,
            Self::Shared(place, _) => place.line.marked.load(Ordering::Acquire),
        }
    }

    fn mark(&mut self) {
        match self {
            Self::Own(wire) => wire.marked = true,
            Self::Shared(place, _) => place.line.marked.store(true, Ordering::Release),
        }
    }

    /// Nothing is asked on it any more. Whether that is news.
    fn give_up(self) -> bool {
        match self {
            Self::Own(wire) => {
                drop(Object::take(wire));
                true
            }
            Self::Shared(place, _) => place.line.give_up(),
        }
    }
}

/// The authorization server's way to Redis.
pub(super) struct Wires {
    route: Route,
    /// Where one Redis has all keys, and no write waits for replicas.
    lines: Option<Lines>,
    pools: Pools,
    home: Home,
    schema: String,
    replicas: u32,
    timeout: Duration,
}

impl Wires {
    pub(super) fn new(options: &RedisOptions, keys: &Keys) -> Result<Self, StoreError> {
        let Reach { route, dialer } = options.reach()?;
        let leases = options.leases(&route, keys);
        let lines = match &route {
            Route::One(node) if options.wait_replicas == 0 => Some(Lines::new(dialer.clone(), node.clone())),
            _ => None,
        };
        Ok(Self {
            route,
            lines,
            pools: Pools::new(dialer, options.pool_size, leases),
            home: Home::here(),
            schema: keys.schema(),
            replicas: options.wait_replicas,
            timeout: options.timeout,
        })
    }

    /// Whether keys lie on several nodes.
    pub(super) const fn is_cluster(&self) -> bool {
        matches!(self.route, Route::Cluster(_))
    }

    /// How many replicas acknowledge for a lease, and how many the sentinels know of. Nothing where no lease is needed.
    pub(super) fn acknowledging(&self) -> Option<Acknowledging> {
        let known = match &self.route {
            Route::Sentinels(sentinels) => sentinels.replicas(),
            Route::One(_) if self.replicas > 0 => 0,
            Route::One(_) | Route::Cluster(_) => return None,
        };
        Some(Acknowledging {
            waited_for: self.replicas,
            known,
        })
    }

    /// The nodes that keys lie on.
    pub(super) async fn nodes(&self) -> Answer<Vec<Node>> {
        let mut nodes: Vec<_> = self.home.run(self.route.nodes()).await?.into_iter().collect();
        nodes.sort_by_key(ToString::to_string);
        Ok(nodes)
    }

    /// The node that has `key`.
    async fn node(&self, key: &str) -> Answer<Node> {
        match &self.route {
            Route::One(node) => Ok(node.clone()),
            route => self.home.run(route.node(key)).await,
        }
    }

    /// Asks the node that has `key`.
    pub(super) async fn ask<T: FromRedisValue>(&self, call: Call<'_>, key: &str) -> Answer<T> {
        self.call(call, key, |_| false).await
    }

    /// Sends a write to the node that has `key`, and waits for the replicas it is to reach.
    pub(super) async fn write<T: FromRedisValue>(&self, call: Call<'_>, key: &str) -> Answer<T> {
        self.call(call, key, |_| true).await
    }

    /// Asks the node that has `key`, and waits for replicas if `has_written` the answer says that it wrote.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        call: Call<'_>,
        key: &str,
        has_written: impl Fn(&T) -> bool + Send,
    ) -> Answer<T> {
        let mut node = self.node(key).await?;
        let mut asking = false;
        for _ in 0..=REDIRECTS {
            let mut wire = self.connection(&node).await?;
            if asking {
                let asked: RedisResult<()> = wire.ask(Call::Command(&cmd("ASKING"))).await;
                if let Err(fault) = asked {
                    return Err(self.failed(&fault, wire, key));
                }
            }
            let fault = match wire.ask(call).await {
                Ok(answer) => {
                    if has_written(&answer) {
                        self.replicated(wire.connection()).await?;
                        return Ok(answer);
                    }
                    return wire.believed(answer);
                }
                Err(fault) => fault,
            };
            let Some(redirect) = self.redirect(&fault, &node) else {
                return Err(self.failed(&fault, wire, key));
            };
            (node, asking) = (redirect.node, redirect.asking);
        }
        Err(unavailable("the nodes of the cluster point at each other"))
    }

    /// Where else to ask. A slot that has moved for good is looked for in the map from now on.
    fn redirect(&self, fault: &RedisError, node: &Node) -> Option<Redirect> {
        let redirect = Redirect::of(fault, node)?;
        if !redirect.asking {
            self.route.doubt();
        }
        Some(redirect)
    }

    /// Looks for the way again after a fault that is no answer; a node that became a replica is no longer asked. What the fault, at
    /// work on `key`, means.
    fn failed(&self, fault: &RedisError, wire: Wire, key: &str) -> StoreError {
        match fault.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) => {
                wire.give_up();
                self.route.doubt();
            }
            ErrorKind::Server(ServerErrorKind::ClusterDown) => self.route.doubt(),
            // these are answers
            ErrorKind::Server(_) | ErrorKind::UnexpectedReturnType => {}
            _ => {
                // many questions can fail with one connection: the others are doubted once
                if wire.give_up() {
                    self.pools.doubt();
                    self.lines.iter().for_each(Lines::doubt);
                    self.route.doubt();
                }
            }
        }
        map(fault, key)
    }

    /// A connection to `node`, whose store is of our schema, and which is to be believed.
    pub(super) async fn connection(&self, node: &Node) -> Answer<Wire> {
        let wire = self.open(node).await?;
        if wire.is_marked() {
            return Ok(wire);
        }
        self.mark(wire, node).await
    }

    async fn open(&self, node: &Node) -> Answer<Wire> {
        if let Some(lines) = self.lines.as_ref().filter(|lines| lines.lead_to(node)) {
            let place = lines.place().await?;
            let connection = place.line.connection.clone();
            return Ok(Wire::Shared(place, connection));
        }
        self.open_own(node).await.map(Wire::Own)
    }

    async fn open_own(&self, node: &Node) -> Answer<Object<Manager>> {
        if self.route.follows_a_master() {
            self.pools.keep_only(node);
        }
        let opened = async {
            let mut wire = self.pools.connection(node).await?;
            match wire.believe().await {
                Ok(()) => Ok(wire),
                Err(fault) => {
                    drop(Object::take(wire));
                    Err(fault)
                }
            }
        };
        opened.await.inspect_err(|_| self.route.doubt())
    }

    /// Marks a store that has no mark with our schema, and refuses one with another. Each new connection looks, so that a
    /// store that came back empty is marked again. In a cluster the mark lies on one node only.
    async fn mark(&self, mut wire: Wire, node: &Node) -> Answer<Wire> {
        let mut mark = cmd("SET");
        mark.arg(&self.schema).arg(SCHEMA).arg("NX").arg("GET");
        let held: Option<Raw> = match wire.ask(Call::Command(&mark)).await {
            Ok(held) => held,
            Err(fault) => match Redirect::of(&fault, node) {
                Some(redirect) => {
                    let mut other = self.open(&redirect.node).await?;
                    let held = other.ask(Call::Command(&mark)).await;
                    held.map_err(|fault| self.failed(&fault, other, &self.schema))?
                }
                None => return Err(self.failed(&fault, wire, &self.schema)),
            },
        };
        if let Some(held) = held {
            check_schema(&self.schema, &held)?;
        }
        wire.mark();
        Ok(wire)
    }

    /// What no replica has seen may be lost with the master: it does not count as done.
    async fn replicated(&self, connection: &mut MultiplexedConnection) -> Answer<()> {
        if self.replicas == 0 {
            return Ok(());
        }
        let millis = u64::try_from(self.timeout.as_millis() / 2).unwrap_or(500);
        let reached: u32 = cmd("WAIT")
            .arg(self.replicas)
            .arg(millis)
            .query_async(connection)
            .await
            .map_err(|e| map(&e, ""))?;
        if reached < self.replicas {
            return Err(unavailable("too few replicas acknowledged the write"));
        }
        Ok(())
    }

    /// The values of keys of any slots: one trip to each node that has some of them.
    pub(super) async fn get_scattered(&self, keys: &[String]) -> Answer<Vec<Option<Raw>>> {
        let mut found = vec![None; keys.len()];
        for (node, places) in self.by_node(keys).await? {
            for chunk in places.chunks(CHUNK) {
                let values = self.get_from(&node, keys, chunk).await?;
                for (place, value) in chunk.iter().zip(values) {
                    found[*place] = value;
                }
            }
        }
        Ok(found)
    }

    async fn by_node(&self, keys: &[String]) -> Answer<Vec<(Node, Vec<usize>)>> {
        let mut groups: Vec<(Node, Vec<usize>)> = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            let node = self.node(key).await?;
            match groups.iter_mut().find(|(known, _)| *known == node) {
                Some((_, places)) => places.push(place),
                None => groups.push((node, vec![place])),
            }
        }
        Ok(groups)
    }

    /// The values of the keys at `places` from `node`; one by one if some of them are no longer there.
    async fn get_from(&self, node: &Node, keys: &[String], places: &[usize]) -> Answer<Vec<Option<Raw>>> {
        let mut gets = Pipeline::new();
        for place in places {
            gets.get(&keys[*place]);
        }
        let mut wire = self.connection(node).await?;
        let fault = match wire.ask(Call::Pipeline(&gets)).await {
            Ok(values) => return wire.believed(values),
            Err(fault) => fault,
        };
        if self.redirect(&fault, node).is_none() {
            return Err(self.failed(&fault, wire, &keys[places[0]]));
        }
        let mut values = Vec::with_capacity(places.len());
        for place in places {
            let key = &keys[*place];
            values.push(self.ask(Call::Command(cmd("GET").arg(key)), key).await?);
        }
        Ok(values)
    }
}
