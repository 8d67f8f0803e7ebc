//! Where the keys of a client are: in its registration.

use mcp_gateway_model::client::Client;

use super::{
    assertion::not_accepted,
    client_keys::{ClientKeys, Signed},
};
use crate::{door::Rejection, request::Context};

/// Whether one of the client's keys signed this.
///
/// # Errors
/// `invalid_client` when the client has no keys.
#[expect(clippy::unused_async, reason = "keys will be asked for elsewhere")]
pub(super) async fn signed(
    _context: &Context,
    client: &Client,
    signed: &Signed<'_>,
) -> Result<bool, Rejection> {
    let inline = client.metadata.jwks.as_ref();
    let keys = inline.ok_or_else(|| not_accepted("client_has_no_keys"))?;
    let keys =
        ClientKeys::parse(keys).map_err(|bad| not_accepted("client_keys_bad").because(bad.to_string()))?;
    Ok(keys.verify(signed))
}
