//! Proof Key for Code Exchange (RFC 7636). `S256` only: `plain` has no type here.

use serde::{Deserialize, Serialize};

use crate::secret::Digest;

/// A code challenge: the SHA-256 of the verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeChallenge(Digest);

impl CodeChallenge {
    /// Reads the `code_challenge` and `code_challenge_method` parameters (RFC 7636 §4.3).
    ///
    /// # Errors
    /// [`BadPkce`] names what is missing or wrong.
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Self, BadPkce> {
        let challenge = challenge.filter(|c| !c.is_empty()).ok_or(BadPkce::NoChallenge)?;
        if method != Some("S256") {
            return Err(BadPkce::NotS256);
        }
        Digest::try_from(challenge.to_owned())
            .map(Self)
            .map_err(|_| BadPkce::MalformedChallenge)
    }

    /// The challenge of `verifier`.
    #[must_use]
    pub fn of(verifier: &str) -> Self {
        Self(Digest::of(verifier.as_bytes()))
    }

    /// Whether `verifier` is the one this challenge was made of (RFC 7636 §4.6).
    ///
    /// # Errors
    /// [`BadPkce::NoVerifier`], [`BadPkce::MalformedVerifier`] (RFC 7636 §4.1) or [`BadPkce::Mismatch`].
    pub fn verify(&self, verifier: Option<&str>) -> Result<(), BadPkce> {
        let verifier = verifier.filter(|v| !v.is_empty()).ok_or(BadPkce::NoVerifier)?;
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
            return Err(BadPkce::MalformedVerifier);
        }
        if Self::of(verifier) == *self {
            Ok(())
        } else {
            Err(BadPkce::Mismatch)
        }
    }
}

/// What is wrong with the PKCE parameters, as a client may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPkce {
    /// RFC 7636 §4.4.1.
    #[error("code_challenge is missing: PKCE is required of every client")]
    NoChallenge,
    /// RFC 7636 §4.2; OAuth 2.1 leaves no other.
    #[error("code_challenge_method must be S256")]
    NotS256,
    /// RFC 7636 §4.2.
    #[error(
        "code_challenge must be the base64url-encoded SHA-256 of the verifier, 43 characters without padding"
    )]
    MalformedChallenge,
    /// RFC 7636 §4.5.
    #[error("code_verifier is missing")]
    NoVerifier,
    /// RFC 7636 §4.1.
    #[error("code_verifier must be 43 to 128 characters of A-Z a-z 0-9 - . _ ~")]
    MalformedVerifier,
    /// RFC 7636 §4.6.
    #[error("code_verifier does not match the code_challenge of the authorization request")]
    Mismatch,
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_vector_of_rfc_7636_appendix_b_verifies() {
        let challenge = CodeChallenge::parse(Some(CHALLENGE), Some("S256")).unwrap();
        assert_eq!(challenge.verify(Some(VERIFIER)), Ok(()));
    }

    #[test]
    fn plain_and_a_missing_method_are_refused() {
        assert_eq!(
            CodeChallenge::parse(Some(CHALLENGE), Some("plain")),
            Err(BadPkce::NotS256)
        );
        assert_eq!(CodeChallenge::parse(Some(CHALLENGE), None), Err(BadPkce::NotS256));
        assert_eq!(
            CodeChallenge::parse(None, Some("S256")),
            Err(BadPkce::NoChallenge)
        );
        assert_eq!(
            CodeChallenge::parse(Some("abc"), Some("S256")),
            Err(BadPkce::MalformedChallenge)
        );
    }

    #[test]
    fn a_missing_short_or_other_verifier_is_refused() {
        let challenge = CodeChallenge::of(VERIFIER);
        assert_eq!(challenge.verify(None), Err(BadPkce::NoVerifier));
        assert_eq!(challenge.verify(Some("short")), Err(BadPkce::MalformedVerifier));
        assert_eq!(challenge.verify(Some(&"a".repeat(43))), Err(BadPkce::Mismatch));
        assert_eq!(
            challenge.verify(Some(&"a".repeat(129))),
            Err(BadPkce::MalformedVerifier)
        );
    }
}
