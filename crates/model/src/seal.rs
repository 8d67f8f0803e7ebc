//! Encrypts what must not be readable where it is kept: AES-256-GCM under keys derived from the operator's secrets.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::secret::{Secret, derive_bytes};

/// Seals under the first secret, opens with any.
pub struct Sealer(Vec<RandomizedNonceKey>);

/// What was sealed.
pub struct Opened {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether they were sealed under the first secret; if not they should be sealed again.
    pub is_current: bool,
}

/// It could not be sealed, or none of the secrets opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be sealed, or none of the keys opens it")]
pub struct NotSealed;

impl Sealer {
    /// A sealer with these secrets, for what `label` says; the first seals. The keys of another label open nothing of it.
    #[must_use]
    pub fn new(secrets: &[Secret], label: &str) -> Self {
        let derived = secrets
            .iter()
            .map(|secret| derive_bytes(secret.reveal().as_bytes(), label));
        Self(
            derived
                .filter_map(|bytes| RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok())
                .collect(),
        )
    }

    /// Seals `bytes` for `place`, as text in base64url; they open nowhere else.
    ///
    /// # Errors
    /// [`NotSealed`] when there is no secret.
    pub fn seal(&self, place: &str, bytes: &[u8]) -> Result<String, NotSealed> {
        let key = self.0.first().ok_or(NotSealed)?;
        let mut text = bytes.to_vec();
        let nonce = key
            .seal_in_place_append_tag(Aad::from(place), &mut text)
            .map_err(|_| NotSealed)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// [`NotSealed`] when none of the secrets opens it there.
    pub fn open(&self, place: &str, sealed: &str) -> Result<Opened, NotSealed> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| NotSealed)?;
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotSealed)?;
        for (index, key) in self.0.iter().enumerate() {
            let mut text = text.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            if let Ok(bytes) = key.open_in_place(nonce, Aad::from(place), &mut text) {
                return Ok(Opened {
                    bytes: bytes.to_vec(),
                    is_current: index == 0,
                });
            }
        }
        Err(NotSealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(secrets: &[&str]) -> Sealer {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|s| Secret::presented((*s).to_owned()))
            .collect();
        Sealer::new(&secrets, "test")
    }

    #[test]
    fn what_one_secret_sealed_opens_while_the_secret_is_listed() {
        let sealed = sealer(&["old"]).seal("here", b"key").unwrap();
        let opened = sealer(&["new", "old"]).open("here", &sealed).unwrap();
        assert_eq!((opened.bytes.as_slice(), opened.is_current), (&b"key"[..], false));
        assert!(sealer(&["old"]).open("here", &sealed).unwrap().is_current);
        assert!(sealer(&["new"]).open("here", &sealed).is_err());
    }

    #[test]
    fn what_was_sealed_for_one_place_or_label_does_not_open_in_another() {
        let sealed = sealer(&["secret"]).seal("here", b"key").unwrap();
        assert!(sealer(&["secret"]).open("there", &sealed).is_err());
        assert!(sealer(&["secret"]).open("here", "AAAA").is_err());
        let other = Sealer::new(&[Secret::presented("secret".to_owned())], "other");
        assert!(other.open("here", &sealed).is_err());
    }
}
