//! Names of things: not secret, never guessable where that matters.

mod request;

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

pub use request::{RequestId, RequestIds};

use crate::secret::random_text;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, BadId> {
                Self::parse(&text)
            }
        }
    };
}

/// The text cannot be an id of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid identifier")]
pub struct BadId;

/// An id that an operator cannot choose for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to 200 visible ASCII characters, no number, no URL, not begin with mcp_client_, and not be api-key or \
     personal-access-token"
)]
pub struct BadChoice;

text_id! {
    /// A client identifier (RFC 6749 §2.2): printable ASCII without spaces, at most 2048 characters.
    ClientId
}
text_id! {
    /// The name of a grant: 128 random bits in base64url. It travels inside codes, refresh tokens and access tokens.
    GrantId
}
text_id! {
    /// A key identifier: the RFC 7638 thumbprint of the public key.
    KeyId
}

impl ClientId {
    /// A new identifier for a client that registers itself.
    #[must_use]
    pub fn generate() -> Self {
        Self(format!("mcp_client_{}", random_text::<16>()))
    }

    /// Reads an identifier.
    ///
    /// # Errors
    /// [`BadId`] when it is empty, longer than 2048 characters, or holds anything but visible ASCII.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let fits = !text.is_empty() && text.len() <= 2048 && text.bytes().all(|b| b.is_ascii_graphic());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadId)
        }
    }
}

/// What stands where a client would, for a personal access token.
const PERSONAL_ACCESS_TOKEN: &str = "personal-access-token";
/// What stands where a client would, for the configured API key.
const API_KEY: &str = "api-key";

impl ClientId {
    /// What stands where a client would, for a personal access token: nobody can register it.
    #[must_use]
    pub fn personal_access_token() -> Self {
        Self(PERSONAL_ACCESS_TOKEN.to_owned())
    }

    /// Reads an identifier that an operator chose for a client: one that can be taken for nothing else. A `sub` that is a number
    /// is a person at GitHub, and an address is that of a description.
    ///
    /// # Errors
    /// [`BadChoice`] says the rule.
    pub fn choose(text: &str) -> Result<Self, BadChoice> {
        let id = Self::parse(text).map_err(|BadId| BadChoice)?;
        let is_number = text.bytes().all(|b| b.is_ascii_digit());
        let is_taken =
            id.is_reserved() || is_number || text.starts_with("mcp_client_") || text.contains("://");
        if is_taken || text.len() > 200 {
            Err(BadChoice)
        } else {
            Ok(id)
        }
    }

    /// Whether this stands for a credential that is no client's, so that no client may have the id.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        [PERSONAL_ACCESS_TOKEN, API_KEY].contains(&self.as_str())
    }
}

impl GrantId {
    /// A new name.
    #[must_use]
    pub fn generate() -> Self {
        Self(random_text::<16>())
    }

    /// Reads a name.
    ///
    /// # Errors
    /// [`BadId`] when it is not 22 characters of base64url.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        if text.len() == 22 && is_base64url(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadId)
        }
    }
}

impl KeyId {
    /// Reads a key id.
    ///
    /// # Errors
    /// [`BadId`] when it is not 43 characters of base64url.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        if text.len() == 43 && is_base64url(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadId)
        }
    }
}

fn is_base64url(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// GitHub's number of a user; it never changes and is never given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub u64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A GitHub login in lower case: logins differ by more than case. It can be renamed and reused, so it identifies nobody for long.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Login(String);

impl Serialize for Login {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Login {
    /// Reads a login: ASCII letters, digits, `-` and `_` (which managed users have), at most 100 characters.
    ///
    /// # Errors
    /// [`BadId`] when it cannot be one.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let text = text.trim();
        let fits = !text.is_empty()
            && text.len() <= 100
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'[' || b == b']');
        if fits {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(BadId)
        }
    }

    /// The login in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Login> for String {
    fn from(login: Login) -> Self {
        login.0
    }
}

impl TryFrom<String> for Login {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_parse() {
        assert!(ClientId::parse(ClientId::generate().as_str()).is_ok());
        assert!(GrantId::parse(GrantId::generate().as_str()).is_ok());
    }

    #[test]
    fn ids_with_separators_of_the_store_are_refused() {
        for text in ["", "a b", "a\nb", "é"] {
            assert_eq!(ClientId::parse(text), Err(BadId));
        }
        for text in ["", "short", "0123456789012345678901x", "01234567890123456789:}"] {
            assert_eq!(GrantId::parse(text), Err(BadId));
        }
    }

    #[test]
    fn logins_compare_without_case() {
        assert_eq!(Login::parse("OctoCat"), Login::parse(" octocat "));
        assert_eq!(Login::parse("a b"), Err(BadId));
    }
}
