//! Which addresses can be client identifiers (Client ID Metadata Document §3).

use mcp_gateway_model::id::ClientId;
use url::Url;

/// The most characters of one: it is shown to people, and sent with every request.
const LONGEST: usize = 1024;

/// Whether an id means to be the address of a description.
pub(crate) fn is_address(id: &ClientId) -> bool {
    let scheme = id.as_str().split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http"))
}

/// The host that vouches for what is said at the address.
pub(crate) fn host_of(id: &ClientId) -> Option<String> {
    let url = parse(id).ok()?;
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    url.host_str().map(|host| format!("{host}{port}"))
}

/// Reads an address. It must be written as every parser writes it, so that one document has one id.
pub(super) fn parse(id: &ClientId) -> Result<Url, &'static str> {
    let text = id.as_str();
    if text.len() > LONGEST {
        return Err("has an address of more than 1024 characters");
    }
    let url = Url::parse(text).map_err(|_| "has an address that is not a URL")?;
    if url.scheme() != "https" {
        return Err("has an address that does not begin with https");
    }
    if url.fragment().is_some() {
        return Err("has an address with a fragment");
    }
    if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
        return Err("has an address with user information");
    }
    if url.path() == "/" {
        return Err("has an address without a path");
    }
    if url.as_str() != text || text.contains('\\') {
        return Err(
            "has an address that is not written plainly: lower-case scheme and host, no port 443, no dot segments",
        );
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, &'static str> {
        parse(&ClientId::parse(text).unwrap()).map(String::from)
    }

    #[test]
    fn addresses_of_real_clients_are_read() {
        for text in [
            "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "https://claude.ai/oauth/claude-code-client-metadata",
            "https://chatgpt.com/oauth/Ab-1_x/client.json",
            "https://client.example.com:8443/x?tenant=1",
            "https://client.example.com/a%20b/",
        ] {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn an_address_that_could_be_written_in_another_way_is_refused() {
        for text in [
            "https://client.example.com",
            "https://client.example.com/",
            "https://client.example.com/?x=/y",
            "https://Client.example.com/x",
            "HTTPS://client.example.com/x",
            "https://client.example.com:443/x",
            "https://client.example.com:/x",
            "https:client.example.com/x",
            "https:///client.example.com/x",
            "https://client.example.com/a/../x",
            "https://client.example.com/./x",
            "https://client.example.com/a/%2e%2E/x",
            "https://client.example.com/a/.%2e/x",
            "https://client.example.com/x/.",
            "https://client.example.com\\x",
            "https://client.example.com/a\\x",
            "https://client.example.com/x#",
            "https://client.example.com/x#y",
            "https://user@client.example.com/x",
            "https://@client.example.com/x",
            "https://:p@client.example.com/x",
            "https://127.1/x",
            "https://2130706433/x",
            "https://0x7f.0.0.1/x",
            "http://client.example.com/x",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&format!("https://client.example.com/{}", "x".repeat(1024))).is_err());
    }

    #[test]
    fn other_ids_are_no_addresses() {
        for (text, expected) in [
            ("mcp_client_x", false),
            ("my-client", false),
            ("ftp://x/y", false),
            ("https:x", false),
            ("https://x", true),
            ("HTTP://x", true),
        ] {
            assert_eq!(is_address(&ClientId::parse(text).unwrap()), expected, "{text}");
        }
    }
}
