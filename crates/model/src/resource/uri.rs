//! The canonical form of a resource's URI.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::issuer::{authority, is_loopback};

/// A resource's URI in one form: scheme and host in lower case, no default port, no trailing slash, no query, no fragment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceUri {
    text: String,
    /// Where the host begins in `text`.
    host: usize,
    /// Where the path begins in `text`; its end if there is none.
    path: usize,
}

impl ResourceUri {
    /// Reads a URI: https, or http on loopback. One trailing slash and the query are ignored.
    ///
    /// # Errors
    /// [`BadResource`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, BadResource> {
        Self::read(text, is_loopback)
    }

    /// Reads a URI that may be plain http although it is not on loopback: for servers inside a private network.
    ///
    /// # Errors
    /// [`BadResource`] says what is wrong.
    pub fn parse_allowing_http(text: &str) -> Result<Self, BadResource> {
        Self::read(text, |_| true)
    }

    fn read(text: &str, http_is_fine: impl Fn(&Url) -> bool) -> Result<Self, BadResource> {
        // what was written here comes back as it was, in every record and every token
        Self::canonical(text).map_or_else(|| Self::take_apart(text, http_is_fine), Ok)
    }

    /// Reads a URI that is plainly in canonical form: https, a name of letters, digits and hyphens, no port, and a path in which
    /// nothing is encoded. `None` for everything else, which has to be looked at more closely.
    fn canonical(text: &str) -> Option<Self> {
        const SCHEME: &str = "https://";
        let rest = text.strip_prefix(SCHEME).filter(|_| text.len() <= 2048)?;
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let is_label = |label: &str| {
            let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            !label.is_empty() && label.len() <= 63 && !label.starts_with("xn--") && label.bytes().all(fits)
        };
        let top = host.rsplit('.').next().unwrap_or(host);
        // an address would be written with a number there
        let is_name = host.len() <= 253
            && host.split('.').all(is_label)
            && top.starts_with(|c: char| c.is_ascii_lowercase());
        let in_path = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
        let is_path = path.bytes().all(in_path) && !path.ends_with('/') && !is_ambiguous(path);
        (is_name && is_path).then(|| Self {
            text: text.to_owned(),
            host: SCHEME.len(),
            path: SCHEME.len() + host.len(),
        })
    }

    fn take_apart(text: &str, http_is_fine: impl Fn(&Url) -> bool) -> Result<Self, BadResource> {
        if text.len() > 2048 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(BadResource::Characters);
        }
        if text.contains('#') {
            return Err(BadResource::Fragment);
        }
        let raw_path = text
            .split_once("//")
            .map_or("", |(_, rest)| rest.split('?').next().unwrap_or_default());
        if raw_path
            .find('/')
            .is_some_and(|start| is_ambiguous(&raw_path[start..]))
        {
            return Err(BadResource::Ambiguous);
        }
        let url = Url::parse(text).map_err(|_| BadResource::NotAbsolute)?;
        match url.scheme() {
            "https" => {}
            "http" if http_is_fine(&url) => {}
            "http" => return Err(BadResource::PlainHttp),
            _ => return Err(BadResource::NotAbsolute),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadResource::UserInformation);
        }
        let authority = authority(&url).ok_or(BadResource::NotAbsolute)?;
        let path = url.path().strip_suffix('/').unwrap_or(url.path());
        Ok(Self::assemble(url.scheme(), &authority, path))
    }

    /// A URI from parts that are canonical already; `path` is empty or starts with a slash.
    pub(super) fn assemble(scheme: &str, authority: &str, path: &str) -> Self {
        let text = format!("{scheme}://{authority}{path}");
        Self {
            host: scheme.len() + 3,
            path: scheme.len() + 3 + authority.len(),
            text,
        }
    }

    /// The whole URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.text[..self.host - 3]
    }

    /// Host, and port if it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.text[self.host..self.path]
    }

    /// The path without its trailing slash: empty for a bare origin.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.text[self.path..]
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.text[..self.path]
    }
}

/// Whether `path` lies at or below `prefix`, compared segment by segment.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The same, but for the case of ASCII letters.
pub(super) fn is_below_in_any_case(path: &str, prefix: &str) -> bool {
    let (path, prefix) = (path.as_bytes(), prefix.as_bytes());
    path.split_at_checked(prefix.len()).is_some_and(|(head, rest)| {
        head.eq_ignore_ascii_case(prefix) && (rest.is_empty() || rest.starts_with(b"/"))
    })
}

/// Whether a server might read another path than this one: dot segments, empty segments, path parameters, backslashes, and
/// percent-encoding that means one of these or a character that needs none (`/%61dmin` is `/admin` to some).
pub(crate) fn is_ambiguous(path: &str) -> bool {
    let bytes = path.as_bytes();
    let is_dots = |segment: &[u8]| segment == b"." || segment == b"..";
    bytes.iter().any(|b| matches!(b, b'\\' | b';'))
        || bytes.windows(2).any(|pair| pair == b"//")
        || bytes.split(|b| *b == b'/').any(is_dots)
        || (bytes.contains(&b'%') && hides_something(path))
}

/// Whether a percent sign stands for an unreserved character (RFC 3986 §2.3), a separator, a control or itself, or for
/// nothing at all.
fn hides_something(path: &str) -> bool {
    path.split('%').skip(1).any(
        |rest| match rest.get(..2).map(|hex| u8::from_str_radix(hex, 16)) {
            Some(Ok(byte)) => {
                byte.is_ascii_alphanumeric() || b"-._~/\\;%".contains(&byte) || byte.is_ascii_control()
            }
            _ => true,
        },
    )
}

impl fmt::Display for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ResourceUri> for String {
    fn from(uri: ResourceUri) -> Self {
        uri.text
    }
}

impl TryFrom<String> for ResourceUri {
    type Error = BadResource;

    fn try_from(text: String) -> Result<Self, BadResource> {
        Self::parse_allowing_http(&text)
    }
}

/// What is wrong with a resource's URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadResource {
    /// Too long, or characters that a URI does not have.
    #[error("must be at most 2048 visible ASCII characters")]
    Characters,
    /// RFC 8707 §2.
    #[error("must be an absolute https URI")]
    NotAbsolute,
    /// RFC 8707 §2.
    #[error("must not have a fragment")]
    Fragment,
    /// Hides the host.
    #[error("must not have user information")]
    UserInformation,
    /// Could mean another path.
    #[error(
        "must not have dot segments, empty segments, path parameters, or encoded dots, slashes or percent signs in its path"
    )]
    Ambiguous,
    /// http outside loopback.
    #[error("must be https; http is for loopback only")]
    PlainHttp,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether what is taken for canonical is what taking it apart gives.
    fn agrees(text: &str) -> bool {
        let apart = || ResourceUri::take_apart(text, |_| true);
        ResourceUri::canonical(text).is_none_or(|canonical| apart() == Ok(canonical))
    }

    proptest! {
        #[test]
        fn what_looks_canonical_is(
            text in "https?://([a-z0-9-]{1,4}\\.){0,2}[a-zA-Z0-9._-]{1,8}(:[0-9]{1,5})?(/[a-zA-Z0-9._~%;-]{0,4}){0,4}",
        ) {
            prop_assert!(agrees(&text));
        }
    }

    #[test]
    fn names_that_mean_something_else_do_not_look_canonical() {
        for host in [
            "1.2.3.4",
            "127.1",
            "0x7f.1",
            "a.0x1",
            "a.1",
            "2130706433",
            "xn--nxasmq6b",
            "a.xn--p1ai",
            "a..b",
            "a.",
            ".a",
            "-",
            "a_b.example",
            "A.example",
            "a.example:443",
            "u@a.example",
            "[::1]",
            "",
        ] {
            let text = format!("https://{host}/mcp");
            assert!(agrees(&text), "{host}");
            assert!(ResourceUri::canonical(&text).is_none(), "{host}");
        }
        for text in [
            "https://a-b.example.com/mcp",
            "https://h1.example",
            "https://localhost/a/b.c~d",
        ] {
            assert!(agrees(text) && ResourceUri::canonical(text).is_some(), "{text}");
        }
        for text in [
            "https://a.example/",
            "https://a.example/a//b",
            "https://a.example/a/../b",
            "https://a.example?b",
        ] {
            assert!(ResourceUri::canonical(text).is_none(), "{text}");
        }
    }

    #[test]
    fn case_default_port_trailing_slash_and_query_do_not_matter() {
        for text in [
            "https://echo.example.com/mcp",
            "HTTPS://Echo.Example.com:443/mcp/",
            "https://echo.example.com/mcp?session=1",
        ] {
            assert_eq!(
                ResourceUri::parse(text).unwrap().as_str(),
                "https://echo.example.com/mcp"
            );
        }
        let uri = ResourceUri::parse("https://echo.example.com:8443/").unwrap();
        assert_eq!((uri.as_str(), uri.path()), ("https://echo.example.com:8443", ""));
        assert_eq!(
            (uri.scheme(), uri.authority()),
            ("https", "echo.example.com:8443")
        );
    }

    #[test]
    fn what_could_mean_another_resource_is_refused() {
        for (text, why) in [
            ("https://e.example.com/a/../b", BadResource::Ambiguous),
            ("https://e.example.com/a/%2e%2e/b", BadResource::Ambiguous),
            ("https://e.example.com//b", BadResource::Ambiguous),
            ("https://e.example.com/a;x=1", BadResource::Ambiguous),
            ("https://e.example.com/a%3bx=1", BadResource::Ambiguous),
            ("https://e.example.com/%61dmin", BadResource::Ambiguous),
            ("https://e.example.com/a%2", BadResource::Ambiguous),
            ("https://e.example.com/a%zz", BadResource::Ambiguous),
            ("https://e.example.com/mcp#x", BadResource::Fragment),
            ("https://u@e.example.com/mcp", BadResource::UserInformation),
            ("http://e.example.com/mcp", BadResource::PlainHttp),
            ("/mcp", BadResource::NotAbsolute),
            ("mcp://e.example.com/mcp", BadResource::NotAbsolute),
        ] {
            assert_eq!(ResourceUri::parse(text), Err(why), "{text}");
        }
    }
}
