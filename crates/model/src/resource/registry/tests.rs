use proptest::prelude::*;

use super::*;

fn resource(uri: &str) -> Resource {
    Resource::new(ResourceUri::parse(uri).unwrap(), None)
}

fn two_on_one_host() -> Resources {
    let configured = vec![
        resource("https://h.example.com/a"),
        resource("https://h.example.com/a/b"),
    ];
    Resources::new(configured, vec![], "auth.example.com")
}

fn wildcard() -> Resources {
    Resources::new(
        vec![],
        vec![Wildcard::parse("https://*.example.com").unwrap()],
        "auth.example.com",
    )
}

#[test]
fn the_longest_prefix_by_segments_wins() {
    let resources = two_on_one_host();
    let identity = |path| {
        resources
            .at("h.example.com", path)
            .map(|p| p.identity.to_string())
    };
    assert_eq!(identity("/a/x").as_deref(), Some("https://h.example.com/a"));
    assert_eq!(identity("/a/b/x").as_deref(), Some("https://h.example.com/a/b"));
    assert_eq!(identity("/a/bc").as_deref(), Some("https://h.example.com/a"));
    assert_eq!(identity("/ab"), None);
    assert_eq!(identity("/"), None);
}

#[test]
fn a_path_that_is_like_that_of_a_narrower_resource_in_another_case_means_none() {
    let resources = two_on_one_host();
    for path in ["/a/B", "/a/B/x"] {
        assert!(resources.at("h.example.com", path).is_none(), "{path}");
    }
    let uris = ["https://h.example.com/a", "https://h.example.com/A"];
    let both = Resources::new(uris.map(resource).into(), vec![], "auth.example.com");
    for uri in uris {
        let path = uri.trim_start_matches("https://h.example.com");
        assert_eq!(both.at("h.example.com", path).unwrap().identity.as_str(), uri);
    }
}

#[test]
fn a_path_that_could_mean_another_resource_means_none() {
    let resources = two_on_one_host();
    for path in [
        "/a/../x",
        "/a/%2e%2e/a/b",
        "/a%2fb",
        "/a//b",
        "/a/b;x",
        "/a/\\b",
        "/a/%62",
        "/a/b%3bx",
        "/a/%",
    ] {
        assert_eq!(resources.at("h.example.com", path), None, "{path}");
    }
}

#[test]
fn a_wildcard_covers_one_label_and_never_the_issuer() {
    let resources = wildcard();
    let identity = |host| resources.at(host, "/mcp").map(|p| p.identity.to_string());
    assert_eq!(
        identity("Echo.example.com:443").as_deref(),
        Some("https://echo.example.com")
    );
    for host in [
        "example.com",
        "a.b.example.com",
        "auth.example.com",
        "evil.com",
        ".example.com",
        "echo.example.com.evil.com",
    ] {
        assert_eq!(identity(host), None, "{host}");
    }
}

#[test]
fn under_a_wildcard_the_audience_is_what_was_asked_for() {
    let target = wildcard()
        .resolve(Some("https://echo.example.com/mcp/?x=1"))
        .unwrap();
    assert_eq!(target.audience.as_str(), "https://echo.example.com/mcp");
    assert_eq!(target.protected.identity.as_str(), "https://echo.example.com");
    assert_eq!(
        wildcard().resolve(Some("http://echo.example.com/mcp")),
        Err(BadTarget::Unknown)
    );
    assert!(wildcard().resolve(Some("https://*.example.com")).is_err());
}

#[test]
fn a_configured_resource_is_its_own_audience_and_a_bare_origin_finds_it() {
    let resources = Resources::new(
        vec![resource("https://h.example.com/mcp")],
        vec![],
        "auth.example.com",
    );
    for asked in [
        "https://h.example.com/mcp/",
        "https://h.example.com",
        "https://h.example.com/mcp/deeper",
    ] {
        assert_eq!(
            resources.resolve(Some(asked)).unwrap().audience.as_str(),
            "https://h.example.com/mcp"
        );
    }
    assert_eq!(
        resources.resolve(Some("https://h.example.com/other")),
        Err(BadTarget::Unknown)
    );
    assert_eq!(
        resources.resolve(None).unwrap().audience.as_str(),
        "https://h.example.com/mcp"
    );
}

#[test]
fn a_missing_resource_is_the_only_one_or_the_default_or_an_error() {
    assert_eq!(two_on_one_host().resolve(None), Err(BadTarget::Missing));
    assert_eq!(wildcard().resolve(None), Err(BadTarget::Missing));
    let with_default = wildcard().with_default("https://echo.example.com/mcp").unwrap();
    assert_eq!(
        with_default.resolve(None).unwrap().audience.as_str(),
        "https://echo.example.com/mcp"
    );
    assert_eq!(
        wildcard().with_default("https://evil.com").unwrap_err(),
        BadTarget::Unknown
    );
}

#[test]
fn the_issuers_host_is_never_a_resource_whatever_its_port() {
    let wildcards = vec![Wildcard::parse("https://*.example.com").unwrap()];
    let resources = Resources::new(vec![], wildcards, "auth.example.com:8443");
    assert_eq!(resources.at("auth.example.com", "/"), None);
    assert_eq!(resources.at("auth.example.com:8443", "/"), None);
    assert!(resources.at("echo.example.com", "/").is_some());
}

#[test]
fn an_encoded_character_that_needs_encoding_is_no_ambiguity() {
    let resources = Resources::new(
        vec![resource("https://h.example.com/mcp")],
        vec![],
        "auth.example.com",
    );
    assert!(resources.at("h.example.com", "/mcp/a%20b").is_some());
    assert!(resources.at("h.example.com", "/mcp/%C3%A9").is_some());
}

/// The rule without an index: of what is configured at the host, the longest path that the request lies below, unless a longer
/// one would do if the case of letters did not matter.
fn slowly_at(configured: &[Resource], authority: &str, path: &str) -> Option<String> {
    let authority = authority.to_ascii_lowercase();
    let bare = authority
        .strip_suffix(":443")
        .or_else(|| authority.strip_suffix(":80"));
    let authority = bare.unwrap_or(&authority);
    let here: Vec<_> = configured
        .iter()
        .filter(|r| r.uri.authority() == authority)
        .collect();
    let paths_matter = here.len() > 1 || here.iter().any(|r| !r.uri.path().is_empty());
    let is_tricky = ["//", "\\", ";"].iter().any(|t| path.contains(t))
        || path.split('/').any(|segment| segment == "." || segment == "..")
        || path.contains("%2e")
        || path.contains("%zz");
    if paths_matter && is_tricky {
        return None;
    }
    let longest = |path: &str, fold: fn(&str) -> String| {
        here.iter()
            .filter(|r| {
                let rest = path.strip_prefix(&fold(r.uri.path()));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
            .max_by_key(|r| r.uri.path().len())
    };
    let found = longest(path, str::to_owned)?;
    let alike = longest(&path.to_ascii_lowercase(), str::to_ascii_lowercase)?;
    (alike.uri.path().len() <= found.uri.path().len()).then(|| found.uri.to_string())
}

proptest! {
    #[test]
    fn an_index_answers_what_going_through_all_resources_answers(
        uris in proptest::collection::vec("https?://[hi]\\.example\\.com(:8080)?(/[abAB]{1,2}){0,3}", 1..6),
        host in "[hHi]\\.example\\.com(:80|:443|:8080|:81)?",
        path in "(/([abAB]{1,2}|\\.|\\.\\.|a;b|%2e|%zz|%20)){0,4}/?",
    ) {
        let configured: Vec<_> = uris
            .iter()
            .map(|uri| Resource::new(ResourceUri::parse_allowing_http(uri).unwrap(), None))
            .collect();
        let resources = Resources::new(configured.clone(), vec![], "auth.example.com");
        let found = resources.at(&host, &path).map(|p| p.identity.to_string());
        prop_assert_eq!(found, slowly_at(&configured, &host, &path));
    }

    #[test]
    fn the_uri_of_a_resource_means_it_without_looking_it_up(
        uris in proptest::collection::vec("https?://h\\.example\\.com(/[abAB]{1,2}){0,3}", 1..6),
        path in "(/[abAB]{1,2}){0,4}",
        audience in "https?://[hi]\\.example\\.com(/[abAB]{1,2}){0,3}/?",
    ) {
        let configured = uris.iter().map(|uri| Resource::new(ResourceUri::parse_allowing_http(uri).unwrap(), None));
        let resources = Resources::new(configured.collect(), vec![], "auth.example.com");
        if let Some(protected) = resources.at("h.example.com", &path) {
            for audience in [audience.as_str(), protected.identity.as_str()] {
                let looked_up = resources.of_audience(audience);
                let means = looked_up.is_some_and(|meant| meant.identity == protected.identity);
                prop_assert_eq!(resources.is_audience_of(audience, &protected), means, "{}", audience);
            }
        }
    }
}
