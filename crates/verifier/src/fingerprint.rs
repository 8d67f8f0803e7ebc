//! What stands for a token in memory, in place of the token.

use std::hash::{BuildHasher, Hash, Hasher};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use mcp_gateway_model::secret::random_bytes;

/// The key of all fingerprints of one process; it never leaves it, and ends with it.
///
/// A fingerprint is the authentication code that AES-256-GCM gives to a text (GMAC, [NIST SP
/// 800-38D](https://doi.org/10.6028/NIST.SP.800-38D)) under a key that nobody knows, four times as fast as SHA-256. Always the
/// same nonce is safe as long as no fingerprint is shown to anybody: who does not know the key hits one of 2^16 fingerprints
/// with a text of 8 KiB with a probability of at most 2^-103.
pub(crate) struct FingerprintKey(LessSafeKey);

/// Stands for one text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u64; 2]);

impl FingerprintKey {
    /// A new random key; `None` if the library has none to give, so that there are no fingerprints.
    pub(crate) fn generate() -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, &random_bytes::<32>()).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// The fingerprint of a text.
    pub(crate) fn of(&self, text: &[u8]) -> Option<Fingerprint> {
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(text), &mut [])
            .ok()?;
        let (first, second) = tag.as_ref().split_first_chunk()?;
        let second = second.first_chunk()?;
        Some(Fingerprint([
            u64::from_ne_bytes(*first),
            u64::from_ne_bytes(*second),
        ]))
    }
}

impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, _] = self.0;
        state.write_u64(first);
    }
}

/// Finds a place for a fingerprint by itself: nobody can choose one.
#[derive(Clone, Copy, Default)]
pub(crate) struct ByItself(u64);

impl BuildHasher for ByItself {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for ByItself {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.rotate_left(5) ^ number;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_fingerprint_under_one_key_and_another_under_another() {
        let (one, two) = (
            FingerprintKey::generate().unwrap(),
            FingerprintKey::generate().unwrap(),
        );
        let of = |key: &FingerprintKey, text: &str| key.of(text.as_bytes()).unwrap();
        let text = "a".repeat(800);
        assert!(of(&one, &text) == of(&one, &text));
        assert!(of(&one, &text) != of(&two, &text));
        for other in ["a".repeat(799), "a".repeat(801), format!("{}b", "a".repeat(799))] {
            assert!(of(&one, &text) != of(&one, &other));
        }
        // padding with zeros means nothing else
        assert!(of(&one, "a") != of(&one, "a\0") && of(&one, "") != of(&one, "\0"));
    }
}
