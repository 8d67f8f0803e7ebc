//! What reached the sample server: for tests that assert that nothing did.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::HttpRequest;

/// Counts the requests that reach the sample server, `/health` apart. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: usize,
    last: Option<Recorded>,
}

/// A request that reached the sample server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Lower-case names and values in the order of arrival of each name.
    pub headers: Vec<(String, String)>,
}

impl Recorded {
    /// The first value of a header, whatever case its name has.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl Recorder {
    /// How many requests reached the server.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.seen().requests
    }

    /// The last request that reached the server.
    #[must_use]
    pub fn last(&self) -> Option<Recorded> {
        self.seen().last.clone()
    }

    pub(super) fn record(&self, request: &HttpRequest) {
        let headers = request.headers().iter();
        let recorded = Recorded {
            method: request.method().to_string(),
            target: request.uri().to_string(),
            headers: headers
                .map(|(name, value)| {
                    (
                        name.as_str().to_owned(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect(),
        };
        let mut seen = self.seen();
        seen.requests += 1;
        seen.last = Some(recorded);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
