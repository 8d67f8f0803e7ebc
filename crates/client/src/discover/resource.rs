//! Protected resource metadata ([RFC 9728](https://www.rfc-editor.org/rfc/rfc9728)).

use url::Url;

use super::{
    Challenge, DiscoverFault, Question, ResourceMetadata, ResourcePlace, Trail, Verdict, place, read,
};
use crate::http::Http;

/// The metadata of `server`: where the challenge says, else at the well-known addresses. `None` when there is none anywhere,
/// as with servers of revision 2025-03-26.
///
/// # Errors
/// [`DiscoverFault`] when there is a document that must not be used, or nobody can be asked.
pub async fn resource(
    http: &Http,
    server: &Url,
    challenge: Option<&Challenge>,
    trail: &mut Trail,
) -> Result<Option<ResourceMetadata>, DiscoverFault> {
    let named = challenge.and_then(Challenge::resource_metadata);
    let mut places = Vec::new();
    match named.map(|text| (text, Url::parse(text))) {
        Some((_, Ok(url))) => places.push((ResourcePlace::Challenge, url)),
        Some((text, Err(_))) => trail.steps.push(super::Step {
            question: Question::Resource(ResourcePlace::Challenge),
            address: text.to_owned(),
            answer: None,
            verdict: Verdict::BadAddress(text.to_owned()),
        }),
        None => {}
    }
    for place in place::resource_places(server) {
        if places.iter().all(|(_, url)| *url != place.1) {
            places.push(place);
        }
    }
    let mut unasked = None;
    for (place, url) in places {
        let question = Question::Resource(place);
        let checked = |found: &ResourceMetadata| check(server, &url, found);
        match read::document(http, (question, &url), checked, trail).await {
            read::Document::Good(found) => return Ok(Some(found)),
            // the document at the place of that resource decides
            read::Document::Refused(DiscoverFault::Mismatch { url, expected, found })
                if covers(&found, server) =>
            {
                unasked = Some(DiscoverFault::Mismatch { url, expected, found });
            }
            read::Document::Refused(fault) => return Err(fault),
            read::Document::Unasked(fault) => unasked = Some(fault),
            read::Document::Absent => {}
        }
    }
    unasked.map_or(Ok(None), Err)
}

/// Whether the document at `url` is about `server`, and names who issues its tokens ([RFC 9728
/// §3.3](https://www.rfc-editor.org/rfc/rfc9728#section-3.3)). The metadata of a whole origin, or of a path above the server's,
/// is about the server too, where it lies at the well-known place of what it is about: whoever has but a part of a host could
/// ask for tokens for all of it elsewhere.
fn check(server: &Url, url: &Url, found: &ResourceMetadata) -> Result<(), Verdict> {
    let is_about =
        is_same(&found.resource, server) || (covers(&found.resource, server) && is_at_home(url, found));
    if !is_about {
        return Err(Verdict::Mismatch {
            expected: server.as_str().to_owned(),
            found: found.resource.clone(),
        });
    }
    if found.authorization_servers.is_empty() {
        return Err(Verdict::Lacks("authorization_servers"));
    }
    Ok(())
}

/// Whether `resource` is `server`, but for a slash at the end.
fn is_same(resource: &str, server: &Url) -> bool {
    let Ok(parsed) = Url::parse(resource) else {
        return false;
    };
    let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
    covers(resource, server) && path(&parsed) == path(server) && parsed.query() == server.query()
}

/// Whether `url` is the well-known place of the resource that the document there is about. Queries do not count: whoever
/// answers at one answers at all.
fn is_at_home(url: &Url, found: &ResourceMetadata) -> bool {
    let Ok(resource) = Url::parse(&found.resource) else {
        return false;
    };
    let place = place::resource_places(&resource).into_iter().next();
    place.is_some_and(|(_, place)| {
        let path = |url: &Url| url.path().trim_end_matches('/').to_owned();
        place.origin() == url.origin() && path(&place) == path(url)
    })
}

/// Whether `resource` is `server`, or lies above it at the same origin, segment by segment.
fn covers(resource: &str, server: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else {
        return false;
    };
    if resource.origin() != server.origin()
        || !resource.username().is_empty()
        || resource.password().is_some()
        || resource.fragment().is_some()
    {
        return false;
    }
    let above = resource.path().trim_end_matches('/');
    let is_below = server.path().strip_prefix(above);
    let same_query = resource.query().is_none() || resource.query() == server.query();
    same_query && is_below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_the_server_or_lies_above_it() {
        let server = Url::parse("https://example.com/a/mcp").unwrap();
        for resource in [
            "https://example.com/a/mcp",
            "https://example.com/a/mcp/",
            "https://example.com/a",
            "https://example.com/",
            "https://example.com",
            "https://EXAMPLE.com:443/a/mcp",
        ] {
            assert!(covers(resource, &server), "{resource}");
        }
        for resource in [
            "https://evil.com/a/mcp",
            "https://example.com.evil.com/a/mcp",
            "https://example.com/a/mc",
            "https://example.com/a/mcp/more",
            "https://example.com/A/mcp",
            "http://example.com/a/mcp",
            "https://example.com:8443/a/mcp",
            "https://user@example.com/a/mcp",
            "https://:secret@example.com/a/mcp",
            "https://example.com/a/mcp?tenant=2",
            "https://example.com/a/mcp#x",
            "/a/mcp",
            "",
        ] {
            assert!(!covers(resource, &server), "{resource}");
        }
    }

    #[test]
    fn what_lies_above_the_server_is_believed_at_its_own_place_only() {
        let server = Url::parse("https://example.com/a/mcp").unwrap();
        let judged = |at: &str, resource: &str| {
            let found =
                serde_json::json!({"resource": resource, "authorization_servers": ["https://as.example"]});
            let found = serde_json::from_value(found).unwrap();
            check(&server, &Url::parse(at).unwrap(), &found).is_ok()
        };
        let root = "https://example.com/.well-known/oauth-protected-resource";
        for (at, resource) in [
            ("https://elsewhere.example/x.json", "https://example.com/a/mcp"),
            (root, "https://example.com"),
            (root, "https://example.com/"),
            (&format!("{root}/a"), "https://example.com/a"),
            (&format!("{root}/a/?k=1"), "https://example.com/a/"),
            (root, "https://example.com/a/mcp/"),
        ] {
            assert!(judged(at, resource), "{resource} at {at}");
        }
        for (at, resource) in [
            ("https://example.com/a/prm.json", "https://example.com"),
            (
                "https://elsewhere.example/.well-known/oauth-protected-resource",
                "https://example.com",
            ),
            (&format!("{root}/a/mcp"), "https://example.com"),
            (&format!("{root}/a/mcp"), "https://example.com/a"),
            (root, "https://example.com/a"),
        ] {
            assert!(!judged(at, resource), "{resource} at {at}");
        }
    }
}
