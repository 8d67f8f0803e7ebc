//! What `REDIS_URL` names: one Redis, one that sentinels watch, or a cluster.

use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo};

use super::node::Node;

/// What kind of Redis an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisKind {
    /// One Redis: `redis://`, `rediss://`.
    Single,
    /// The master that sentinels name: `redis+sentinel://`, `rediss+sentinel://`.
    Sentinel,
    /// A Redis Cluster: `redis+cluster://`, `rediss+cluster://`.
    Cluster,
}

impl RedisKind {
    /// The kind that `url` names. It says what is wrong without repeating the address, which may hold a password.
    ///
    /// # Errors
    /// What is wrong with the address, in words for an operator.
    pub fn of(url: &str) -> Result<Self, &'static str> {
        Address::parse(url).map(|address| address.kind())
    }
}

impl fmt::Display for RedisKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single => "one Redis",
            Self::Sentinel => "Redis with Sentinel",
            Self::Cluster => "Redis Cluster",
        })
    }
}

/// Where to begin.
#[derive(Clone, Debug)]
pub(super) enum Place {
    One(Node),
    Sentinels { asked: Vec<Node>, master: String },
    Cluster { seeds: Vec<Node> },
}

/// An address in its parts.
pub(super) struct Address {
    pub(super) place: Place,
    /// User, password, database and whether TLS is spoken, towards Redis itself. Its host is the first of the address.
    pub(super) template: ConnectionInfo,
}

const FORM: &str = "must be an address such as redis://redis:6379/0, redis+sentinel://one:26379,two:26379/mymaster or \
                    redis+cluster://one:6379,two:6379 (rediss for TLS)";
const NO_HOST: &str = "names no host";

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or(FORM)?;
        let (base, kind) = match scheme.split_once('+') {
            None => (scheme, RedisKind::Single),
            Some((base, "sentinel")) => (base, RedisKind::Sentinel),
            Some((base, "cluster")) => (base, RedisKind::Cluster),
            Some(_) => return Err(FORM),
        };
        if !matches!(base, "redis" | "rediss" | "valkey" | "valkeys") {
            return Err("must begin with redis:// or rediss://, redis+sentinel:// or redis+cluster://");
        }
        match kind {
            RedisKind::Single => {
                let template = connection(url)?;
                let place = Place::One(Node::of(template.addr()).ok_or(FORM)?);
                Ok(Self { place, template })
            }
            RedisKind::Sentinel => Parts::of(base, rest)?.sentinel(),
            RedisKind::Cluster => Parts::of(base, rest)?.cluster(),
        }
    }

    pub(super) const fn kind(&self) -> RedisKind {
        match self.place {
            Place::One(_) => RedisKind::Single,
            Place::Sentinels { .. } => RedisKind::Sentinel,
            Place::Cluster { .. } => RedisKind::Cluster,
        }
    }
}

fn connection(url: &str) -> Result<ConnectionInfo, &'static str> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("");
    if host.is_empty() || host.starts_with(':') {
        return Err(NO_HOST);
    }
    url.into_connection_info().map_err(|_| FORM)
}

/// An address with several hosts.
struct Parts<'a> {
    scheme: &'a str,
    /// User and password as they stand there, with the `@`.
    login: &'a str,
    hosts: Vec<&'a str>,
    path: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(scheme: &'a str, rest: &'a str) -> Result<Self, &'static str> {
        if rest.contains(['?', '#']) {
            return Err("takes no ? and no # here; write them as %3F and %23 in a password");
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let at = authority.rfind('@').map_or(0, |at| at + 1);
        let (login, hosts) = authority.split_at(at);
        let hosts: Vec<_> = hosts.split(',').map(str::trim).collect();
        if hosts.iter().any(|host| host.is_empty()) {
            return Err(NO_HOST);
        }
        Ok(Self {
            scheme,
            login,
            hosts,
            path: path.split('/').filter(|part| !part.is_empty()).collect(),
        })
    }

    fn sentinel(&self) -> Result<Address, &'static str> {
        let (master, database) = match self.path.as_slice() {
            [master] => (*master, "0"),
            [master, database] => (*master, *database),
            _ => {
                return Err(
                    "names no master: redis+sentinel://one:26379,two:26379/mymaster, with /database behind it if it \
                     is not 0",
                );
            }
        };
        let asked = self.nodes(26379)?;
        Ok(Address {
            place: Place::Sentinels {
                asked,
                master: master.to_owned(),
            },
            template: self.template(database)?,
        })
    }

    fn cluster(&self) -> Result<Address, &'static str> {
        if !matches!(self.path.as_slice(), [] | ["0"]) {
            return Err("names a database, but a cluster has only database 0");
        }
        Ok(Address {
            place: Place::Cluster {
                seeds: self.nodes(6379)?,
            },
            template: self.template("0")?,
        })
    }

    fn nodes(&self, usual_port: u16) -> Result<Vec<Node>, &'static str> {
        let node = |host: &&str| {
            let name = host.rsplit_once(']').map_or(*host, |(_, port)| port);
            let named = if name.contains(':') {
                connection(&format!("redis://{host}"))
            } else {
                connection(&format!("redis://{host}:{usual_port}"))
            };
            Node::of(named?.addr()).ok_or(FORM)
        };
        self.hosts.iter().map(node).collect()
    }

    fn template(&self, database: &str) -> Result<ConnectionInfo, &'static str> {
        let (scheme, login, host) = (self.scheme, self.login, self.hosts[0]);
        connection(&format!("{scheme}://{login}{host}/{database}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Address {
        Address::parse(url).unwrap_or_else(|fault| panic!("{url}: {fault}"))
    }

    fn names(nodes: &[Node]) -> Vec<String> {
        nodes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_redis_is_what_it_always_was() {
        for url in ["redis://h", "rediss://u:p@h:7/3", "valkey://h", "valkeys://h"] {
            assert_eq!(parsed(url).kind(), RedisKind::Single, "{url}");
        }
    }

    #[test]
    fn sentinels_are_named_with_their_master_and_perhaps_a_database() {
        let address = parsed("redis+sentinel://user:p%2Fw@a:1,b,[::1]:3,[::2]/the-master/5");
        let Place::Sentinels { asked, master } = &address.place else {
            panic!("{:?}", address.place)
        };
        assert_eq!(names(asked), ["a:1", "b:26379", "::1:3", "::2:26379"]);
        assert_eq!(master, "the-master");
        let login = address.template.redis_settings();
        assert_eq!(login.username(), Some("user"));
        assert_eq!(login.password(), Some("p/w"));
        assert_eq!(login.db(), 5);
    }

    #[test]
    fn a_cluster_is_named_by_some_of_its_nodes() {
        let address = parsed("rediss+cluster://:word@a:1,b");
        let Place::Cluster { seeds } = &address.place else {
            panic!("{:?}", address.place)
        };
        assert_eq!(names(seeds), ["a:1", "b:6379"]);
        assert!(matches!(
            address.template.addr(),
            redis::ConnectionAddr::TcpTls { insecure: false, .. }
        ));
        assert_eq!(address.template.redis_settings().password(), Some("word"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_address() {
        for (url, said) in [
            ("hush", "such as"),
            ("http://hush", "must begin with"),
            ("redis+other://hush", "such as"),
            ("http+cluster://hush", "must begin with"),
            ("redis://", "names no host"),
            ("redis+sentinel://hush:1", "names no master"),
            ("redis+sentinel://hush:1/", "names no master"),
            ("redis+sentinel://hush:1/a/0/b", "names no master"),
            ("redis+sentinel://hush:1/a/b", "such as"),
            ("redis+sentinel:///a", "names no host"),
            ("redis+sentinel://:pw@hush,,other/a", "names no host"),
            ("redis+sentinel://hush:port/a", "such as"),
            ("redis+sentinel://hush/a?b", "takes no ?"),
            ("rediss+cluster://hush#insecure", "takes no ?"),
            ("redis+cluster://hush/1", "only database 0"),
        ] {
            let fault = RedisKind::of(url).unwrap_err();
            assert!(fault.contains(said), "{url}: {fault}");
            assert!(!fault.contains("hush"), "{fault}");
        }
    }
}
