//! Where the keys of a client are: in its metadata, or at the address that these name.

use actix_web::http::header::{self, HeaderValue};
use mcp_gateway_model::{client::Client, error::ErrorCode};

use super::{
    assertion::not_accepted,
    client_keys::{ClientKeys, Signed},
};
use crate::{
    door::Rejection,
    fetch::{self, FetchFault, copies::NoCopy},
    request::Context,
};

/// Whether one of the client's keys signed this.
///
/// # Errors
/// `invalid_client` when the client has no keys, 503 when they cannot be read at the moment.
pub(super) async fn signed(
    context: &Context,
    client: &Client,
    signed: &Signed<'_>,
) -> Result<bool, Rejection> {
    let metadata = &client.metadata;
    let keys = match (&metadata.jwks, &metadata.jwks_uri) {
        (Some(inline), _) => ClientKeys::parse(inline),
        (None, Some(address)) => {
            let published = fetch::keys::of_client(context, address, signed.kid).await;
            ClientKeys::of(&published.map_err(unpublished)?)
        }
        (None, None) => return Err(not_accepted("client_has_no_keys")),
    };
    let keys = keys.map_err(|bad| not_accepted("client_keys_bad").because(bad.to_string()))?;
    Ok(keys.verify(signed))
}

/// What is passing is no fault of the client: it may come again with a fresh assertion.
fn unpublished(none: NoCopy) -> Rejection {
    match none {
        NoCopy::Rejected(rejection) => rejection,
        NoCopy::Fault(fault) if fault.is_passing() => {
            let reason = fault.reason();
            Rejection::new(
                ErrorCode::TemporarilyUnavailable,
                format!("the keys at jwks_uri cannot be read now: {fault}; try again in a minute"),
                reason,
            )
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("60"))
        }
        NoCopy::Fault(fault) => unacceptable(&fault),
    }
}

fn unacceptable(fault: &FetchFault) -> Rejection {
    super::invalid_client(
        format!("the keys at jwks_uri cannot be used: {fault}"),
        fault.reason(),
    )
}
