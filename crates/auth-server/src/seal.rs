//! Encrypts what must not be readable in the store: AES-256-GCM under a key derived from the operator's secret.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_model::secret::{Secret, derive_bytes};
use mcp_gateway_store::Sealed;

/// What the sealing keys are derived for.
const LABEL: &str = "mcp-gateway sealed records 1";

/// Seals under the first secret, opens with any.
pub(crate) struct Sealer(Vec<RandomizedNonceKey>);

/// What was sealed.
pub(crate) struct Opened {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// Whether they were sealed under the first secret; if not they should be sealed again.
    pub(crate) is_current: bool,
}

/// It could not be sealed, or none of the secrets opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotSealed;

impl Sealer {
    /// A sealer with these secrets; the first seals.
    pub(crate) fn new(secrets: &[Secret]) -> Self {
        let derived = secrets
            .iter()
            .map(|secret| derive_bytes(secret.reveal().as_bytes(), LABEL));
        Self(
            derived
                .filter_map(|bytes| RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok())
                .collect(),
        )
    }

    /// Seals `bytes` for `place`; they open nowhere else.
    pub(crate) fn seal(&self, place: &str, bytes: &[u8]) -> Result<Sealed, NotSealed> {
        let key = self.0.first().ok_or(NotSealed)?;
        let mut text = bytes.to_vec();
        let nonce = key
            .seal_in_place_append_tag(Aad::from(place), &mut text)
            .map_err(|_| NotSealed)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(Sealed(URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// Opens what was sealed for `place`.
    pub(crate) fn open(&self, place: &str, sealed: &Sealed) -> Result<Opened, NotSealed> {
        let sealed = URL_SAFE_NO_PAD.decode(&sealed.0).map_err(|_| NotSealed)?;
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
        Sealer::new(&secrets)
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
    fn what_was_sealed_for_one_place_does_not_open_in_another() {
        let sealed = sealer(&["secret"]).seal("here", b"key").unwrap();
        assert!(sealer(&["secret"]).open("there", &sealed).is_err());
        assert!(sealer(&["secret"]).open("here", &Sealed("AAAA".into())).is_err());
    }
}
