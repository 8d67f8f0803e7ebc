//! One key, ready to verify: what can be computed in advance is.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use mcp_gateway_model::{
    key::{Algorithm, PublicKey, PublicNumbers},
    secret::Secret,
};
use mcp_gateway_store::Moment;

/// A key with the one algorithm it verifies.
pub(crate) struct VerifyingKey {
    algorithm: Algorithm,
    material: Material,
    /// As it was published.
    public: Option<PublicKey>,
    /// Until when it is good, on both clocks.
    ticks: AtomicU64,
    wall: AtomicU64,
}

enum Material {
    /// Taken apart once: that costs as much as verifying half a signature.
    Parsed(ParsedPublicKey),
    /// Where there is nothing to take apart.
    Plain(jsonwebtoken::Algorithm, DecodingKey),
}

impl VerifyingKey {
    /// How long before its end the store is asked about a key, in milliseconds.
    const AHEAD: u64 = 15_000;

    /// The key of HS256; it never ends.
    pub(crate) fn shared(secret: &Secret) -> Self {
        let key = DecodingKey::from_secret(secret.reveal().as_bytes());
        let material = Material::Plain(jsonwebtoken::Algorithm::HS256, key);
        let key = Self::new(Algorithm::Hs256, material, None);
        key.renew(Moment::NEVER);
        key
    }

    /// A published key; `None` if its numbers are not those of its algorithm. HS256 is never published.
    pub(super) fn public(key: PublicKey) -> Option<Self> {
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let material = match (key.alg, &key.numbers) {
            (Algorithm::Rs256, PublicNumbers::Rsa { n, e }) => {
                let (n, e) = (decoded(n)?, decoded(e)?);
                let key = RsaPublicKeyComponents { n, e };
                Material::Parsed(key.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?)
            }
            (Algorithm::Es256, PublicNumbers::P256 { crv, x, y }) if crv == "P-256" => {
                let (x, y) = (decoded(x)?, decoded(y)?);
                let fits = x.len() == 32 && y.len() == 32;
                let point = fits.then(|| [&[4_u8][..], &x, &y].concat())?;
                Material::Parsed(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()?)
            }
            (Algorithm::EdDsa, PublicNumbers::Ed25519 { crv, x }) if crv == "Ed25519" => Material::Plain(
                jsonwebtoken::Algorithm::EdDSA,
                DecodingKey::from_ed_components(x).ok()?,
            ),
            _ => return None,
        };
        Some(Self::new(key.alg, material, Some(key)))
    }

    const fn new(algorithm: Algorithm, material: Material, public: Option<PublicKey>) -> Self {
        Self {
            algorithm,
            material,
            public,
            ticks: AtomicU64::new(0),
            wall: AtomicU64::new(0),
        }
    }

    /// The one algorithm it verifies.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether this is the key that was published.
    pub(super) fn is(&self, public: &PublicKey) -> bool {
        self.public.as_ref() == Some(public)
    }

    /// Whether tokens may be signed with it at `now`.
    pub(crate) fn is_good(&self, now: Moment) -> bool {
        now.ticks() < self.ticks.load(Ordering::Acquire) && now.wall() < self.wall.load(Ordering::Acquire)
    }

    /// Whether it is time to ask the store about it again.
    pub(crate) fn ages(&self, now: Moment) -> bool {
        !self.is_good(now.plus_millis(Self::AHEAD))
    }

    /// It is good until some moment.
    pub(super) fn renew(&self, until: Moment) {
        self.ticks.store(until.ticks(), Ordering::Release);
        self.wall.store(until.wall(), Ordering::Release);
    }

    /// It is not good any more.
    pub(super) fn end(&self) {
        self.ticks.store(0, Ordering::Release);
    }

    /// Whether `signature` (in base64url) is this key's over `message`.
    pub(crate) fn verifies(&self, message: &str, signature: &str) -> bool {
        match &self.material {
            Material::Parsed(key) => URL_SAFE_NO_PAD
                .decode(signature)
                .is_ok_and(|signature| key.verify_sig(message.as_bytes(), &signature).is_ok()),
            Material::Plain(algorithm, key) => {
                jsonwebtoken::crypto::verify(signature, message.as_bytes(), key, *algorithm).unwrap_or(false)
            }
        }
    }
}
