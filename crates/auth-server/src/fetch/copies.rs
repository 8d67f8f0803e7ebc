//! Copies of what clients publish, shared by all processes through the store: read when they are needed and no longer
//! fresh, by one request at a time, and by nobody for a while after it did not work.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use mcp_gateway_model::{clock::Timestamp, secret::Digest};
use mcp_gateway_store::{Document, StoreError};
use url::Url;

use super::{Acquaintance, FetchFault, Fetcher};
use crate::{door::Rejection, limit, request::Context};

/// How long an address that failed is not asked again.
const REMEMBERED: Duration = Duration::from_secs(30);

/// How many failures are remembered at most.
const FAULTS: usize = 4096;

/// What is published at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The description of a client.
    Client,
    /// A client's public keys.
    Keys,
}

impl Kind {
    /// The most bytes it may have.
    const fn limit(self) -> usize {
        match self {
            Self::Client => 5 * 1024,
            Self::Keys => 64 * 1024,
        }
    }

    /// Under what the copy lies in the store.
    fn key(self, url: &Url) -> Digest {
        let name = match self {
            Self::Client => "client",
            Self::Keys => "keys",
        };
        Digest::of(format!("{name} {url}").as_bytes())
    }
}

/// Which copies will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// If the address cannot be read now, one that is no longer fresh does as well.
    pub(crate) last_good: bool,
    /// Only one that was read at most so long ago.
    pub(crate) read_within: Option<Duration>,
}

/// Why there is no copy.
#[derive(Debug)]
pub(crate) enum NoCopy {
    /// It cannot be read, or is not what it should be.
    Fault(FetchFault),
    /// Whoever asks has to wait, or the store cannot be asked.
    Rejected(Rejection),
}

impl From<FetchFault> for NoCopy {
    fn from(fault: FetchFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Rejection> for NoCopy {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<StoreError> for NoCopy {
    fn from(error: StoreError) -> Self {
        Self::Rejected(error.into())
    }
}

/// Reads what clients publish.
pub(crate) struct Copies {
    fetcher: Fetcher,
    /// Addresses that are being read.
    under_way: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
    /// Addresses that failed, and until when they are not asked again.
    faults: Mutex<HashMap<Digest, (Timestamp, FetchFault)>>,
}

impl Copies {
    /// Without any yet.
    pub(crate) fn new(fetcher: Fetcher) -> Self {
        Self {
            fetcher,
            under_way: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    /// The lock of one address. It is forgotten when nobody holds it.
    fn turn(&self, key: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut under_way = locked(&self.under_way);
        under_way.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = under_way.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        under_way.insert(*key, Arc::downgrade(&turn));
        turn
    }

    fn remembered(&self, key: &Digest, now: Timestamp) -> Option<FetchFault> {
        let faults = locked(&self.faults);
        let (until, fault) = faults.get(key)?;
        (!until.has_passed(now)).then(|| fault.clone())
    }

    /// Whether the last reading failed, as far as it is known.
    fn has_failed(&self, key: &Digest) -> bool {
        locked(&self.faults).contains_key(key)
    }

    fn forget(&self, key: &Digest) {
        locked(&self.faults).remove(key);
    }

    fn remember(&self, key: &Digest, fault: &FetchFault, now: Timestamp) {
        if !fault.is_of_the_address() {
            return;
        }
        let mut faults = locked(&self.faults);
        if faults.len() >= FAULTS {
            faults.retain(|_, (until, _)| !until.has_passed(now));
        }
        if faults.len() < FAULTS {
            faults.insert(*key, (now.plus(REMEMBERED), fault.clone()));
        }
    }
}

/// What `parse` makes of the text at `url`, or of a copy that will do.
///
/// # Errors
/// [`NoCopy`] says why there is none.
pub(crate) async fn read<T>(
    context: &Context,
    (kind, url): (Kind, &Url),
    policy: Policy,
    parse: impl Fn(&str) -> Result<(T, Option<String>), String>,
) -> Result<T, NoCopy> {
    let parsed = |text: &str| parse(text).map_err(FetchFault::Invalid);
    let (server, now, key) = (&context.server, context.now, kind.key(url));
    let will_do = |copy: &Document| {
        let is_too_old = |within| copy.read_at.plus(within).has_passed(now);
        !copy.fresh_until.has_passed(now) && !policy.read_within.is_some_and(is_too_old)
    };
    if let Some(copy) = server.store.document(&key, now).await?.filter(will_do) {
        return Ok(parsed(&copy.body)?.0);
    }
    let turn = server.copies.turn(&key);
    let _turn = turn.lock().await;
    let copy = server.store.document(&key, now).await?;
    if let Some(copy) = copy.as_ref().filter(|copy| will_do(copy)) {
        return Ok(parsed(&copy.body)?.0);
    }
    let got = if let Some(fault) = server.copies.remembered(&key, now) {
        Err(fault)
    } else {
        ask(context, (kind, url), copy.is_some(), &parsed)
            .await?
            .inspect(|_| server.copies.forget(&key))
            .inspect_err(|fault| server.copies.remember(&key, fault, now))
    };
    match (got, copy) {
        (Ok((value, document)), _) => {
            let most = server.settings.fetch.unused_copies;
            server.store.put_document(&key, &document, most, now).await?;
            Ok(value)
        }
        (Err(FetchFault::Invalid(why)), _) => Err(FetchFault::Invalid(why).into()),
        (Err(_), Some(copy)) if policy.last_good => Ok(parsed(&copy.body)?.0),
        (Err(fault), _) => Err(fault.into()),
    }
}

/// Asks the address itself. One that nobody asked for yet, or that failed last time, costs whoever asks a permit.
async fn ask<T>(
    context: &Context,
    (kind, url): (Kind, &Url),
    is_known: bool,
    parsed: &impl Fn(&str) -> Result<(T, Option<String>), FetchFault>,
) -> Result<Result<(T, Document), FetchFault>, Rejection> {
    let (server, now) = (&context.server, context.now);
    let acquaintance = if is_known && !server.copies.has_failed(&kind.key(url)) {
        Acquaintance::Known
    } else {
        let rate = server.settings.limits.fetch;
        match limit::by_address(server.store.as_ref(), "fetch", context.address, rate, now).await {
            // the copy may do
            Err(_) if is_known => return Ok(Err(FetchFault::Busy)),
            permit => permit?,
        }
        Acquaintance::New
    };
    let fetched = server
        .copies
        .fetcher
        .get(url, kind.limit(), acquaintance, now)
        .await;
    Ok(fetched.and_then(|fetched| {
        let text = String::from_utf8(fetched.body)
            .map_err(|_| FetchFault::Unacceptable("it is not UTF-8 text".into()))?;
        let (value, shorter) = parsed(&text)?;
        let document = Document {
            url: url.as_str().to_owned(),
            body: shorter.unwrap_or(text),
            read_at: now,
            fresh_until: fetched.fresh_until,
            used: false,
        };
        Ok((value, document))
    }))
}

/// Notes that a grant needs the copy.
///
/// # Errors
/// When the store cannot be asked.
pub(crate) async fn keep(context: &Context, kind: Kind, url: &Url) -> Result<(), StoreError> {
    context
        .server
        .store
        .keep_document(&kind.key(url), context.now)
        .await
}

/// What a thread that panicked left is as good as before: each change is one call.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
