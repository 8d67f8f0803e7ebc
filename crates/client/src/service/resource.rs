//! What a token is for: a protected MCP server, by its address.

use url::Url;

use super::fault::Fault;

/// The most segments of a path that are looked at.
const DEEPEST: usize = 16;

/// A resource that a token is asked for.
#[derive(Debug)]
pub(super) struct Resource {
    text: String,
    name: String,
}

impl Resource {
    /// Reads a resource indicator ([RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2)): it is asked for byte for
    /// byte as it was written.
    ///
    /// # Errors
    /// A [`Fault`] with status 400.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let bad = |rule: &str| Fault::bad("invalid_target", format!("resource {rule}."));
        let url = Url::parse(text).map_err(|_| bad("must be the URL of an MCP server"))?;
        if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
            return Err(bad("must begin with https"));
        }
        if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(bad("must have neither a fragment nor user information"));
        }
        Ok(Self {
            text: text.to_owned(),
            name: name(&url, url.path(), url.query()),
        })
    }

    /// The text that it was read from.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// What it is called in the store: one name for all ways to write it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// The names of all resources that could cover `url`, the nearest first: it, it without its query, and what lies above it at
/// its origin. A resource with a query is that one alone.
pub(super) fn covering(url: &Url) -> Vec<String> {
    let mut path = url.path().trim_end_matches('/');
    let mut names: Vec<_> = url
        .query()
        .map(|query| name(url, path, Some(query)))
        .into_iter()
        .collect();
    names.push(name(url, path, None));
    if is_ambiguous(path) {
        // only what covers all of the origin covers it for certain
        names.push(name(url, "", None));
        return names;
    }
    while let Some((above, _)) = path.rsplit_once('/') {
        path = above.trim_end_matches('/');
        names.push(name(url, path, None));
    }
    // the shortest count most: what has more segments than anybody writes is looked for above them
    let first = names.len().saturating_sub(DEEPEST);
    names.split_off(first)
}

/// Whether servers read a path in different ways, so that nobody knows what it lies below.
fn is_ambiguous(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    ["%2f", "%5c", ";", "//"].iter().any(|part| path.contains(part))
}

fn name(url: &Url, path: &str, query: Option<&str>) -> String {
    let origin = url.origin().ascii_serialization();
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    format!("{origin}{}{query}", path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_covers_its_origin_from_its_path_down() {
        let covers = |resource: &str, url: &str| {
            let resource = Resource::parse(resource).unwrap();
            covering(&Url::parse(url).unwrap()).contains(&resource.name().to_owned())
        };
        for (resource, url) in [
            ("https://mcp.example.com", "https://mcp.example.com/mcp"),
            ("https://mcp.example.com/", "https://MCP.example.com:443/a/b?x=1"),
            ("https://mcp.example.com/mcp/", "https://mcp.example.com/mcp"),
            ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp/tools"),
            ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp?x=1"),
            (
                "https://mcp.example.com/mcp?tenant=a",
                "https://mcp.example.com/mcp/?tenant=a",
            ),
            ("https://mcp.example.com", "https://mcp.example.com/a/..%2fb"),
            ("https://mcp.example.com/a%2Fb", "https://mcp.example.com/a%2Fb"),
        ] {
            assert!(covers(resource, url), "{resource} covers {url}");
        }
        for (resource, url) in [
            ("https://mcp.example.com/mcp", "https://mcp.example.com/"),
            ("https://mcp.example.com/mcp", "https://mcp.example.com/mcpx"),
            (
                "https://mcp.example.com/mcp?tenant=a",
                "https://mcp.example.com/mcp?tenant=b",
            ),
            (
                "https://mcp.example.com/mcp?tenant=a",
                "https://mcp.example.com/mcp",
            ),
            (
                "https://mcp.example.com/mcp",
                "https://mcp.example.com/mcp/../admin",
            ),
            (
                "https://mcp.example.com/mcp",
                "https://mcp.example.com.evil.com/mcp",
            ),
            ("https://mcp.example.com/mcp", "https://mcp.example.com:8443/mcp"),
            ("https://mcp.example.com/mcp", "http://mcp.example.com/mcp"),
            ("https://mcp.example.com/MCP", "https://mcp.example.com/mcp"),
            (
                "https://mcp.example.com/a",
                "https://mcp.example.com/a/..%2fb/mcp",
            ),
            (
                "https://mcp.example.com/a",
                "https://mcp.example.com/a/..%5Cb/mcp",
            ),
            ("https://mcp.example.com/a", "https://mcp.example.com/a/..;/b/mcp"),
            ("https://mcp.example.com/a", "https://mcp.example.com/a//b/mcp"),
        ] {
            assert!(!covers(resource, url), "{resource} covers {url}");
        }
    }

    #[test]
    fn the_nearest_resource_comes_first_and_their_number_is_bounded() {
        let names = covering(&Url::parse("https://x.example.com/a/b/?c=d").unwrap());
        let expected = ["/a/b?c=d", "/a/b", "/a", ""].map(|path| format!("https://x.example.com{path}"));
        assert_eq!(names, expected);
        let long = format!("https://x.example.com{}", "/a".repeat(500));
        assert_eq!(covering(&Url::parse(&long).unwrap()).len(), DEEPEST);
    }

    #[test]
    fn what_is_no_resource_is_refused() {
        for text in [
            "",
            "mcp",
            "/mcp",
            "file:///mcp",
            "https://x.example.com/#a",
            "https://u@x.example.com/",
            "data:,x",
        ] {
            assert!(Resource::parse(text).is_err(), "{text}");
        }
    }
}
