//! Values that open something. They have no `Debug` text, no `Clone`, no `==` and no `Serialize`: the only way into the
//! store is [`Secret::digest`].

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use aws_lc_rs::{constant_time, digest, hmac, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, Serializer};

/// What a secret opens. Each kind has a prefix of its own, so that a leak can be found with grep and told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// An authorization code (RFC 6749 §4.1.2).
    Code,
    /// A device code (RFC 8628 §3.2).
    DeviceCode,
    /// A client secret (RFC 6749 §2.3.1).
    ClientSecret,
    /// A registration access token (RFC 7592 §3).
    RegistrationToken,
    /// A value that ties a form or a login to one browser.
    Browser,
    /// The `state` towards the identity provider.
    UpstreamState,
    /// The one-time token of a form.
    FormToken,
}

impl SecretKind {
    /// The text every secret of this kind starts with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Code => "mcp_ac_",
            Self::DeviceCode => "mcp_dc_",
            Self::ClientSecret => "mcp_cs_",
            Self::RegistrationToken => "mcp_rat_",
            Self::Browser => "mcp_bl_",
            Self::UpstreamState => "mcp_st_",
            Self::FormToken => "mcp_ft_",
        }
    }
}

/// A value that opens something: generated here, or presented by a caller.
pub struct Secret(String);

impl Secret {
    /// A new secret with 256 bits of randomness behind the prefix of its kind.
    #[must_use]
    pub fn generate(kind: SecretKind) -> Self {
        let mut text = String::with_capacity(64);
        text.push_str(kind.prefix());
        URL_SAFE_NO_PAD.encode_string(random_bytes::<32>(), &mut text);
        Self(text)
    }

    /// A secret that somebody presented or configured.
    #[must_use]
    pub const fn presented(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the answer that hands it out and for the call that needs it. Never for a log.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What may be stored: the SHA-256 of the text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The SHA-256 of a secret. Written as base64url without padding.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest([u8; 32]);

/// How many characters a digest is written with.
const WRITTEN: usize = 43;

impl Digest {
    /// The SHA-256 of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(out)
    }

    /// Hands over the text that the digest is written with.
    pub fn with_text<T>(&self, then: impl FnOnce(&str) -> T) -> T {
        let mut text = [0; WRITTEN];
        let written = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).unwrap_or(0);
        then(str::from_utf8(&text[..written]).unwrap_or_default())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Digest {
    /// Takes the same time wherever the two differ.
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Digest {}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotADigest)?;
        bytes.try_into().map(Self).map_err(|_| NotADigest)
    }
}

/// The text is not a SHA-256 in base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 digest in base64url")]
pub struct NotADigest;

/// A key for message authentication codes, derived from a master secret and a label.
pub struct MacKey(hmac::Key);

impl MacKey {
    /// The key that belongs to `label` below `master` (HMAC-SHA-256 of the label under the master key). Another label gives an unrelated key.
    #[must_use]
    pub fn derive(master: &[u8], label: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &derive_bytes(master, label)))
    }

    /// The HMAC-SHA-256 of `message`, in base64url.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, message))
    }

    /// Whether `mac` is what [`MacKey::sign`] answers for `message`; takes the same time wherever it differs.
    #[must_use]
    pub fn verifies(&self, message: &[u8], mac: &str) -> bool {
        URL_SAFE_NO_PAD
            .decode(mac)
            .is_ok_and(|mac| hmac::verify(&self.0, message, &mac).is_ok())
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

/// 32 bytes that belong to `label` below `master`: HMAC-SHA-256 of the label under the master secret.
#[must_use]
pub fn derive_bytes(master: &[u8], label: &str) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, master);
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(&key, label.as_bytes()).as_ref());
    out
}

/// `N` random bytes in base64url.
///
/// # Panics
/// When the operating system has no randomness to give: nothing safe can be done then.
#[must_use]
pub fn random_text<const N: usize>() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<N>())
}

/// `N` random bytes.
///
/// # Panics
/// When the operating system has no randomness to give: nothing safe can be done then.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without randomness no secret may be made")]
    rand::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_in_debug_text() {
        let secret = Secret::generate(SecretKind::ClientSecret);
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert!(secret.reveal().starts_with("mcp_cs_"));
        assert_eq!(secret.reveal().len(), "mcp_cs_".len() + 43);
    }

    #[test]
    fn a_digest_survives_its_text() {
        let digest = Secret::presented("abc".into()).digest();
        assert_eq!(digest.to_string(), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert_eq!(Digest::try_from(digest.to_string()), Ok(digest));
        assert_eq!(Digest::try_from("short".to_owned()), Err(NotADigest));
    }

    #[test]
    fn keys_under_different_labels_do_not_verify_each_other() {
        let one = MacKey::derive(b"master", "one");
        let two = MacKey::derive(b"master", "two");
        assert!(one.verifies(b"text", &one.sign(b"text")));
        assert!(!two.verifies(b"text", &one.sign(b"text")));
        assert!(!one.verifies(b"other", &one.sign(b"text")));
    }
}
