//! Reads JSON from addresses that strangers name, and from nowhere else than the public internet.
//!
//! An address is judged before anything is sent ([`target`]), its name is resolved once and every address that the answer
//! has is judged ([`names`], [`public`]), and the connection goes to one of those. There is no way around: no proxy, no
//! redirect, no second look-up. What is read is bounded in time and size ([`wire`]).

pub(crate) mod copies;
mod fault;
mod freshness;
mod hosts;
pub(crate) mod keys;
mod names;
mod public;
mod target;
mod wire;

use std::{future::poll_fn, net::SocketAddr, pin::pin, task::Poll};

use mcp_gateway_model::{clock::Timestamp, issuer::Issuer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use url::Url;

pub(crate) use fault::FetchFault;
use freshness::Freshness;
use hosts::Hosts;
use names::Names;
use public::Judge;
use target::{Reach, Target};
use wire::Wire;

use crate::settings::FetchSettings;

/// How many addresses are read from at once that were read before.
const KNOWN_AT_ONCE: usize = 16;
/// How many that nobody named before: a crowd of strangers keeps nobody else waiting.
const NEW_AT_ONCE: usize = 32;

/// Whether an address was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquaintance {
    /// There is a copy, and reading it again did not fail.
    Known,
    /// There is none, or it could not be read again.
    New,
}

/// What was read, and how long it may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetched {
    /// The body: whether it is JSON is for the reader to say.
    pub(crate) body: Vec<u8>,
    /// Until when it need not be read again.
    pub(crate) fresh_until: Timestamp,
}

/// That an answer does not come in time.
const TOO_LONG: FetchFault = FetchFault::Unreachable("it takes too long");

/// What is given back when the reading ends.
struct Permits<'a> {
    _at_host: Option<OwnedSemaphorePermit>,
    _of_all: SemaphorePermit<'a>,
}

/// Reads from the public internet, and from the networks that the operator allows.
pub(crate) struct Fetcher {
    /// For names of the public internet, at the port of https.
    public: Wire,
    /// For everything else: reaches the allowed networks only.
    allowed: Option<Wire>,
    judge: Judge,
    issuer: Option<Url>,
    known: Semaphore,
    new: Semaphore,
    hosts: Hosts,
    settings: FetchSettings,
}

impl Fetcher {
    /// A fetcher that never asks the issuer itself.
    ///
    /// # Errors
    /// [`BadFetcher`] when the name servers or the root certificates cannot be used.
    pub(crate) fn new(settings: FetchSettings, issuer: &Issuer) -> Result<Self, BadFetcher> {
        let names = Names::new(&settings.dns_servers)?;
        let wire = |judge: Judge| Wire::new(&settings, names.clone(), judge);
        let judge = Judge::new(settings.allowed_networks.clone());
        let has_allowed = !settings.allowed_networks.is_empty();
        Ok(Self {
            public: wire(judge.clone())?,
            allowed: has_allowed
                .then(|| wire(judge.clone().only_allowed()))
                .transpose()?,
            judge,
            issuer: Url::parse(issuer.as_str()).ok(),
            known: Semaphore::new(KNOWN_AT_ONCE),
            new: Semaphore::new(NEW_AT_ONCE),
            hosts: Hosts::default(),
            settings,
        })
    }

    /// Reads the JSON document of at most `limit` bytes at `url`.
    ///
    /// # Errors
    /// [`FetchFault`] says why there is none.
    pub(crate) async fn get(
        &self,
        url: &Url,
        limit: usize,
        acquaintance: Acquaintance,
        now: Timestamp,
    ) -> Result<Fetched, FetchFault> {
        let wire = self.wire_to(url)?;
        // waiting for others counts as well
        let deadline = tokio::time::Instant::now() + self.settings.patience;
        let mut permits = pin!(self.permits(url, acquaintance));
        let at_once = poll_fn(|cx| Poll::Ready(permits.as_mut().poll(cx))).await;
        let (_permits, has_waited) = match at_once {
            Poll::Ready(permits) => (permits?, false),
            Poll::Pending => {
                let waited = tokio::time::timeout_at(deadline, permits).await;
                (waited.unwrap_or(Err(FetchFault::Busy))?, true)
            }
        };
        let got = tokio::time::timeout_at(deadline, wire.get(url, limit, now)).await;
        got.unwrap_or(Err(TOO_LONG)).map_err(|fault| {
            // what was left of the time says nothing about the address
            let is_blamed = !has_waited || fault != TOO_LONG;
            if is_blamed { fault } else { FetchFault::Busy }
        })
    }

    /// What reading needs. Nobody's descriptions lead to hosts of others once they were read, so only then a host has
    /// permits of its own: a stranger who names slow addresses of somebody's host keeps nobody from that host.
    async fn permits(&self, url: &Url, acquaintance: Acquaintance) -> Result<Permits<'_>, FetchFault> {
        let (at_host, all) = match acquaintance {
            Acquaintance::Known => (Some(self.hosts.of(url)), &self.known),
            Acquaintance::New => (None, &self.new),
        };
        let at_host = match at_host {
            Some(permits) => Some(permits.acquire_owned().await.map_err(|_| FetchFault::Busy)?),
            None => None,
        };
        let of_all = all.acquire().await.map_err(|_| FetchFault::Busy)?;
        Ok(Permits {
            _at_host: at_host,
            _of_all: of_all,
        })
    }

    /// What may go to `url`, if anything may.
    fn wire_to(&self, url: &Url) -> Result<&Wire, FetchFault> {
        const NOT_PUBLIC: FetchFault =
            FetchFault::Refused("must have a name of the public internet and the port of https");
        let target = Target::judge(url, self.issuer.as_ref(), &self.settings.ports)?;
        let (wire, judge) = match target.reach {
            Reach::Public => (&self.public, self.judge.clone()),
            Reach::Allowed => (
                self.allowed.as_ref().ok_or(NOT_PUBLIC)?,
                self.judge.clone().only_allowed(),
            ),
        };
        if let Some(address) = target.literal {
            // No name will be resolved, so this is the only judgement.
            judge
                .all([SocketAddr::new(address, 0)])
                .map_err(|_| FetchFault::Refused("is not one of the public internet"))?;
        }
        Ok(wire)
    }
}

/// Why nothing can be read from anywhere.
#[derive(Debug, thiserror::Error)]
pub enum BadFetcher {
    /// The name servers.
    #[error("FETCH_DNS_SERVERS: the name servers cannot be used: {0}")]
    Names(String),
    /// The additional root certificates.
    #[error("FETCH_CA_FILE: {0}")]
    Roots(String),
}

#[cfg(test)]
mod tests;
