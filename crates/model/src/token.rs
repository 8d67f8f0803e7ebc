//! Access token claims (RFC 9068) and refresh tokens that name their grant.

use serde::{Deserialize, Serialize};

use crate::{id::GrantId, secret::MacKey};

/// The `typ` of an access token's header (RFC 9068 §2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// The claims of an access token (RFC 9068 §2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// The user, by GitHub's number; or the client that acts for itself.
    pub sub: String,
    /// The one resource the token opens.
    pub aud: String,
    /// The client it was issued to.
    pub client_id: String,
    /// What it allows, separated by spaces.
    pub scope: String,
    /// Its name, unique.
    pub jti: String,
    /// When it was issued, in seconds since the epoch.
    pub iat: u64,
    /// When it ends, in seconds since the epoch.
    pub exp: u64,
    /// The grant it is a key to.
    pub grant: GrantId,
    /// The user's GitHub login; empty for a client that acts for itself.
    pub username: String,
}

const REFRESH_PREFIX: &str = "mcp_rt_";

/// A refresh token that was presented: which grant, the how-manieth, and a code that proves it was issued here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The grant it belongs to.
    pub grant: GrantId,
    /// Its place in the chain of rotations, from 1.
    pub generation: u64,
}

impl RefreshToken {
    /// The text that is handed out: `mcp_rt_<grant>.<generation>.<mac>`.
    #[must_use]
    pub fn seal(&self, key: &MacKey) -> String {
        let body = self.body();
        format!("{body}.{}", key.sign(body.as_bytes()))
    }

    /// Reads a token that one of `keys` made; `None` for anything else.
    pub fn open<'k>(text: &str, keys: impl IntoIterator<Item = &'k MacKey>) -> Option<Self> {
        let (body, mac) = text.rsplit_once('.')?;
        let (grant, generation) = body.strip_prefix(REFRESH_PREFIX)?.split_once('.')?;
        let token = Self {
            grant: GrantId::parse(grant).ok()?,
            generation: generation.parse().ok()?,
        };
        let canonical = token.body() == body;
        let authentic = keys.into_iter().any(|key| key.verifies(body.as_bytes(), mac));
        (canonical && authentic).then_some(token)
    }

    /// Whether the text claims to be a refresh token.
    #[must_use]
    pub fn looks_like(text: &str) -> bool {
        text.starts_with(REFRESH_PREFIX)
    }

    fn body(&self) -> String {
        format!("{REFRESH_PREFIX}{}.{}", self.grant, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_opens_with_any_of_the_keys_and_only_those() {
        let (old, new) = (
            MacKey::derive(b"old", "refresh"),
            MacKey::derive(b"new", "refresh"),
        );
        let token = RefreshToken {
            grant: GrantId::generate(),
            generation: 7,
        };
        let text = token.seal(&old);
        assert_eq!(RefreshToken::open(&text, [&new, &old]), Some(token));
        assert_eq!(RefreshToken::open(&text, [&new]), None);
    }

    #[test]
    fn a_changed_refresh_token_does_not_open() {
        let key = MacKey::derive(b"key", "refresh");
        let text = RefreshToken {
            grant: GrantId::generate(),
            generation: 7,
        }
        .seal(&key);
        for other in [
            text.replace(".7.", ".8."),
            text.replace(".7.", ".07."),
            text.replace("mcp_rt_", ""),
            format!("{text}x"),
            String::new(),
        ] {
            assert_eq!(RefreshToken::open(&other, [&key]), None, "{other}");
        }
    }
}
