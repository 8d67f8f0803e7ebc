//! Where the documents may be.

use url::Url;

/// Where protected resource metadata may be
/// ([MCP authorization](https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization/authorization-server-discovery#protected-resource-metadata-discovery-requirements)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourcePlace {
    /// Where the challenge says.
    Challenge,
    /// At the well-known address with the server's path behind it.
    Path,
    /// At the well-known address of the origin.
    Root,
}

/// Where authorization server metadata may be
/// ([MCP authorization](https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization/authorization-server-discovery#authorization-server-metadata-discovery)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerPlace {
    /// RFC 8414, the issuer's path behind the well-known one.
    OAuth,
    /// OpenID Connect Discovery, the issuer's path behind the well-known one.
    OpenIdInserted,
    /// OpenID Connect Discovery, the well-known path behind the issuer's.
    OpenIdAppended,
}

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// The well-known addresses for the metadata of `server`, in the order in which they are tried ([RFC 9728
/// §3.1](https://www.rfc-editor.org/rfc/rfc9728#section-3.1)).
#[must_use]
pub fn resource_places(server: &Url) -> Vec<(ResourcePlace, Url)> {
    let root = (ResourcePlace::Root, at(server, RESOURCE));
    let path = server.path();
    if path == "/" && server.query().is_none() {
        return vec![root];
    }
    let mut inserted = at(
        server,
        &format!("{RESOURCE}{}", if path == "/" { "" } else { path }),
    );
    inserted.set_query(server.query());
    vec![(ResourcePlace::Path, inserted), root]
}

/// The well-known addresses for the metadata of `issuer`, in the order in which they are tried ([RFC 8414
/// §3.1](https://www.rfc-editor.org/rfc/rfc8414#section-3.1), [§5](https://www.rfc-editor.org/rfc/rfc8414#section-5)).
#[must_use]
pub fn server_places(issuer: &Url) -> Vec<(ServerPlace, Url)> {
    let path = issuer.path().trim_end_matches('/');
    let mut places = vec![
        (ServerPlace::OAuth, at(issuer, &format!("{OAUTH}{path}"))),
        (
            ServerPlace::OpenIdInserted,
            at(issuer, &format!("{OPENID}{path}")),
        ),
    ];
    if !path.is_empty() {
        places.push((
            ServerPlace::OpenIdAppended,
            at(issuer, &format!("{path}{OPENID}")),
        ));
    }
    places
}

/// `path` at the origin of `url`.
fn at(url: &Url, path: &str) -> Url {
    let mut at = url.clone();
    at.set_path(path);
    at.set_query(None);
    at.set_fragment(None);
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(text: &str) -> Vec<String> {
        let places = resource_places(&Url::parse(text).unwrap());
        places.into_iter().map(|(_, url)| url.into()).collect()
    }

    fn server(text: &str) -> Vec<String> {
        let places = server_places(&Url::parse(text).unwrap());
        places.into_iter().map(|(_, url)| url.into()).collect()
    }

    #[test]
    fn the_path_is_tried_before_the_root() {
        let root = "https://example.com/.well-known/oauth-protected-resource";
        assert_eq!(
            resource("https://example.com/public/mcp"),
            [&format!("{root}/public/mcp"), root]
        );
        assert_eq!(
            resource("https://example.com/mcp?k=1"),
            [&format!("{root}/mcp?k=1"), root]
        );
        assert_eq!(resource("https://example.com"), [root]);
        assert_eq!(resource("https://example.com/"), [root]);
    }

    #[test]
    fn the_three_addresses_of_an_issuer_with_a_path_come_in_order() {
        let expected = [
            "https://auth.example.com/.well-known/oauth-authorization-server/tenant1",
            "https://auth.example.com/.well-known/openid-configuration/tenant1",
            "https://auth.example.com/tenant1/.well-known/openid-configuration",
        ];
        assert_eq!(server("https://auth.example.com/tenant1"), expected);
        assert_eq!(server("https://auth.example.com/tenant1/"), expected);
    }

    #[test]
    fn an_issuer_without_a_path_has_two_addresses() {
        let expected = [
            "https://auth.example.com/.well-known/oauth-authorization-server",
            "https://auth.example.com/.well-known/openid-configuration",
        ];
        assert_eq!(server("https://auth.example.com"), expected);
        assert_eq!(server("https://auth.example.com/"), expected);
    }
}
