//! The body of a request, as the proxy hands it on.

use actix_web::{
    http::header::{self, HeaderMap},
    web::{Bytes, Payload},
};

use crate::reason::Reason;

/// Reads at most `most` bytes. A body in a coding that only the server behind would undo is not read.
pub(crate) async fn read(headers: &HeaderMap, payload: Payload, most: usize) -> Result<Bytes, Reason> {
    let body = payload
        .to_bytes_limited(most)
        .await
        .map_err(|_| Reason::BodyTooLarge)?
        .map_err(|_| Reason::BodyIncomplete)?;
    if !body.is_empty() && is_encoded(headers) {
        return Err(Reason::BodyEncoded);
    }
    Ok(body)
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::CONTENT_ENCODING);
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
