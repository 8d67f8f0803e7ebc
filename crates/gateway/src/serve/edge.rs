//! What every request meets on its way in and out: a name, the address it comes from, a line in the log, a place in the counts.

use std::{
    cell::RefCell,
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use actix_web::{
    body::BoxBody,
    dev::{RequestHead, Response, ResponseHead},
    http::{
        ConnectionType, Method, Uri,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    web::{self, BytesMut},
};
use mcp_gateway_model::{
    clock::{Clock as _, SystemClock, Ticks},
    error::LoggedReason,
    id::{RequestId, RequestIds},
    proxy::TrustedProxies,
};
use mcp_gateway_store::Moment;

use super::answers::Answers;
use crate::logs::{line::Line, requests};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// How long a request may take to come in and be decided. Bodies of answers that are streamed take what they need.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of a path the log shows.
const PATH_SHOWN: usize = 200;

/// What is known about all requests.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Whether browsers are told to come by https only (RFC 6797).
    pub(crate) https_only: bool,
    /// Whose `X-Forwarded-For` and `X-Request-Id` are believed.
    pub(crate) trusted_proxies: TrustedProxies,
    /// Set when the process is about to end.
    pub(crate) draining: AtomicBool,
    /// Answers by status.
    pub(crate) answers: Answers,
    /// How long a request may take; `None` for as long as it likes.
    pub(crate) patience: Option<Duration>,
}

impl Edge {
    /// The edge with its counter in `registry`.
    ///
    /// # Errors
    /// When the registry has such a counter already.
    pub(crate) fn new(
        trusted_proxies: TrustedProxies,
        https_only: bool,
        registry: &prometheus::Registry,
    ) -> Result<Self, prometheus::Error> {
        Ok(Self {
            https_only,
            trusted_proxies,
            draining: AtomicBool::new(false),
            answers: Answers::register(registry)?,
            patience: Some(PATIENCE),
        })
    }

    /// What all answers have.
    fn finish(&self, head: &mut ResponseHead, id: HeaderValue) {
        head.headers_mut().insert(REQUEST_ID.clone(), id);
        if self.https_only {
            head.headers_mut().insert(
                header::STRICT_TRANSPORT_SECURITY,
                HeaderValue::from_static("max-age=31536000"),
            );
        }
        if self.draining.load(Ordering::SeqCst) {
            // the framework writes the header itself
            head.set_connection_type(ConnectionType::Close);
        }
    }
}

/// The edge as one worker has it.
pub(super) struct Gate {
    pub(super) edge: web::Data<Edge>,
    names: RefCell<Names>,
    /// Who came last, by what, and from where: proxies often say the same again.
    last: RefCell<(IpAddr, HeaderValue, IpAddr)>,
}

impl Gate {
    pub(super) fn new(edge: web::Data<Edge>) -> Self {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self {
            edge,
            names: RefCell::default(),
            last: RefCell::new((nobody, HeaderValue::from_static(""), nobody)),
        }
    }

    /// A request comes in.
    pub(super) fn greet(&self, head: &RequestHead, began: Began) -> Visit {
        let peer = head
            .peer_addr
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        Visit {
            began,
            id: self.request_id(&head.headers, peer),
            client: self.client_address(&head.headers, peer),
        }
    }

    /// The request's name: the proxy's, if a trusted one sent a good one, else a new one.
    fn request_id(&self, headers: &HeaderMap, peer: IpAddr) -> HeaderValue {
        headers
            .get(&REQUEST_ID)
            .filter(|_| self.edge.trusted_proxies.trusts(peer))
            .filter(|value| value.to_str().is_ok_and(RequestId::fits))
            .cloned()
            .unwrap_or_else(|| self.names.borrow_mut().next_name())
    }

    fn client_address(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let proxies = &self.edge.trusted_proxies;
        let mut values = headers.get_all(&FORWARDED_FOR);
        match (values.next(), values.next()) {
            (None, _) => peer.to_canonical(),
            (Some(value), None) => {
                let mut last = self.last.borrow_mut();
                if (last.0, &last.1) != (peer, value) {
                    let address = proxies.client_address(peer, value.to_str().unwrap_or_default());
                    *last = (peer, value.clone(), address);
                }
                last.2
            }
            _ => {
                let values = headers.get_all(&FORWARDED_FOR);
                let all: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
                proxies.client_address(peer, &all.join(","))
            }
        }
    }

    /// The request is answered: what all answers have is added, and the line is written. How long it took.
    pub(super) fn part(
        &self,
        visit: Visit,
        (method, uri): (&Method, &Uri),
        answer: &mut Response<BoxBody>,
    ) -> Duration {
        let status = answer.status();
        self.edge.answers.count(status);
        let took = visit.began.elapsed();
        let extensions = answer.extensions();
        let reason = extensions.get::<LoggedReason>();
        requests::write(&Line {
            at: visit.began.micros_after(took),
            method: method.as_str(),
            path: shown(uri.path()),
            status: status.as_u16(),
            ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            request_id: visit.id.to_str().unwrap_or_default(),
            client: visit.client,
            reason: reason.map(|reason| reason.code),
            detail: reason
                .map(|reason| reason.detail.as_str())
                .filter(|detail| !detail.is_empty()),
        });
        drop(extensions);
        self.edge.finish(answer.head_mut(), visit.id);
        took
    }
}

/// As much of a path as the log shows.
fn shown(path: &str) -> &str {
    if path.len() <= PATH_SHOWN {
        return path;
    }
    let end = path.char_indices().nth(PATH_SHOWN);
    end.and_then(|(end, _)| path.get(..end)).unwrap_or(path)
}

/// A request that is being answered.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    began: Began,
    id: HeaderValue,
    client: IpAddr,
}

impl Visit {
    /// When it began.
    pub(super) const fn began(&self) -> Began {
        self.began
    }

    /// How long it has taken so far.
    pub(super) fn lasted(&self) -> Duration {
        self.began.elapsed()
    }

    /// The request's name, for handlers.
    pub(super) fn request_id(&self) -> RequestId {
        let name = self.id.to_str().unwrap_or_default();
        RequestId::parse(name).unwrap_or_else(|_| RequestId::generate())
    }
}

/// New names of requests, ready to be sent. Many of them share a piece of memory.
#[derive(Debug, Default)]
struct Names {
    ids: RequestIds,
    room: BytesMut,
}

impl Names {
    /// How much memory is taken at once.
    const ROOM: usize = 4096;

    fn next_name(&mut self) -> HeaderValue {
        let name = self.ids.next_name().as_bytes();
        if self.room.capacity() < name.len() {
            self.room = BytesMut::with_capacity(Self::ROOM);
        }
        self.room.extend_from_slice(name);
        let name = self.room.split().freeze();
        HeaderValue::from_maybe_shared(name).unwrap_or(HeaderValue::from_static(""))
    }
}

/// When a request came: by the clock on the wall, and by one that is never set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Began {
    /// Microseconds since the epoch.
    micros: u64,
    ticks: Ticks,
}

impl Began {
    #[expect(
        clippy::disallowed_methods,
        reason = "the outermost edge, where a request's time is read: the log has microseconds"
    )]
    pub(super) fn now() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            micros: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX),
            ticks: SystemClock.ticks(),
        }
    }

    pub(super) const fn moment(self) -> Moment {
        Moment::new(self.ticks.nanos(), self.micros / 1000)
    }

    fn elapsed(self) -> Duration {
        self.ticks.until(SystemClock.ticks())
    }

    /// Microseconds since the epoch, so long after it.
    fn micros_after(self, duration: Duration) -> u64 {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.micros.saturating_add(micros)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_new_each_time_and_good_headers() {
        let mut names = Names::default();
        let many: BTreeSet<_> = (0..1000)
            .map(|_| names.next_name().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(many.len(), 1000);
        assert!(many.iter().all(|name| RequestId::fits(name)));
    }

    #[test]
    fn two_hundred_characters_of_a_path_are_shown() {
        assert_eq!(shown("/verify"), "/verify");
        let long = format!("/{}", "\u{e9}".repeat(300));
        assert_eq!(shown(&long).chars().count(), 200);
        assert_eq!(shown(&"a".repeat(201)), "a".repeat(200));
    }

    #[test]
    fn the_address_is_found_anew_for_each_peer_and_each_list() {
        let registry = prometheus::Registry::new();
        let edge = Edge::new(TrustedProxies::default(), false, &registry).unwrap();
        let gate = Gate::new(web::Data::new(edge));
        for (peer, lists, client) in [
            ("10.0.0.2", &["203.0.113.9"][..], "203.0.113.9"),
            ("10.0.0.2", &["203.0.113.9"], "203.0.113.9"),
            ("192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
            ("10.0.0.2", &["203.0.113.8"], "203.0.113.8"),
            ("10.0.0.2", &["203.0.113.7", "203.0.113.8"], "203.0.113.8"),
            ("10.0.0.2", &["203.0.113.7", "10.1.2.3"], "203.0.113.7"),
            ("10.0.0.2", &[], "10.0.0.2"),
            ("::ffff:10.0.0.2", &[], "10.0.0.2"),
            ("::ffff:10.0.0.2", &["203.0.113.9"], "203.0.113.9"),
        ] {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(FORWARDED_FOR.clone(), HeaderValue::from_str(list).unwrap());
            }
            let address = gate.client_address(&headers, peer.parse().unwrap());
            assert_eq!(address.to_string(), client, "{peer} {lists:?}");
        }
    }
}
