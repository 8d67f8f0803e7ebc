//! What goes beyond a person's login
//! ([MCP authorization extensions](https://github.com/modelcontextprotocol/ext-auth)).

pub mod assertion;
pub mod dpop;
pub mod enterprise;
mod jws;

/// What a client that acts for itself says of that to MCP servers (OAuth client credentials).
pub const CLIENT_CREDENTIALS: &str = "io.modelcontextprotocol/oauth-client-credentials";

/// A key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not a private key in PEM, or not one for the algorithm.
    #[error("the private key cannot be read as one for {0}: it must be PKCS#8 in PEM")]
    Unreadable(&'static str),
    /// The algorithm is not known.
    #[error("keys for \"{0}\" cannot sign here: use ES256, EdDSA, RS256 or PS256")]
    Unknown(String),
    /// Signing failed.
    #[error("the private key cannot sign")]
    CannotSign,
}
