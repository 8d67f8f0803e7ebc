//! Encrypts what must not be readable in the store.

use mcp_gateway_model::{
    seal::{self, Opened},
    secret::Secret,
};
use mcp_gateway_store::Sealed;

pub(crate) use seal::NotSealed;

/// What the sealing keys are derived for.
const LABEL: &str = "mcp-gateway sealed records 1";

/// Seals under the first secret, opens with any.
pub(crate) struct Sealer(seal::Sealer);

impl Sealer {
    /// A sealer with these secrets; the first seals.
    pub(crate) fn new(secrets: &[Secret]) -> Self {
        Self(seal::Sealer::new(secrets, LABEL))
    }

    /// Seals `bytes` for `place`; they open nowhere else.
    pub(crate) fn seal(&self, place: &str, bytes: &[u8]) -> Result<Sealed, NotSealed> {
        self.0.seal(place, bytes).map(Sealed)
    }

    /// Opens what was sealed for `place`.
    pub(crate) fn open(&self, place: &str, sealed: &Sealed) -> Result<Opened, NotSealed> {
        self.0.open(place, &sealed.0)
    }
}
