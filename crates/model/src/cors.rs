//! Which browser origins may read answers (`MCP_CORS_ORIGINS`). Credentials are never allowed: tokens travel in headers
//! that scripts set themselves.

use url::Url;

/// The origins that may read answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CorsOrigins {
    /// `*`.
    #[default]
    Any,
    /// These; the empty list is none.
    Listed(Vec<String>),
}

impl CorsOrigins {
    /// Request headers that MCP clients in browsers send.
    pub const REQUEST_HEADERS: &str = "authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, last-event-id";
    /// Answer headers that MCP clients in browsers read.
    pub const EXPOSED_HEADERS: &str = "WWW-Authenticate, Mcp-Session-Id, Retry-After, X-Request-Id";
    /// How long a browser may remember a preflight, in seconds.
    pub const MAX_AGE: &str = "7200";

    /// Reads a list separated by commas, or `*`.
    ///
    /// # Errors
    /// [`BadOrigin`] with the entry that is no origin.
    pub fn parse(text: &str) -> Result<Self, BadOrigin> {
        let mut listed = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|e| !e.is_empty()) {
            if entry == "*" {
                return Ok(Self::Any);
            }
            let url = Url::parse(entry).map_err(|_| BadOrigin(entry.to_owned()))?;
            let origin = url.origin();
            if !origin.is_tuple() || url.path() != "/" || url.query().is_some() {
                return Err(BadOrigin(entry.to_owned()));
            }
            listed.push(origin.ascii_serialization());
        }
        Ok(Self::Listed(listed))
    }

    /// The value of `Access-Control-Allow-Origin` for a request from `origin`; `None` for no header at all.
    #[must_use]
    pub fn allow<'a>(&self, origin: &'a str) -> Option<&'a str> {
        match self {
            Self::Any => Some("*"),
            Self::Listed(listed) => listed.iter().any(|o| o == origin).then_some(origin),
        }
    }
}

/// An entry that is no origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an origin such as https://app.example.com, nor *")]
pub struct BadOrigin(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_origins_are_allowed_and_the_star_is_no_echo() {
        let listed = CorsOrigins::parse("https://a.example.com/, http://localhost:6274").unwrap();
        assert_eq!(
            listed.allow("https://a.example.com"),
            Some("https://a.example.com")
        );
        assert_eq!(listed.allow("https://a.example.com.evil.com"), None);
        assert_eq!(
            CorsOrigins::parse("*").unwrap().allow("https://evil.com"),
            Some("*")
        );
        assert_eq!(CorsOrigins::parse("").unwrap().allow("https://evil.com"), None);
        assert!(CorsOrigins::parse("a.example.com").is_err());
    }
}
