//! How long a copy need not be asked for again ([RFC 9111 §4.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2)).

use std::time::Duration;

use mcp_gateway_model::clock::Timestamp;
use reqwest::header::{self, HeaderMap, HeaderName};

/// However soon the server wants to be asked again: at most once a minute.
const LEAST: Duration = Duration::from_secs(60);
/// However late: once a day.
const MOST: Duration = Duration::from_secs(86_400);
/// What holds when the server says nothing.
const UNSAID: Duration = Duration::from_secs(3600);

/// What an answer says about how long it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freshness(Duration);

impl Freshness {
    /// Reads `Cache-Control`, `Expires`, `Date` and `Age`.
    pub(crate) fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        let directives = Directives::read(headers);
        let said = if directives.not_at_all {
            Some(Duration::ZERO)
        } else {
            directives.max_age.or_else(|| expires(headers, now))
        };
        let age = text(headers, &header::AGE).and_then(|text| text.parse().ok());
        let age = Duration::from_secs(age.unwrap_or_default());
        Self(said.map_or(UNSAID, |said| said.saturating_sub(age)))
    }

    /// How long that is here: from a minute to a day.
    pub(crate) fn lifetime(self) -> Duration {
        self.0.clamp(LEAST, MOST)
    }
}

#[derive(Default)]
struct Directives {
    not_at_all: bool,
    max_age: Option<Duration>,
}

impl Directives {
    fn read(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        let values = headers.get_all(header::CACHE_CONTROL).iter();
        for directive in values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(','))
        {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => directives.not_at_all = true,
                "max-age" => {
                    // An age that is no number is none; of two, the shorter one holds.
                    let seconds = value.trim().trim_matches('"').parse().unwrap_or(0);
                    let age = Duration::from_secs(seconds);
                    directives.max_age = Some(directives.max_age.map_or(age, |other| other.min(age)));
                }
                _ => {}
            }
        }
        directives
    }
}

/// How long until `Expires`, by the server's own clock if it tells the time.
fn expires(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let time = |name: &HeaderName| {
        let text = text(headers, name)?;
        text.parse::<actix_web::http::header::HttpDate>()
            .ok()
            .map(std::time::SystemTime::from)
    };
    let there =
        time(&header::DATE).unwrap_or_else(|| std::time::UNIX_EPOCH + Duration::from_secs(now.secs()));
    // A date that is none has passed already.
    text(headers, &header::EXPIRES)?;
    let end = time(&header::EXPIRES).unwrap_or(std::time::UNIX_EPOCH);
    Some(end.duration_since(there).unwrap_or_default())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn lifetime(lines: &[(&'static str, &'static str)]) -> u64 {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        // 1994-11-06T08:49:37Z
        Freshness::of(&headers, Timestamp::from_secs(784_111_777))
            .lifetime()
            .as_secs()
    }

    #[test]
    fn a_copy_holds_as_long_as_its_server_says_from_a_minute_to_a_day() {
        for (lines, seconds) in [
            (&[][..], 3600),
            (&[("cache-control", "max-age=600")], 600),
            (&[("cache-control", "public, MAX-AGE=\"600\"")], 600),
            (&[("cache-control", "max-age=5")], 60),
            (&[("cache-control", "max-age=31536000, immutable")], 86_400),
            (&[("cache-control", "max-age=99999999999999999999")], 60),
            (&[("cache-control", "max-age=600, max-age=300")], 300),
            (&[("cache-control", "no-store")], 60),
            (
                &[("cache-control", "max-age=600"), ("cache-control", "no-cache")],
                60,
            ),
            (&[("cache-control", "private")], 3600),
        ] {
            assert_eq!(lifetime(lines), seconds, "{lines:?}");
        }
    }

    #[test]
    fn the_time_that_it_lay_in_other_caches_counts() {
        let max_age = ("cache-control", "max-age=600");
        assert_eq!(lifetime(&[max_age, ("age", "200")]), 400);
        assert_eq!(lifetime(&[max_age, ("age", "6000")]), 60);
        assert_eq!(lifetime(&[max_age, ("age", "x")]), 600);
    }

    #[test]
    fn expires_counts_where_no_max_age_does() {
        let expires = ("expires", "Sun, 06 Nov 1994 08:59:37 GMT");
        assert_eq!(lifetime(&[expires]), 600);
        assert_eq!(
            lifetime(&[expires, ("date", "Sun, 06 Nov 1994 08:54:37 GMT")]),
            300
        );
        assert_eq!(lifetime(&[expires, ("cache-control", "max-age=120")]), 120);
        assert_eq!(lifetime(&[("expires", "0")]), 60);
    }
}
