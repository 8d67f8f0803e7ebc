//! Values that the documents of the OAuth MCP demo, whose place `dev` takes, print for everybody to read. They are refused
//! wherever they could open something, by name: whoever is used to them learns what to do instead.

/// The code that the demo gives to everybody who asks.
pub const CODE: &str = "DEMO_AUTH_CODE_12345";

/// The secret of the demo's client.
pub const CLIENT_SECRET: &str = "demo_secret";

/// What the demo signs tokens with unless somebody thinks of another secret, and what its guide has in that one's place.
pub const SIGNING_SECRETS: [&str; 2] = ["dev-secret-key-change-in-production", "your-secret-key-here"];

/// Why a signing secret is refused, if it is one of these.
#[must_use]
pub fn signing_secret(text: &str) -> Option<&'static str> {
    SIGNING_SECRETS
        .contains(&text)
        .then_some("is published in the demo's documents, so that everybody could sign tokens with it; leave it out, or try: openssl rand -base64 32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_knows_signs_nothing() {
        for text in SIGNING_SECRETS {
            assert!(signing_secret(text).is_some());
        }
        assert!(signing_secret("dev-secret-key-changed-in-production").is_none());
    }
}
